// Negatives drawn by rejection: NegativeSampler's rule, draw for draw.

#include "common.h"

#define MANY 4096  // groups from which threads are worth waking
#define AT_ONCE 16 // draws of a group that are looked up before the first is judged, so that waits overlap

// SplitMix64, as in model_code.sequences.hashing.
static uint64_t advance(uint64_t state, uint64_t counter) {
    uint64_t x = state + (counter + 1) * 0x9E3779B97F4A7C15;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
}

// The block that a sample lies in.
static int64_t block_of(const int64_t *bounds, int64_t blocks, int64_t row) {
    int64_t block = 0;
    while (blocks > 1) {
        const int64_t half = blocks >> 1;
        if (bounds[block + half] <= row) block += half;
        blocks -= half;
    }
    return block;
}

static int holds(const int32_t *sorted, int64_t length, int32_t value) {
    while (length > 1) {
        const int64_t half = length >> 1;
        if (sorted[half] <= value) sorted += half;
        length -= half;
    }
    return *sorted == value;
}

static int among(const int32_t *values, int64_t count, int32_t value) {
    int found = 0;
    for (int64_t i = 0; i < count; i++) found |= values[i] == value;
    return found;
}

// negatives (count, wanted) and filled (count); `rows` are samples, and each block of them has a pool that is not empty,
// each user of them owned items. `state` is the hash's, after the counters that all draws share; the
// first `most` draws of a group count. What is left of a group that is not filled is not written.
void draw_negatives(int64_t count, const int64_t *rows, int64_t blocks, const int64_t *sample_bounds,
                    const int64_t *pool_bounds, const int32_t *pool, const int32_t *position, const int32_t *user,
                    const int32_t *item, const int32_t *owned, const int32_t *owned_bounds, int64_t wanted,
                    int64_t most, uint64_t state, int32_t *negatives, uint8_t *filled, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(static) if (count >= MANY)
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = rows[i], block = block_of(sample_bounds, blocks, row);
        const int64_t start = pool_bounds[block], size = pool_bounds[block + 1] - start;
        const int32_t *const own = owned + owned_bounds[user[row]];
        const int64_t owns = owned_bounds[user[row] + 1] - owned_bounds[user[row]];
        const uint64_t of_target = advance(state, position[row]);
        int32_t taken[wanted], drawn[AT_ONCE], items[AT_ONCE];
        int64_t found = 0;
        for (int64_t first = 0; first < most && found < wanted; first += AT_ONCE) {
            for (int64_t d = 0; d < AT_ONCE; d++)
                drawn[d] = pool[start + (int64_t)(advance(of_target, first + d) & INT64_MAX) % size];
            for (int64_t d = 0; d < AT_ONCE; d++) items[d] = item[drawn[d]];
            for (int64_t d = 0; d < AT_ONCE && first + d < most && found < wanted; d++) {
                // An earlier draw of this item that was rejected was so for a reason that rejects this one, too.
                if (among(taken, found, items[d]) || holds(own, owns, items[d])) continue;
                taken[found] = items[d];
                negatives[i * wanted + found++] = drawn[d];
            }
        }
        filled[i] = found == wanted;
    }
}
