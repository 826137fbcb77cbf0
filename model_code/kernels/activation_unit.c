// DIN's attention of candidates on histories, from their vectors to the sum of the history by its weights.
//
// The first layer's W [q | k | q - k | q k] is k (W2 - W3 + W4 diag(q))' + (W1 + W3) q: a product of the events
// as they are with a matrix of the candidate. All widths are multiples of LANES.

#include "common.h"

typedef struct {
    int64_t groups, candidates, slots; // B, C and L
    const int64_t *lengths;            // (B,) events of each history
    int64_t layers;                    // hidden layers
    const int64_t *widths;             // (1 + layers,) of the vectors, then of each hidden layer
    const float *parameters;           // weight and bias of each layer, then of the score
    const float *queries, *history;    // (B, C, d), (B, L, d)
    const float *offsets;              // (P, width) of the first layer's sums, for the P events of all groups; or none
    int64_t kept;                      // whether `hidden` keeps every pair's outputs, or one group's for each thread
    float *hidden;                     // of each (group, candidate): outputs of each layer (events, width)
    float *weights;                    // (B, C, L)
} unit;

static int64_t inputs(const unit *u, int64_t layer) { return layer ? u->widths[layer] : 4 * u->widths[0]; }

// Where the weight of a layer begins in the parameters; its bias follows.
static int64_t parameters_at(const unit *u, int64_t layer) {
    int64_t at = 0;
    for (int64_t l = 0; l < layer; l++) at += u->widths[l + 1] * (inputs(u, l) + 1);
    return at;
}

// How much one event has in the hidden layers before this one.
static int64_t hidden_at(const unit *u, int64_t layer) {
    int64_t at = 0;
    for (int64_t l = 0; l < layer; l++) at += u->widths[l + 1];
    return at;
}

static int64_t widest(const unit *u) {
    int64_t most = 0;
    for (int64_t l = 1; l <= u->layers; l++) most = u->widths[l] > most ? u->widths[l] : most;
    return most;
}

static int64_t events_before(const unit *u, int64_t group) {
    int64_t before = 0;
    for (int64_t b = 0; b < group; b++) before += u->lengths[b];
    return before;
}

static float *hidden_of(const unit *u, int64_t group, int64_t part) {
    int64_t before = u->kept ? events_before(u, group) : u->slots * part;
    return u->hidden + before * u->candidates * hidden_at(u, u->layers);
}

// W1 + W3, W2 - W3 and W4 of the first layer, then the further layers' weights, all (inputs, outputs).
static float *turned(const unit *u) {
    int64_t d = u->widths[0], size = d * u->widths[1];
    float *result = room(parameters_at(u, u->layers)), *w1 = result, *w2 = w1 + size, *w4 = w2 + size;
    for (int64_t h = 0; h < u->widths[1]; h++)
        for (int64_t k = 0; k < d; k++) {
            const float *row = u->parameters + h * 4 * d + k;
            int64_t to = k * u->widths[1] + h;
            w1[to] = row[0] + row[2 * d];
            w2[to] = row[d] - row[2 * d];
            w4[to] = row[3 * d];
        }
    float *next = w4 + size;
    for (int64_t l = 1; l < u->layers; l++) {
        int64_t width = u->widths[l + 1], inner = u->widths[l];
        const float *weight = u->parameters + parameters_at(u, l);
        for (int64_t i = 0; i < width * inner; i++) next[i % inner * width + i / inner] = weight[i];
        next += width * inner;
    }
    return result;
}

static void fill(int64_t rows, int64_t width, const float *row, float *to) {
    for (int64_t i = 0; i < rows; i++) memcpy(to + i * width, row, 4 * width);
}

static void activate(int64_t size, float *values) {
    for (int64_t i = 0; i < size; i += LANES) store(values + i, sigmoid(load(values + i)));
}

