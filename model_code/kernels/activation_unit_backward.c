// DIN's attention, backwards: gradients of the vectors and of all parameters.

#include "activation_unit.h"

// The weights by outputs, (outputs, stride of the inputs), or their gradients.
typedef struct {
    float *of_query, *of_key, *of_product; // W1 + W3, W2 - W3 and W4
    float *bias;                           // of the first layer
    float *further;                        // weight and bias of each further layer
    float *score;                          // weight and, after a stride, bias of the score
} rows;

static int64_t first_size(const unit *u) { return 3 * u->widths[1] * stride(u, 0) + stride(u, 1); }

static int64_t further_size(const unit *u, int64_t layer) {
    return u->widths[layer + 1] * stride(u, layer) + stride(u, layer + 1);
}

static int64_t score_at(const unit *u) {
    int64_t at = first_size(u);
    for (int64_t l = 1; l < u->layers; l++) at += further_size(u, l);
    return at;
}

static int64_t rows_size(const unit *u) { return padded_wide(score_at(u) + stride(u, u->layers) + 1); }

static rows rows_at(const unit *u, float *memory) {
    int64_t size = u->widths[1] * stride(u, 0);
    return (rows){
        .of_query = memory, .of_key = memory + size, .of_product = memory + 2 * size, .bias = memory + 3 * size,
        .further = memory + first_size(u), .score = memory + score_at(u),
    };
}

// The weights, without the biases.
static rows weight_rows(const unit *u, float *memory) {
    rows r = rows_at(u, memory);
    int64_t d = u->widths[0], row = stride(u, 0);
    memset(memory, 0, 4 * 3 * u->widths[1] * row);
    for (int64_t h = 0; h < u->widths[1]; h++)
        for (int64_t k = 0; k < d; k++) {
            const float *from = weight_of(u, 0) + h * 4 * d + k;
            r.of_query[h * row + k] = from[0] + from[2 * d];
            r.of_key[h * row + k] = from[d] - from[2 * d];
            r.of_product[h * row + k] = from[3 * d];
        }
    float *further = r.further;
    for (int64_t l = 1; l < u->layers; l++) {
        widen(u->widths[l + 1], u->widths[l], weight_of(u, l), stride(u, l), further);
        further += further_size(u, l);
    }
    widen(1, u->widths[u->layers], weight_of(u, u->layers), stride(u, u->layers), r.score);
    return r;
}

// The gradients in the places of the parameters.
static void to_parameters(const unit *u, rows r, float *const *to) {
    int64_t d = u->widths[0], row = stride(u, 0);
    for (int64_t h = 0; h < u->widths[1]; h++)
        for (int64_t k = 0; k < d; k++) {
            float of_query = r.of_query[h * row + k], of_key = r.of_key[h * row + k], *at = to[0] + h * 4 * d + k;
            at[0] = of_query, at[d] = of_key;
            at[2 * d] = of_query - of_key; // W3 is in W1 + W3 and in W2 - W3
            at[3 * d] = r.of_product[h * row + k];
        }
    memcpy(to[1], r.bias, 4 * u->widths[1]);
    for (int64_t l = 1; l < u->layers; r.further += further_size(u, l++)) {
        int64_t outputs = u->widths[l + 1];
        widen(outputs, stride(u, l), r.further, u->widths[l], to[2 * l]);
        memcpy(to[2 * l + 1], r.further + outputs * stride(u, l), 4 * outputs);
    }
    memcpy(to[2 * u->layers], r.score, 4 * u->widths[u->layers]);
    if (to[2 * u->layers + 1]) *to[2 * u->layers + 1] = r.score[stride(u, u->layers)];
}

// What one thread works in, for one group at a time.
typedef struct {
    float *queries, *keys, *of_interest, *of_queries, *of_keys, *query_shares, *key_shares; // shares: their gradients
    float *products, *of_products, *upper, *lower, *of_scores;
} desk;

static desk open_desk(const unit *u) {
    int64_t widest = 0, row = stride(u, 0), width = stride(u, 1), count = u->candidates, slots = u->slots;
    for (int64_t l = 1; l <= u->layers; l++) widest = stride(u, l) > widest ? stride(u, l) : widest;
    return (desk){
        .queries = room(count * row), .keys = room(slots * row), .of_interest = room(count * row),
        .of_queries = room(count * row), .of_keys = room(slots * row), .query_shares = room(count * width),
        .key_shares = room(slots * width), .products = room(CHUNK * row), .of_products = room(CHUNK * row),
        .upper = room(CHUNK * widest), .lower = room(CHUNK * widest), .of_scores = room(count * slots),
    };
}

static void close_desk(desk s) {
    free(s.queries), free(s.keys), free(s.of_interest), free(s.of_queries), free(s.of_keys), free(s.query_shares);
    free(s.key_shares), free(s.products), free(s.of_products), free(s.upper), free(s.lower), free(s.of_scores);
}

