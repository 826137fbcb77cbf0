// The targets of a period in time order: put into buckets of time, each of which is then sorted in a core's cache.

#include "common.h"

#define DIGIT 10 // bits by which a bucket is sorted at once

typedef struct {
    uint32_t time; // since the bucket's first
    int32_t position, user, history_end;
} target;

// Counts the targets of some users by bucket in `places` (buckets); or, given `targets`, puts them there, from their
// bucket's place on. A bucket has 2 ** bits timestamps, the first one starts with `earliest`.
void collect_targets(int64_t first_user, int64_t end_user, const int64_t *user_offsets, const int64_t *timestamp,
                     int64_t earliest, int64_t latest, int64_t bits, int64_t *places, void *targets) {
    for (int64_t user = first_user; user < end_user; user++) {
        const int64_t start = user_offsets[user], end = user_offsets[user + 1];
        int64_t same = start; // first event at the time of this one
        for (int64_t event = start; event < end; event++) {
            const int64_t time = timestamp[event];
            if (time != timestamp[same]) same = event;
            if (same == start || time < earliest || time > latest) continue;
            const uint64_t since = (uint64_t)time - (uint64_t)earliest;
            const int64_t place = places[since >> bits]++;
            if (!targets) continue;
            ((target *)targets)[place] =
                (target){since & (((uint64_t)1 << bits) - 1), (int32_t)event, (int32_t)user, (int32_t)same};
        }
    }
}

// Sorts a bucket's targets by time, those of one time stay as they are; `targets` and `spare` (count) are both used up.
void order_targets(int64_t count, int64_t bits, void *targets, void *spare, const int64_t *user_offsets,
                   int64_t longest, int32_t *position, int32_t *user, int32_t *history_start, int32_t *history_end) {
    target *from = targets, *to = spare;
    for (int64_t shift = 0; shift < bits; shift += DIGIT) {
        int64_t places[(1 << DIGIT) + 1] = {0};
        for (int64_t i = 0; i < count; i++) places[(from[i].time >> shift) % (1 << DIGIT) + 1]++;
        for (int64_t digit = 0; digit < 1 << DIGIT; digit++) places[digit + 1] += places[digit];
        for (int64_t i = 0; i < count; i++) to[places[(from[i].time >> shift) % (1 << DIGIT)]++] = from[i];
        target *const sorted = to;
        to = from;
        from = sorted;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t start = user_offsets[from[i].user], cut = from[i].history_end - longest;
        position[i] = from[i].position;
        user[i] = from[i].user;
        history_start[i] = (int32_t)(start > cut ? start : cut);
        history_end[i] = from[i].history_end;
    }
}