// The first layer for a candidate on n events; `outputs` (n, width) hold its share, what is the candidate's alone.
static void first_forward(const unit *u, int64_t n, const float *query, const float *keys, const float *turned,
                          float *matrix, float *outputs) {
    int64_t d = u->widths[0], width = u->widths[1];
    const float *w2 = turned + d * width, *w4 = w2 + d * width;
    for (int64_t k = 0; k < d; k++)
        for (int64_t h = k * width; h < (k + 1) * width; h += LANES)
            store(matrix + h, load(w2 + h) + query[k] * load(w4 + h));
    multiply(n, width, d, keys, d, 1, matrix, width, outputs, width);
    activate(n * width, outputs);
}

// The further layers on some rows, of which `hidden` has the first layer's outputs; returns the last one's.
static float *further_forward(const unit *u, int64_t rows, const float *turned, float *hidden) {
    const float *weight = turned + 3 * u->widths[0] * u->widths[1];
    for (int64_t l = 1; l < u->layers; l++) {
        int64_t inner = u->widths[l], width = u->widths[l + 1];
        float *outputs = hidden + rows * inner;
        fill(rows, width, u->parameters + parameters_at(u, l) + inner * width, outputs);
        multiply(rows, width, inner, hidden, inner, 1, weight, width, outputs, width);
        activate(rows * width, outputs);
        hidden = outputs, weight += inner * width;
    }
    return hidden;
}

// Scores of n events from their outputs of the last layer, and the weights (slots,) that they give.
static void weigh(const unit *u, int64_t n, const float *last, int64_t normalise, float *scores, float *weights) {
    int64_t width = u->widths[u->layers];
    const float *weight = u->parameters + parameters_at(u, u->layers);
    for (int64_t i = 0; i < n; i++) scores[i] = dot(width, last + i * width, weight) + weight[width];
    if (normalise && n) softmax(n, scores);
    memcpy(weights, scores, 4 * n);
    memset(weights + n, 0, 4 * (u->slots - n));
}

static void group_forward(const unit *u, int64_t group, int64_t normalise, const float *turned, float *hidden,
                          float *scratch, float *interest) {
    int64_t n = u->lengths[group], d = u->widths[0], width = u->widths[1], count = u->candidates;
    const float *queries = u->queries + group * count * d, *keys = u->history + group * u->slots * d;
    float *weights = u->weights + group * count * u->slots;
    const float *offsets = u->offsets ? u->offsets + events_before(u, group) * width : NULL;
    float *matrix = scratch, *shares = matrix + d * width, *scores = shares + count * width;
    fill(count, width, u->parameters + 4 * d * width, shares);
    multiply(count, width, d, queries, d, 1, turned, width, shares, width);
    for (int64_t c = 0; c < count; c++) {
        fill(n, width, shares + c * width, hidden);
        if (offsets) add(n * width, offsets, hidden);
        first_forward(u, n, queries + c * d, keys, turned, matrix, hidden);
        weigh(u, n, further_forward(u, n, turned, hidden), normalise, scores, weights + c * u->slots);
        hidden += n * hidden_at(u, u->layers);
    }
    memset(interest + group * count * d, 0, 4 * count * d);
    multiply(count, d, n, weights, u->slots, 1, keys, d, interest + group * count * d, d);
}

void activation_unit_forward(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths,
                             int64_t layers, const int64_t *widths, const float *parameters, const float *queries,
                             const float *history, const float *offsets, int64_t normalise, int64_t kept,
                             float *hidden, float *weights, float *interest, int64_t threads) {
    unit u = {groups,  candidates, slots,   lengths, layers, widths, parameters,
              queries, history,    offsets, kept,    hidden, weights};
    float *weights_turned = turned(&u);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        float *scratch = room((widths[0] + candidates) * widths[1] + padded(slots));
        int64_t end = part_begin(lengths, groups, part + 1, threads);
        for (int64_t b = part_begin(lengths, groups, part, threads); b < end; b++)
            group_forward(&u, b, normalise, weights_turned, hidden_of(&u, b, part), scratch, interest);
        free(scratch);
    }
    free(weights_turned);
}