// Gradient of the scores of a candidate, from those of its interest and of the weights themselves.
static void scores_backward(int64_t n, int64_t row, const float *keys, int64_t normalise, const float *weights,
                            const float *of_interest, const float *of_weights, float *of_scores) {
    float mean = 0;
    for (int64_t i = 0; i < n; i++) {
        wide sum = {};
        for (int64_t k = 0; k < row; k += WIDE) sum += load_wide(of_interest + k) * load_wide(keys + i * row + k);
        of_scores[i] = total_wide(sum) + (of_weights ? of_weights[i] : 0);
        mean += weights[i] * of_scores[i];
    }
    if (normalise)
        for (int64_t i = 0; i < n; i++) of_scores[i] = weights[i] * (of_scores[i] - mean);
}

// The score's layer: its own gradient is added, and that of the last hidden layer's outputs written.
static void last_backward(int64_t count, int64_t width, const float *last, const float *of_scores, const float *weight,
                          float *of_weight, float *gradient) {
    for (int64_t j = 0; j < width; j += WIDE) {
        wide of_j = load_wide(of_weight + j), weight_j = load_wide(weight + j);
        for (int64_t i = 0; i < count; i++) {
            store_wide(gradient + i * width + j, of_scores[i] * weight_j);
            of_j += of_scores[i] * load_wide(last + i * width + j);
        }
        store_wide(of_weight + j, of_j);
    }
    for (int64_t i = 0; i < count; i++) of_weight[width] += of_scores[i];
}

INLINE wide deactivated(const float *output, const float *gradient) {
    wide y = load_wide(output);
    return load_wide(gradient) * (y - y * y);
}

// Gradient of a layer's outputs into that of its sums, which is added to that of the bias.
static void deactivate(int64_t count, int64_t width, const float *outputs, float *gradient, float *of_bias) {
    for (int64_t j = 0; j < width; j += WIDE) {
        wide sum = load_wide(of_bias + j);
        for (int64_t i = j; i < count * width; i += width) {
            wide inner = deactivated(outputs + i, gradient + i);
            store_wide(gradient + i, inner);
            sum += inner;
        }
        store_wide(of_bias + j, sum);
    }
}

// The same of the first layer, added to the gradients of the shares that the pair's candidate and event have.
static void deactivate_first(int64_t count, int64_t width, pair at, int64_t events, const float *outputs,
                             float *gradient, float *query_shares, float *key_shares) {
    for (int64_t i = 0; i < count; i++, next_pair(&at, events)) {
        float *query_share = query_shares + at.candidate * width, *key_share = key_shares + at.event * width;
        for (int64_t j = 0; j < width; j += WIDE) {
            wide inner = deactivated(outputs + i * width + j, gradient + i * width + j);
            store_wide(gradient + i * width + j, inner);
            store_wide(query_share + j, load_wide(query_share + j) + inner);
            store_wide(key_share + j, load_wide(key_share + j) + inner);
        }
    }
}

// From the gradient of some pairs' scores to that of the first layer's sums, which is returned: one of two on the desk.
static float *layers_backward(const unit *u, const rows *weight, const rows *sum, int64_t count, pair at,
                              int64_t events, const float *hidden, const float *of_scores, desk s) {
    float *upper = s.upper, *lower = s.lower, *further = weight->score, *of_further = sum->score;
    const float *outputs = hidden + count * hidden_at(u, u->layers - 1);
    last_backward(count, stride(u, u->layers), outputs, of_scores, weight->score, sum->score, upper);
    for (int64_t l = u->layers - 1; l > 0; l--) {
        int64_t width = u->widths[l + 1], row = stride(u, l + 1), below = stride(u, l);
        const float *inner = outputs - count * below;
        further -= further_size(u, l), of_further -= further_size(u, l);
        deactivate(count, row, outputs, upper, of_further + width * below);
        multiply(width, below, count, upper, 1, row, inner, below, of_further, below);
        memset(lower, 0, 4 * count * below);
        multiply(count, below, width, upper, row, 1, further, below, lower, below);
        float *swap = upper;
        upper = lower, lower = swap, outputs = inner;
    }
    deactivate_first(count, stride(u, 1), at, events, outputs, upper, s.query_shares, s.key_shares);
    return upper;
}

// The products of the pairs with W4, backwards; `of_first` is the gradient of the first layer's sums.
static void products_backward(const unit *u, const rows *weight, const rows *sum, int64_t count, pair at,
                              int64_t events, const float *of_first, desk s) {
    int64_t row = stride(u, 0), width = u->widths[1];
    pair_products(u, count, at, events, s.queries, s.keys, s.products);
    multiply(width, row, count, of_first, 1, stride(u, 1), s.products, row, sum->of_product, row);
    memset(s.of_products, 0, 4 * count * row);
    multiply(count, row, width, of_first, stride(u, 1), 1, weight->of_product, row, s.of_products, row);
    for (int64_t i = 0; i < count; i++, next_pair(&at, events)) {
        int64_t query = at.candidate * row, key = at.event * row;
        for (int64_t k = 0; k < row; k += WIDE) {
            wide gradient = load_wide(s.of_products + i * row + k);
            float *of_query = s.of_queries + query + k, *of_key = s.of_keys + key + k;
            store_wide(of_query, load_wide(of_query) + gradient * load_wide(s.keys + key + k));
            store_wide(of_key, load_wide(of_key) + gradient * load_wide(s.queries + query + k));
        }
    }
}

