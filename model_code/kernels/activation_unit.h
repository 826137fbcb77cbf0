// DIN's attention of candidates on histories: what its forward and its backward pass share.
//
// The first layer's W [q | k | q - k | q k] is (W1 + W3) q + (W2 - W3) k + W4 (q k): a share of the candidate, one of
// the event, and a product that each pair of them needs. The pairs of a group stand in a row, candidate after
// candidate, and go through all layers some CHUNK at a time, in memory that the first cache holds.
//
// Rows are kept with room for whole vectors: `stride` of a width. What stands there beyond the width is zero among
// weights and vectors, and goes no further from hidden layers.

#pragma once

#include "calls.h"
#include "common.h"

#define CHUNK 48 // pairs; a multiple of the rows that a product takes at once

typedef struct {
    int64_t groups, candidates, slots; // B, C and L
    const int64_t *lengths;            // (B,) events of each history
    int64_t layers;                    // hidden layers
    const int64_t *widths;             // (1 + layers,) of the vectors, then of each hidden layer
    const float *const *parameters;    // weight and bias of each layer, then of the score, whose bias may be none
    const float *queries, *history;    // (B, C, d), (B, L, d)
    const float *offsets;              // (P, width) of the first layer's sums, for the P events of all groups; or none
    float *hidden;                     // outputs of each layer (pairs, stride), chunk after chunk; or none
    float *weights;                    // (B, C, L)
} unit;

// The place of a pair among those of its group.
typedef struct {
    int64_t candidate, event;
} pair;

INLINE int64_t stride(const unit *u, int64_t layer) { return padded_wide(u->widths[layer]); }
INLINE const float *weight_of(const unit *u, int64_t layer) { return u->parameters[2 * layer]; }
INLINE const float *bias_of(const unit *u, int64_t layer) { return u->parameters[2 * layer + 1]; }

// How much a pair has in the hidden layers before this one.
static inline int64_t hidden_at(const unit *u, int64_t layer) {
    int64_t at = 0;
    for (int64_t l = 0; l < layer; l++) at += stride(u, l + 1);
    return at;
}

static inline int64_t events_before(const unit *u, int64_t group) {
    int64_t before = 0;
    for (int64_t b = 0; b < group; b++) before += u->lengths[b];
    return before;
}

INLINE void next_pair(pair *at, int64_t events) {
    if (++at->event == events) at->event = 0, at->candidate++;
}

// The products (rows, stride) of the pairs from `at` on, elementwise.
static inline void pair_products(const unit *u, int64_t rows, pair at, int64_t events, const float *queries,
                                 const float *keys, float *products) {
    int64_t d = stride(u, 0);
    for (int64_t i = 0; i < rows; i++, products += d, next_pair(&at, events))
        for (int64_t k = 0; k < d; k += WIDE)
            store_wide(products + k, load_wide(queries + at.candidate * d + k) * load_wide(keys + at.event * d + k));
}
