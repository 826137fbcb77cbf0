// The items that users own in a period, each user's sorted.

#include "common.h"

#define RUN 128 // numbers that are sorted by counting, for each, those that are less

// Sorts up to RUN numbers, none negative.
static void sort_run(int32_t *values, int64_t count) {
    int32_t all[RUN] = {0}, rank[RUN] = {0};
    memcpy(all, values, 4 * count);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < padded_wide(count); k++) rank[k] += all[i] < all[k];
    memset(values, -1, 4 * count);
    for (int64_t i = 0; i < count; i++) values[rank[i]] = all[i];
    // Of those alike, all went to the place of the first.
    for (int64_t i = 1; i < count; i++) values[i] = values[i] < values[i - 1] ? values[i - 1] : values[i];
}

static void merge(const int32_t *a, const int32_t *end_a, const int32_t *b, const int32_t *end_b, int32_t *to) {
    while (a < end_a && b < end_b) {
        const int second = *b < *a;
        *to++ = second ? *b : *a;
        a += !second;
        b += second;
    }
    memcpy(to, a, (char *)end_a - (char *)a);
    memcpy(to + (end_a - a), b, (char *)end_b - (char *)b);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void sort(int32_t *values, int64_t count, int32_t *spare) {
    for (int64_t start = 0; start < count; start += RUN) sort_run(values + start, least(RUN, count - start));
    int32_t *from = values, *to = spare;
    for (int64_t width = RUN; width < count; width *= 2) {
        for (int64_t start = 0; start < count; start += 2 * width) {
            int32_t *const middle = from + least(start + width, count);
            merge(from + start, middle, middle, from + least(start + 2 * width, count), to + start);
        }
        int32_t *const merged = to;
        to = from;
        from = merged;
    }
    if (from != values) memcpy(values, from, 4 * count);
}

// counts (users) and owned, one user's after the other's: items of events from `first` to before `end`. `spare` has
// room for those of any user.
void own_items(int64_t users, const int64_t *user_offsets, const int64_t *timestamp, const int32_t *item,
               int64_t first, int64_t end, int64_t *counts, int32_t *owned, int32_t *spare) {
    for (int64_t user = 0; user < users; user++) {
        int64_t count = 0;
        for (int64_t event = user_offsets[user]; event < user_offsets[user + 1]; event++)
            if (first <= timestamp[event] && timestamp[event] < end) owned[count++] = item[event];
        sort(owned, count, spare);
        counts[user] = count;
        owned += count;
    }
}
