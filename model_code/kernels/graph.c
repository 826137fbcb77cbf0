// The edges of histories by position and by cosine, and views of them in which some are dropped.

#include "common.h"

#define MANY 500000 // products from which a thread is worth waking
#define BAND 12     // nodes whose cosines are computed together

typedef struct {
    int64_t groups, slots, width, neighbors; // B, L, d and epsilon
    float threshold;
    int64_t unknown;        // the id of items that are not similar to each other
    const float *nodes;     // (B, L, d)
    const int64_t *items;   // (B, L)
    const int64_t *lengths; // (B,) valid slots, which come first
} histories;

typedef struct {
    int64_t count, drawn, first;   // the graph and its views; of the groups that chances are of, the first here
    int16_t least;                 // chance of an edge that stays
    const int16_t *const *chances; // (count - 1, drawn, ...) for each kind of edges
} views;

// near (2, neighbors, L): before and behind a node, where there are nodes.
static void near_edges(const histories *h, int64_t n, uint8_t *near) {
    for (int64_t o = 0; o < 2 * h->neighbors; o++, near += h->slots) {
        const int64_t ahead = o < h->neighbors ? o - h->neighbors : o - h->neighbors + 1;
        const int64_t begin = ahead < 0 ? -ahead : 0, end = ahead < 0 ? n : n - ahead;
        memset(near, 0, h->slots);
        if (begin < end) memset(near + begin, 1, end - begin);
    }
}

// unit (n, d): the nodes at length 1; a shorter one than 1e-12 stays almost nothing, as PyTorch has it.
static void normalise(const histories *h, int64_t n, const float *nodes, float *unit) {
    for (int64_t i = 0; i < n; i++) {
        const float *from = nodes + i * h->width;
        const int64_t vectors = h->width / LANES * LANES;
        float *restrict to = unit + i * h->width, square = dot(vectors, from, from);
        for (int64_t k = vectors; k < h->width; k++) square += from[k] * from[k];
        const float norm = sqrtf(square), scale = 1.0f / (norm < 1e-12f ? 1e-12f : norm);
        for (int64_t k = 0; k < h->width; k++) to[k] = from[k] * scale;
    }
}

// similar (L, L): whose cosine reaches the threshold, of two valid and different nodes of which one at least is known.
static void similar_edges(const histories *h, int64_t group, int64_t n, uint8_t *similar) {
    const int64_t d = h->width, slots = h->slots, columns = padded_wide(n);
    const int64_t *items = h->items + group * slots;
    float *unit = room(n * d), *across = room(d * columns), *cosine = room(BAND * columns);
    uint8_t known[n + 1];
    normalise(h, n, h->nodes + group * slots * d, unit);
    memset(across, 0, 4 * d * columns);
    transpose(n, d, unit, d, across, columns);
    for (int64_t j = 0; j < n; j++) known[j] = items[j] != h->unknown;
    for (int64_t begin = 0; begin < n; begin += BAND) {
        const int64_t rows = n - begin < BAND ? n - begin : BAND;
        memset(cosine, 0, 4 * rows * columns);
        multiply(rows, columns, d, unit + begin * d, d, 1, across, columns, cosine, columns);
        for (int64_t i = begin; i < begin + rows; i++) {
            const float *restrict from = cosine + (i - begin) * columns, threshold = h->threshold;
            uint8_t *restrict to = similar + i * slots;
            const uint8_t either = known[i];
            for (int64_t j = 0; j < n; j++) to[j] = (uint8_t)(from[j] >= threshold) & (known[j] | either);
            memset(to + n, 0, slots - n);
            to[i] = 0;
        }
    }
    memset(similar + n * slots, 0, (slots - n) * slots);
    free(unit);
    free(across);
    free(cosine);
}

static void keep(int64_t count, const uint8_t *edges, const int16_t *chances, int16_t least, uint8_t *restrict kept) {
    for (int64_t i = 0; i < count; i++) kept[i] = edges[i] & (uint8_t)(chances[i] >= least);
}

static void one_graph(const histories *h, const views *v, int64_t group, uint8_t *const *edges) {
    const int64_t slots = h->slots, length = h->lengths[group], n = length < 0 ? 0 : length < slots ? length : slots;
    const int64_t sizes[] = {2 * h->neighbors * slots, slots * slots, slots};
    const int64_t used[] = {sizes[0], n * slots, n}; // what follows has no edge
    near_edges(h, n, edges[0] + group * sizes[0]);
    similar_edges(h, group, n, edges[1] + group * sizes[1]);
    memset(edges[2] + group * slots, 1, n);
    memset(edges[2] + group * slots + n, 0, slots - n);
    for (int kind = 0; kind < 3; kind++)
        for (int64_t view = 1; view < v->count; view++) {
            const int64_t size = sizes[kind], row = (view - 1) * v->drawn + v->first + group;
            uint8_t *to = edges[kind] + (view * h->groups + group) * size;
            keep(used[kind], edges[kind] + group * size, v->chances[kind] + row * size, v->least, to);
            memset(to + used[kind], 0, size - used[kind]);
        }
}

// edges: near (count, B, 2, neighbors, L), similar (count, B, L, L) and itself (count, B, L), bytes of 0 and 1.
void graph(int64_t groups, int64_t slots, int64_t width, int64_t neighbors, float threshold, int64_t unknown,
           const float *nodes, const int64_t *items, const int64_t *lengths, int64_t count, int64_t drawn,
           int64_t first, int64_t least, const int16_t *const *chances, uint8_t *const *edges, int64_t threads) {
    const histories h = {groups, slots, width, neighbors, threshold, unknown, nodes, items, lengths};
    const views v = {count, drawn, first, (int16_t)least, chances};
    if (groups * slots * slots * width < MANY * threads) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t b = 0; b < groups; b++) one_graph(&h, &v, b, edges);
}
