// DIN's attention, forwards: from the vectors to the sum of the history by its weights.

#include "activation_unit.h"

// The weights by inputs, (inputs, stride of the outputs), and the biases.
typedef struct {
    const float *of_query, *of_key, *of_product; // W1 + W3, W2 - W3 and W4
    const float *bias;                           // of the first layer
    const float *further;                        // weight and bias of each further layer
    const float *score;                          // the score's weight
    float score_bias;
} turned;

// From (outputs, from_row) to (inputs, to_row).
static void turn(int64_t outputs, int64_t inputs, const float *from, int64_t from_row, float *to, int64_t to_row) {
    memset(to, 0, 4 * inputs * to_row);
    transpose(outputs, inputs, from, from_row, to, to_row);
}

static float *turn_first(const unit *u, turned *t, float *at) {
    int64_t d = u->widths[0], width = u->widths[1], row = stride(u, 1), size = d * row;
    float *w1 = at, *w2 = w1 + size, *w3 = w2 + size, *w4 = w3 + size, *bias = w4 + size;
    for (int64_t part = 0; part < 4; part++)
        turn(width, d, weight_of(u, 0) + part * d, 4 * d, w1 + part * size, row);
    for (int64_t i = 0; i < size; i++) w1[i] += w3[i], w2[i] -= w3[i];
    widen(1, width, bias_of(u, 0), row, bias);
    t->of_query = w1, t->of_key = w2, t->of_product = w4, t->bias = bias;
    return bias + row;
}

static float *turn_all(const unit *u, turned *t) {
    int64_t size = (4 * u->widths[0] + 1) * stride(u, 1) + stride(u, u->layers);
    for (int64_t l = 1; l < u->layers; l++) size += (u->widths[l] + 1) * stride(u, l + 1);
    float *result = room(size), *at = turn_first(u, t, result);
    t->further = at;
    for (int64_t l = 1; l < u->layers; l++) {
        int64_t width = u->widths[l + 1], inner = u->widths[l], row = stride(u, l + 1);
        turn(width, inner, weight_of(u, l), inner, at, row);
        widen(1, width, bias_of(u, l), row, at + inner * row);
        at += (inner + 1) * row;
    }
    widen(1, u->widths[u->layers], weight_of(u, u->layers), stride(u, u->layers), at);
    t->score = at, t->score_bias = bias_of(u, u->layers) ? *bias_of(u, u->layers) : 0;
    return result;
}

static void fill(int64_t rows, int64_t width, const float *row, float *to) {
    for (int64_t i = 0; i < rows; i++) memcpy(to + i * width, row, 4 * width);
}

static void activate(int64_t size, float *values) {
    for (int64_t i = 0; i < size; i += WIDE) store_wide(values + i, sigmoid_wide(load_wide(values + i)));
}

// Scores of the pairs from `at` on; `hidden` (rows, all layers) receives the layers' outputs, one after the other.
static void chunk_forward(const unit *u, const turned *t, int64_t rows, pair at, int64_t events, const float *products,
                          const float *query_shares, const float *key_shares, float *hidden, float *scores) {
    int64_t width = stride(u, 1);
    for (int64_t i = 0; i < rows; i++, next_pair(&at, events))
        for (int64_t j = 0; j < width; j += WIDE)
            store_wide(hidden + i * width + j, load_wide(query_shares + at.candidate * width + j) +
                                                   load_wide(key_shares + at.event * width + j));
    multiply(rows, width, u->widths[0], products, stride(u, 0), 1, t->of_product, width, hidden, width);
    activate(rows * width, hidden);
    const float *weight = t->further;
    for (int64_t l = 1; l < u->layers; l++) {
        int64_t inner = u->widths[l], below = width;
        float *outputs = hidden + rows * below;
        width = stride(u, l + 1);
        fill(rows, width, weight + inner * width, outputs);
        multiply(rows, width, inner, hidden, below, 1, weight, width, outputs, width);
        activate(rows * width, outputs);
        hidden = outputs, weight += (inner + 1) * width;
    }
    for (int64_t i = 0; i < rows; i++) {
        wide sum = {};
        for (int64_t j = 0; j < width; j += WIDE) sum += load_wide(hidden + i * width + j) * load_wide(t->score + j);
        scores[i] = total_wide(sum) + t->score_bias;
    }
}