// What the first layer has of the candidate alone and of the event alone, backwards.
static void shares_backward(const unit *u, const rows *weight, const rows *sum, int64_t n, desk s) {
    int64_t count = u->candidates, row = stride(u, 0), width = u->widths[1], of_share = stride(u, 1);
    multiply(count, row, width, s.query_shares, of_share, 1, weight->of_query, row, s.of_queries, row);
    multiply(n, row, width, s.key_shares, of_share, 1, weight->of_key, row, s.of_keys, row);
    multiply(width, row, count, s.query_shares, 1, of_share, s.queries, row, sum->of_query, row);
    multiply(width, row, n, s.key_shares, 1, of_share, s.keys, row, sum->of_key, row);
    for (int64_t c = 0; c < count; c++) add(of_share, s.query_shares + c * of_share, sum->bias);
}

// Of all groups.
typedef struct {
    const float *of_interest, *of_weights;       // given; of the weights perhaps none
    float *of_queries, *of_history, *of_offsets; // wanted
} gradients;

// Begins to fetch a chunk's outputs before its turn: those of all pairs do not stay in the cache.
static void fetch_outputs(const unit *u, const float *hidden) {
    for (int64_t i = 0; i < CHUNK * hidden_at(u, u->layers); i += 16) __builtin_prefetch(hidden + i, 0, 2);
}

static void group_backward(const unit *u, const rows *weight, const rows *sum, int64_t group, int64_t normalise,
                           gradients g, desk s) {
    int64_t n = u->lengths[group], d = u->widths[0], row = stride(u, 0), count = u->candidates;
    int64_t before = events_before(u, group);
    const float *weights = u->weights + group * count * u->slots;
    const float *of_weights = g.of_weights ? g.of_weights + group * count * u->slots : NULL;
    const float *hidden = u->hidden + before * count * hidden_at(u, u->layers);
    widen(count, d, u->queries + group * count * d, row, s.queries);
    widen(n, d, u->history + group * u->slots * d, row, s.keys);
    widen(count, d, g.of_interest + group * count * d, row, s.of_interest);
    memset(s.of_queries, 0, 4 * count * row);
    memset(s.of_keys, 0, 4 * n * row);
    memset(s.query_shares, 0, 4 * count * stride(u, 1));
    memset(s.key_shares, 0, 4 * n * stride(u, 1));
    for (int64_t c = 0; c < count; c++)
        scores_backward(n, row, s.keys, normalise, weights + c * u->slots, s.of_interest + c * row,
                        of_weights ? of_weights + c * u->slots : NULL, s.of_scores + c * n);
    multiply(n, row, count, weights, 1, u->slots, s.of_interest, row, s.of_keys, row);
    for (int64_t start = 0; start < n * count; start += CHUNK) {
        int64_t some = n * count - start < CHUNK ? n * count - start : CHUNK;
        pair at = {start / n, start % n};
        fetch_outputs(u, hidden + (start + CHUNK) * hidden_at(u, u->layers));
        float *of_first = layers_backward(u, weight, sum, some, at, n, hidden + start * hidden_at(u, u->layers),
                                          s.of_scores + start, s);
        products_backward(u, weight, sum, some, at, n, of_first, s);
    }
    shares_backward(u, weight, sum, n, s);
    widen(count, row, s.of_queries, d, g.of_queries + group * count * d);
    widen(n, row, s.of_keys, d, g.of_history + group * u->slots * d);
    memset(g.of_history + (group * u->slots + n) * d, 0, 4 * (u->slots - n) * d);
    if (u->offsets) widen(n, stride(u, 1), s.key_shares, u->widths[1], g.of_offsets + before * u->widths[1]);
}

void activation_unit_backward(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths,
                              int64_t layers, const int64_t *widths, const float *const *parameters, const float *queries,
                              const float *history, const float *offsets, int64_t normalise, float *hidden,
                              float *weights, const float *of_interest, const float *of_weights,
                              float *const *of_parameters, float *of_queries, float *of_history, float *of_offsets,
                              int64_t threads) {
    unit u = {groups,  candidates, slots,   lengths, layers, widths, parameters,
              queries, history,    offsets, hidden,  weights};
    gradients g = {of_interest, of_weights, of_queries, of_history, of_offsets};
    int64_t size = rows_size(&u);
    float *memory = room(size), *sums = zeros(threads * size);
    const rows weight = weight_rows(&u, memory);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        desk s = open_desk(&u);
        const rows sum = rows_at(&u, sums + part * size);
        int64_t end = part_begin(lengths, groups, part + 1, threads);
        for (int64_t b = part_begin(lengths, groups, part, threads); b < end; b++)
            group_backward(&u, &weight, &sum, b, normalise, g, s);
        close_desk(s);
    }
    for (int64_t part = 1; part < threads; part++) add(size, sums + part * size, sums);
    to_parameters(&u, rows_at(&u, sums), of_parameters);
    free(sums);
    free(memory);
}