// Gradient of n scores, from those of the interest (d,) and of the weights themselves.
static void scores_backward(const unit *u, int64_t n, const float *keys, int64_t normalise, const float *weights,
                            const float *of_interest, const float *of_weights, float *of_scores) {
    int64_t d = u->widths[0];
    float mean = 0;
    for (int64_t i = 0; i < n; i++) {
        of_scores[i] = dot(d, of_interest, keys + i * d) + of_weights[i];
        mean += weights[i] * of_scores[i];
    }
    if (normalise)
        for (int64_t i = 0; i < n; i++) of_scores[i] = weights[i] * (of_scores[i] - mean);
}

// Gradient of a layer's outputs (n, width) into that of its inputs, and its sum over the events added to `sum`.
static void deactivate(int64_t n, int64_t width, const float *outputs, float *gradient, float *sum) {
    for (int64_t j = 0; j < width; j += LANES) {
        lanes sum_of_j = load(sum + j);
        for (int64_t i = j; i < n * width; i += width) {
            lanes output = load(outputs + i), inner = load(gradient + i) * (output - output * output);
            store(gradient + i, inner);
            sum_of_j += inner;
        }
        store(sum + j, sum_of_j);
    }
}

// The score's layer: its own gradient is added, and that of the last hidden layer's outputs written.
static void last_backward(const unit *u, int64_t rows, const float *last, const float *of_scores, float *of_parameters,
                          float *gradient) {
    int64_t width = u->widths[u->layers], at = parameters_at(u, u->layers);
    for (int64_t j = 0; j < width; j += LANES) {
        lanes weight = load(u->parameters + at + j), of_weight = load(of_parameters + at + j);
        for (int64_t i = 0; i < rows; i++) {
            store(gradient + i * width + j, of_scores[i] * weight);
            of_weight += of_scores[i] * load(last + i * width + j);
        }
        store(of_parameters + at + j, of_weight);
    }
    for (int64_t i = 0; i < rows; i++) of_parameters[at + width] += of_scores[i];
}

// From the gradient of some rows' scores to that of the first layer's outputs, which is returned and is one of the
// two at `gradient`.
static float *further_backward(const unit *u, int64_t rows, const float *hidden, const float *of_scores,
                               float *of_parameters, float *gradient[2]) {
    float *upper = gradient[0], *lower = gradient[1];
    last_backward(u, rows, hidden + rows * hidden_at(u, u->layers - 1), of_scores, of_parameters, upper);
    for (int64_t l = u->layers - 1; l > 0; l--) {
        int64_t width = u->widths[l + 1], inner = u->widths[l], at = parameters_at(u, l);
        const float *outputs = hidden + rows * hidden_at(u, l), *below = hidden + rows * hidden_at(u, l - 1);
        deactivate(rows, width, outputs, upper, of_parameters + at + width * inner);
        multiply(width, inner, rows, upper, 1, width, below, inner, of_parameters + at, inner);
        memset(lower, 0, 4 * rows * inner);
        multiply(rows, inner, width, upper, width, 1, u->parameters + at, inner, lower, inner);
        float *swap = upper;
        upper = lower, lower = swap;
    }
    return upper;
}

// The first layer's product of events and a matrix of the candidate, backwards; `matrix` is scratch.
static void first_backward(const unit *u, int64_t n, const float *query, const float *keys, const float *gradient,
                           float *matrix, float *of_parameters, float *of_query, float *of_keys) {
    int64_t d = u->widths[0], width = u->widths[1];
    for (int64_t h = 0; h < width; h++)
        for (int64_t k = 0; k < d; k += LANES) {
            const float *row = u->parameters + h * 4 * d + k;
            store(matrix + h * d + k, load(row + d) - load(row + 2 * d) + load(row + 3 * d) * load(query + k));
        }
    multiply(n, d, width, gradient, width, 1, matrix, d, of_keys, d);
    memset(matrix, 0, 4 * width * d);
    multiply(width, d, n, gradient, 1, width, keys, d, matrix, d);
    for (int64_t h = 0; h < width; h++)
        for (int64_t k = 0; k < d; k += LANES) {
            int64_t at = h * 4 * d + k;
            lanes of_matrix = load(matrix + h * d + k);
            float *of_w2 = of_parameters + at + d, *of_w4 = of_w2 + 2 * d;
            store(of_w2, load(of_w2) + of_matrix);
            store(of_w4, load(of_w4) + of_matrix * load(query + k));
            store(of_query + k, load(of_query + k) + of_matrix * load(u->parameters + at + 3 * d));
        }
}

