// What the codes of a log's ids are made of, where these are numbers that lie close together: tables of all of them.

#include "common.h"

#define AHEAD 16 // events by which the memory of an item is asked for before it is needed

typedef struct {
    uint64_t latest;       // of an item: one more than time * categories + category; 0 before the first one
    int32_t events, count; // in the whole log and in the fit part
} fact;

static void add_event(fact *to, int fit) {
    to->events++;
    to->count += fit;
}

// Adds some events to the tables of users, items and categories. Each number counts from the `low` one of its column on
// and is below its `size`, or of an id as much if it is NULL. Stops at an event of which that is not true, and counts
// it in `outside`.
void add_events(int64_t events, const int64_t *user, const int64_t *item, const int64_t *category,
                const int64_t *timestamp, const int64_t *low, const int64_t *size, int64_t fit_end, void *users,
                void *items, void *categories, int64_t *outside) {
    const uint64_t *const first = (const uint64_t *)low, *const sizes = (const uint64_t *)size;
    for (int64_t i = 0; i < events; i++) {
        const int64_t later = i + AHEAD < events ? i + AHEAD : i;
        __builtin_prefetch((fact *)items + (item[later] - first[1]), 1);
        const uint64_t u = user[i] - first[0], v = item[i] - first[1], c = category[i] - first[2],
                       time = timestamp[i] - first[3];
        if (u > sizes[0] || v > sizes[1] || c > sizes[2] || time >= sizes[3]) {
            ++*outside;
            return;
        }
        const int fit = timestamp[i] < fit_end;
        const uint64_t latest = fit && c < sizes[2] ? time * sizes[2] + c + 1 : 0;
        fact *const seen = (fact *)items + v;
        seen->latest = seen->latest < latest ? latest : seen->latest;
        add_event(seen, fit);
        add_event((fact *)users + u, fit);
        add_event((fact *)categories + c, fit);
    }
}