// What one thread works in, for one group at a time.
typedef struct {
    float *queries, *keys, *query_shares, *key_shares, *products, *hidden, *scores, *weights, *interest;
} desk;

static desk open_desk(const unit *u) {
    int64_t row = stride(u, 0), width = stride(u, 1), count = u->candidates, slots = u->slots;
    return (desk){
        .queries = room(count * row), .keys = room(slots * row), .interest = room(count * row),
        .query_shares = room(count * width), .key_shares = room(slots * width),
        .products = room(CHUNK * row), .hidden = room(CHUNK * hidden_at(u, u->layers)),
        .scores = room(count * slots), .weights = room(padded(slots)),
    };
}

static void close_desk(desk s) {
    free(s.queries), free(s.keys), free(s.interest), free(s.query_shares), free(s.key_shares);
    free(s.products), free(s.hidden), free(s.scores), free(s.weights);
}

static void shares(const unit *u, const turned *t, int64_t group, desk s) {
    int64_t n = u->lengths[group], d = u->widths[0], count = u->candidates, width = stride(u, 1);
    widen(count, d, u->queries + group * count * d, stride(u, 0), s.queries);
    widen(n, d, u->history + group * u->slots * d, stride(u, 0), s.keys);
    fill(count, width, t->bias, s.query_shares);
    multiply(count, width, d, s.queries, stride(u, 0), 1, t->of_query, width, s.query_shares, width);
    if (u->offsets)
        widen(n, u->widths[1], u->offsets + events_before(u, group) * u->widths[1], width, s.key_shares);
    else
        memset(s.key_shares, 0, 4 * n * width);
    multiply(n, width, d, s.keys, stride(u, 0), 1, t->of_key, width, s.key_shares, width);
}

static void group_forward(const unit *u, const turned *t, int64_t group, int64_t normalise, desk s, float *interest) {
    int64_t n = u->lengths[group], d = u->widths[0], count = u->candidates, pairs = n * count, row = stride(u, 0);
    float *hidden = u->hidden ? u->hidden + events_before(u, group) * count * hidden_at(u, u->layers) : NULL;
    shares(u, t, group, s);
    for (int64_t start = 0; start < pairs; start += CHUNK) {
        int64_t rows = pairs - start < CHUNK ? pairs - start : CHUNK;
        pair at = {start / n, start % n};
        float *outputs = hidden ? hidden + start * hidden_at(u, u->layers) : s.hidden;
        pair_products(u, rows, at, n, s.queries, s.keys, s.products);
        chunk_forward(u, t, rows, at, n, s.products, s.query_shares, s.key_shares, outputs, s.scores + start);
    }
    for (int64_t c = 0; c < count; c++) {
        float *weights = u->weights + (group * count + c) * u->slots;
        memcpy(s.weights, s.scores + c * n, 4 * n);
        if (normalise && n) softmax(n, s.weights);
        memcpy(weights, s.weights, 4 * n);
        memset(weights + n, 0, 4 * (u->slots - n));
    }
    memset(s.interest, 0, 4 * count * row);
    multiply(count, row, n, u->weights + group * count * u->slots, u->slots, 1, s.keys, row, s.interest, row);
    widen(count, row, s.interest, d, interest + group * count * d);
}

void activation_unit_forward(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths,
                             int64_t layers, const int64_t *widths, const float *const *parameters, const float *queries,
                             const float *history, const float *offsets, int64_t normalise, float *hidden,
                             float *weights, float *interest, int64_t threads) {
    unit u = {groups,  candidates, slots,   lengths, layers, widths, parameters,
              queries, history,    offsets, hidden,  weights};
    turned t;
    float *memory = turn_all(&u, &t);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        desk s = open_desk(&u);
        int64_t end = part_begin(lengths, groups, part + 1, threads);
        for (int64_t b = part_begin(lengths, groups, part, threads); b < end; b++)
            group_forward(&u, &t, b, normalise, s, interest);
        close_desk(s);
    }
    free(memory);
}