static void group_backward(const unit *u, int64_t group, int64_t normalise, const float *of_interest,
                           const float *of_weights, float *scratch, float *of_parameters, float *of_queries,
                           float *of_history, float *of_offsets) {
    int64_t n = u->lengths[group], d = u->widths[0], width = u->widths[1], count = u->candidates;
    const float *queries = u->queries + group * count * d, *keys = u->history + group * u->slots * d;
    const float *weights = u->weights + group * count * u->slots, *hidden = hidden_of(u, group, 0);
    float *matrix = scratch, *shares = matrix + d * width, *of_scores = shares + count * width;
    float *first = of_scores + padded(u->slots), *gradient[2] = {first, first + u->slots * widest(u)};
    of_interest += group * count * d, of_weights += group * count * u->slots;
    of_queries += group * count * d, of_history += group * u->slots * d;
    memset(of_queries, 0, 4 * count * d);
    memset(of_history, 0, 4 * u->slots * d);
    memset(shares, 0, 4 * count * width);
    if (u->offsets) memset(of_offsets += events_before(u, group) * width, 0, 4 * n * width);
    multiply(n, d, count, weights, 1, u->slots, of_interest, d, of_history, d);
    for (int64_t c = 0; c < count; c++) {
        scores_backward(u, n, keys, normalise, weights + c * u->slots, of_interest + c * d, of_weights + c * u->slots,
                        of_scores);
        float *of_first = further_backward(u, n, hidden, of_scores, of_parameters, gradient);
        deactivate(n, width, hidden, of_first, shares + c * width);
        if (u->offsets) add(n * width, of_first, of_offsets);
        first_backward(u, n, queries + c * d, keys, of_first, matrix, of_parameters, of_queries + c * d, of_history);
        hidden += n * hidden_at(u, u->layers);
    }
    // What the first layer has of the candidate alone: W1 q + W3 q and the bias.
    multiply(count, d, width, shares, width, 1, u->parameters, 4 * d, of_queries, d);
    multiply(count, d, width, shares, width, 1, u->parameters + 2 * d, 4 * d, of_queries, d);
    multiply(width, d, count, shares, 1, width, queries, d, of_parameters, 4 * d);
    for (int64_t c = 0; c < count; c++) add(width, shares + c * width, of_parameters + 4 * d * width);
}

void activation_unit_backward(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths,
                              int64_t layers, const int64_t *widths, const float *parameters, const float *queries,
                              const float *history, const float *offsets, int64_t normalise, float *hidden,
                              float *weights, const float *of_interest, const float *of_weights,
                              float *of_parameters, float *of_queries, float *of_history, float *of_offsets,
                              int64_t threads) {
    unit u = {groups,  candidates, slots,   lengths, layers, widths, parameters,
              queries, history,    offsets, 1,       hidden, weights};
    int64_t d = widths[0], width = widths[1], size = parameters_at(&u, layers) + widths[layers] + 1;
    int64_t stride = padded(size);
    float *sums = room(threads * stride);
    memset(sums, 0, 4 * threads * stride);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        float *scratch = room((d + candidates) * width + padded(slots) + 2 * slots * widest(&u));
        int64_t end = part_begin(lengths, groups, part + 1, threads);
        for (int64_t b = part_begin(lengths, groups, part, threads); b < end; b++)
            group_backward(&u, b, normalise, of_interest, of_weights, scratch, sums + part * stride, of_queries,
                           of_history, of_offsets);
        free(scratch);
    }
    memcpy(of_parameters, sums, 4 * size);
    for (int64_t part = 1; part < threads; part++) add(size, sums + part * stride, of_parameters);
    for (float *row = of_parameters; row < of_parameters + width * 4 * d; row += 4 * d)
        for (int64_t k = 0; k < d; k++) row[2 * d + k] = row[k] - row[d + k]; // W3 is in W1 + W3 and in W2 - W3
    free(sums);
}
