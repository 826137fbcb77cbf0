// How often numbers that lie close together occur.

#include "common.h"

// Adds to counts (size) those of `low` and the numbers above it; `outside` says that one has no place there.
void count_numbers(int64_t count, const int64_t *numbers, int64_t low, int64_t size, int64_t *counts,
                   int64_t *outside) {
    for (int64_t i = 0; i < count; i++) {
        const uint64_t place = (uint64_t)numbers[i] - (uint64_t)low;
        if (place < (uint64_t)size)
            counts[place]++;
        else
            *outside = 1;
    }
}
