// Negatives drawn by rejection: NegativeSampler's rule, draw for draw.

#include "common.h"

#define MANY 4096  // groups from which threads are worth waking
#define TOGETHER 8 // groups whose memory is asked for before the first is judged
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

typedef struct {
    int64_t start, size; // of the pool
    uint64_t state;      // of the hash
    const int32_t *own;  // items of the user
    int64_t owns, places[AT_ONCE];
} group;

// Finds the places of some draws in the pool, and asks for their memory ahead.
static void draw(group *g, int64_t first, const int32_t *pool, const int32_t *pool_item) {
    for (int64_t d = 0; d < AT_ONCE; d++) {
        g->places[d] = g->start + (int64_t)(advance(g->state, first + d) & INT64_MAX) % g->size;
        __builtin_prefetch(pool_item + g->places[d]);
        __builtin_prefetch(pool + g->places[d]);
    }
}

// Writes the first draws that are not rejected; whether there are as many as wanted among the first `most`.
static int select_draws(group *g, int64_t most, int64_t wanted, const int32_t *pool, const int32_t *pool_item,
                        int32_t *negatives) {
    int32_t taken[wanted];
    int64_t found = 0;
    for (int64_t number = 0; number < most && found < wanted; number++) {
        if (number && number % AT_ONCE == 0) draw(g, number, pool, pool_item);
        const int64_t place = g->places[number % AT_ONCE];
        // An earlier draw of this item that was rejected was so for a reason that rejects this one, too.
        if (among(taken, found, pool_item[place]) || holds(g->own, g->owns, pool_item[place])) continue;
        taken[found] = pool_item[place];
        negatives[found++] = pool[place];
    }
    return found == wanted;
}

// negatives (count, wanted) and filled (count); `rows` are samples, and each block of them has a pool that is not empty,
// each user of them owned items. `state` is the hash's, after the counters that all draws share; the
// first `most` draws of a group count. What is left of a group that is not filled is not written.
void draw_negatives(int64_t count, const int64_t *rows, int64_t blocks, const int64_t *sample_bounds,
                    const int64_t *pool_bounds, const int32_t *pool, const int32_t *pool_item,
                    const int32_t *position, const int32_t *user, const int32_t *owned, const int32_t *owned_bounds,
                    int64_t wanted, int64_t most, uint64_t state, int32_t *negatives, uint8_t *filled,
                    int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 8) if (count >= MANY)
    for (int64_t begin = 0; begin < count; begin += TOGETHER) {
        const int64_t together = count - begin < TOGETHER ? count - begin : TOGETHER;
        group groups[TOGETHER];
        for (int64_t i = 0; i < together; i++) {
            const int64_t row = rows[begin + i];
            __builtin_prefetch(position + row);
            __builtin_prefetch(user + row);
        }
        for (int64_t i = 0; i < together; i++) __builtin_prefetch(owned_bounds + user[rows[begin + i]]);
        for (int64_t i = 0; i < together; i++) {
            const int64_t row = rows[begin + i], block = block_of(sample_bounds, blocks, row);
            const int32_t *const bounds = owned_bounds + user[row];
            groups[i] = (group){.start = pool_bounds[block],
                                .size = pool_bounds[block + 1] - pool_bounds[block],
                                .state = advance(state, position[row]),
                                .own = owned + bounds[0],
                                .owns = bounds[1] - bounds[0]};
            __builtin_prefetch(groups[i].own + groups[i].owns / 2);
            draw(&groups[i], 0, pool, pool_item);
        }
        for (int64_t i = 0; i < together; i++)
            filled[begin + i] =
                select_draws(&groups[i], most, wanted, pool, pool_item, negatives + (begin + i) * wanted);
    }
}
