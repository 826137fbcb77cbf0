// A network of linear layers with Dice between them and a score at the end, in training: forwards and backwards.
//
// Threads divide the columns of each layer, so that each has the batch's statistics of its columns to itself, and no
// sum depends on the number of threads. Rows have room for whole vectors; what stands there beyond the width is zero.

#include "calls.h"
#include "common.h"

#define PANEL (2 * WIDE) // columns that a product takes at once

typedef struct {
    int64_t rows, layers;
    const int64_t *widths;          // (1 + layers,) of the inputs, then of each layer
    const float *inputs;            // (rows, widths[0])
    const float *const *parameters; // weight, bias and alpha of each layer, then weight and bias of the score
    float *kept;                    // of each layer, see `place`
} network;

// What a layer keeps for the backward pass: (rows, stride) each, and its statistics, (2, stride).
typedef struct {
    int64_t width, stride;
    float *sums, *gate, *outputs; // before Dice, its gate, after it
    float *mean, *scale;          // scale: 1 / sqrt(variance + epsilon)
} place;

static place place_of(const network *n, int64_t layer) {
    float *at = n->kept;
    for (int64_t l = 0; l < layer; l++) at += (3 * n->rows + 2) * padded_wide(n->widths[l + 1]);
    int64_t stride = padded_wide(n->widths[layer + 1]), size = n->rows * stride;
    return (place){n->widths[layer + 1], stride, at, at + size, at + 2 * size, at + 3 * size, at + 3 * size + stride};
}

// What a layer reads, and how far its rows are apart.
static const float *read_by(const network *n, int64_t layer, int64_t *row) {
    *row = layer ? padded_wide(n->widths[layer]) : n->widths[0];
    return layer ? place_of(n, layer - 1).outputs : n->inputs;
}

// The columns of a part, when threads divide this many: whole vectors, but for the last.
static int64_t columns_begin(int64_t columns, int64_t part, int64_t parts) {
    int64_t begin = padded_wide(columns) / WIDE * part / parts * WIDE;
    return begin < columns ? begin : columns;
}

// The first `count` numbers, or as many as a vector holds; the others are zero.
static wide take(const float *from, int64_t count) {
    wide value = {};
    memcpy(&value, from, 4 * (count < WIDE ? count : WIDE));
    return value;
}

static void put(float *to, wide value, int64_t count) { memcpy(to, &value, 4 * (count < WIDE ? count : WIDE)); }

// A layer's sums for `columns` columns from j on: inputs times weights, and the bias.
static void linear_forward(const network *n, int64_t layer, int64_t j, int64_t columns, float *panel) {
    place at = place_of(n, layer);
    int64_t inner = n->widths[layer], row, room_for = padded_wide(columns);
    const float *inputs = read_by(n, layer, &row);
    const float *weight = n->parameters[3 * layer] + j * inner, *bias = n->parameters[3 * layer + 1] + j;
    if (columns < room_for) memset(panel, 0, 4 * inner * PANEL);
    transpose(columns, inner, weight, inner, panel, PANEL);
    for (int64_t v = 0; v < columns; v += WIDE) {
        wide first = take(bias + v, columns - v);
        for (int64_t i = 0; i < n->rows; i++) store_wide(at.sums + i * at.stride + j + v, first);
    }
    multiply(n->rows, room_for, inner, inputs, row, 1, panel, PANEL, at.sums + j, at.stride);
}

typedef struct {
    float epsilon, momentum;
    float *const *moments; // mean and variance of each layer, that are kept for evaluation; the variance is unbiased
} running;

// Sum of a column of vectors, or of their squares about a mean.
INLINE wide sum_of(const float *x, int64_t rows, int64_t stride, const int squares, wide mean) {
    wide sum[4] = {};
    for (int64_t i = 0; i < rows; i++) {
        wide value = load_wide(x + i * stride);
        sum[i % 4] += squares ? (value - mean) * (value - mean) : value;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// Dice for a vector of columns from j on.
static void dice_forward(const network *n, int64_t layer, int64_t j, running kept) {
    place at = place_of(n, layer);
    int64_t rows = n->rows, count = at.width - j;
    const float *x = at.sums + j;
    float *old_mean = kept.moments[2 * layer] + j, *old_variance = kept.moments[2 * layer + 1] + j;
    wide mean = sum_of(x, rows, at.stride, 0, (wide){}) / (float)rows;
    wide squares = sum_of(x, rows, at.stride, 1, mean), scale = squares / (float)rows + kept.epsilon;
    for (int w = 0; w < WIDE; w++) scale[w] = 1.0f / sqrtf(scale[w]);
    wide moved = take(old_mean, count), spread = take(old_variance, count), alpha = take(n->parameters[3 * layer + 2] + j, count);
    put(old_mean, moved + kept.momentum * (mean - moved), count);
    put(old_variance, spread + kept.momentum * (squares / (float)(rows - 1) - spread), count);
    store_wide(at.mean + j, mean);
    store_wide(at.scale + j, scale);
    for (int64_t i = j; i < rows * at.stride; i += at.stride) {
        wide in = load_wide(at.sums + i), open = sigmoid_wide((in - mean) * scale);
        store_wide(at.gate + i, open);
        store_wide(at.outputs + i, in * (alpha + open * (1.0f - alpha)));
    }
}

static void layer_forward(const network *n, int64_t layer, running kept, int64_t part, int64_t parts) {
    int64_t width = n->widths[layer + 1], end = columns_begin(width, part + 1, parts);
    float *panel = room(n->widths[layer] * PANEL);
    for (int64_t j = columns_begin(width, part, parts); j < end; j += PANEL) {
        int64_t columns = end - j < PANEL ? end - j : PANEL;
        linear_forward(n, layer, j, columns, panel);
        for (int64_t v = j; v < j + columns; v += WIDE) dice_forward(n, layer, v, kept);
    }
    free(panel);
}

static void score_forward(const network *n, int64_t begin, int64_t end, float *logits) {
    place last = place_of(n, n->layers - 1);
    const float *weight = n->parameters[3 * n->layers], *bias = n->parameters[3 * n->layers + 1];
    for (int64_t i = begin; i < end; i++) {
        wide sum = {};
        for (int64_t j = 0; j < last.width; j += WIDE)
            sum += load_wide(last.outputs + i * last.stride + j) * take(weight + j, last.width - j);
        logits[i] = total_wide(sum) + *bias;
    }
}

// logits (rows,); the running moments are moved.
void prediction_head_forward(int64_t rows, int64_t layers, const int64_t *widths, const float *inputs,
                             const float *const *parameters, float *kept, float *const *moments, float epsilon,
                             float momentum, float *logits, int64_t threads) {
    const network n = {rows, layers, widths, inputs, parameters, kept};
    const running run = {epsilon, momentum, moments};
#pragma omp parallel num_threads(threads)
    {
        for (int64_t l = 0; l < layers; l++) {
#pragma omp for schedule(static, 1)
            for (int64_t part = 0; part < threads; part++) layer_forward(&n, l, run, part, threads);
        }
#pragma omp for schedule(static, 1)
        for (int64_t part = 0; part < threads; part++)
            score_forward(&n, rows * part / threads, rows * (part + 1) / threads, logits);
    }
}

// Dice for a vector of columns from j on: `gradient` (rows, stride), of the outputs, becomes that of the sums.
static void dice_backward(const network *n, int64_t layer, int64_t j, float *gradient, float *of_bias, float *of_alpha) {
    place at = place_of(n, layer);
    int64_t rows = n->rows, count = at.width - j, end = rows * at.stride;
    wide mean = load_wide(at.mean + j), scale = load_wide(at.scale + j);
    wide alpha = take(n->parameters[3 * layer + 2] + j, count);
    wide sum = {}, product = {}, closed = {}, of_sums = {};
    for (int64_t i = j; i < end; i += at.stride) {
        wide in = load_wide(at.sums + i), open = load_wide(at.gate + i), weighed = load_wide(gradient + i) * in;
        wide of_normal = weighed * (1.0f - alpha) * (open - open * open);
        sum += of_normal;
        product += of_normal * (in - mean);
        closed += weighed * (1.0f - open);
    }
    put(of_alpha + j, closed, count);
    wide shift = sum / (float)rows, slope = product * scale * scale / (float)rows;
    for (int64_t i = j; i < end; i += at.stride) {
        wide open = load_wide(at.gate + i), in = load_wide(at.sums + i), upper = load_wide(gradient + i);
        wide of_normal = upper * in * (1.0f - alpha) * (open - open * open);
        wide inner = upper * (alpha + open * (1.0f - alpha)) + scale * (of_normal - shift - (in - mean) * slope);
        store_wide(gradient + i, inner);
        of_sums += inner;
    }
    put(of_bias + j, of_sums, count);
}

// The score's layer for a vector of columns: `gradient` receives that of the last layer's outputs.
static void score_backward(const network *n, int64_t j, const float *of_logits, float *gradient, float *of_weight) {
    place last = place_of(n, n->layers - 1);
    wide weight = take(n->parameters[3 * n->layers] + j, last.width - j), sum = {};
    for (int64_t i = 0; i < n->rows; i++) {
        store_wide(gradient + i * last.stride + j, of_logits[i] * weight);
        sum += of_logits[i] * load_wide(last.outputs + i * last.stride + j);
    }
    put(of_weight + j, sum, last.width - j);
}

// Columns `begin` to `end` of what a layer reads: their gradient, from that of the layer's sums.
static void inputs_backward(const network *n, int64_t layer, int64_t begin, int64_t end, const float *of_sums,
                            float *gradient, int64_t row) {
    int64_t inner = n->widths[layer];
    for (int64_t i = 0; i < n->rows; i++) memset(gradient + i * row + begin, 0, 4 * (end - begin));
    multiply(n->rows, end - begin, n->widths[layer + 1], of_sums, padded_wide(n->widths[layer + 1]), 1,
             n->parameters[3 * layer] + begin, inner, gradient + begin, row);
}

// The columns of a part of a layer: from the gradient of the outputs, `of_outputs`, to those of the layer's parameters.
static void layer_backward(const network *n, int64_t layer, const float *of_logits, const float *of_above,
                           float *of_outputs, float *const *of_parameters, int64_t part, int64_t parts) {
    int64_t width = n->widths[layer + 1], inner = n->widths[layer], row, stride = padded_wide(width);
    int64_t begin = columns_begin(width, part, parts), end = columns_begin(width, part + 1, parts);
    const float *inputs = read_by(n, layer, &row);
    if (of_above) {
        // Where a row ends is no column of the layer's, but is read as part of a vector.
        for (int64_t i = 0; i < n->rows; i++) memset(of_outputs + i * stride + end, 0, 4 * (padded_wide(end) - end));
        inputs_backward(n, layer + 1, begin, end, of_above, of_outputs, stride);
    }
    for (int64_t j = begin; j < end; j += WIDE) {
        if (!of_above) score_backward(n, j, of_logits, of_outputs, of_parameters[3 * n->layers]);
        dice_backward(n, layer, j, of_outputs, of_parameters[3 * layer + 1], of_parameters[3 * layer + 2]);
    }
    float *of_weight = of_parameters[3 * layer] + begin * inner;
    memset(of_weight, 0, 4 * (end - begin) * inner);
    multiply(end - begin, inner, n->rows, of_outputs + begin, 1, stride, inputs, row, of_weight, inner);
}

void prediction_head_backward(int64_t rows, int64_t layers, const int64_t *widths, const float *inputs,
                              const float *const *parameters, float *kept, const float *of_logits,
                              float *const *of_parameters, float *of_inputs, int64_t threads) {
    const network n = {rows, layers, widths, inputs, parameters, kept};
    float *gradients[layers + 1];
    for (int64_t l = 0; l < layers; l++) gradients[l] = room(rows * padded_wide(widths[l + 1]));
    gradients[layers] = NULL;
    *of_parameters[3 * layers + 1] = 0;
    for (int64_t i = 0; i < rows; i++) *of_parameters[3 * layers + 1] += of_logits[i];
#pragma omp parallel num_threads(threads)
    {
        for (int64_t l = layers - 1; l >= 0; l--) {
#pragma omp for schedule(static, 1)
            for (int64_t part = 0; part < threads; part++)
                layer_backward(&n, l, of_logits, gradients[l + 1], gradients[l], of_parameters, part, threads);
        }
#pragma omp for schedule(static, 1)
        for (int64_t part = 0; part < threads; part++)
            inputs_backward(&n, 0, columns_begin(widths[0], part, threads), columns_begin(widths[0], part + 1, threads),
                            gradients[0], of_inputs, widths[0]);
    }
    for (int64_t l = 0; l < layers; l++) free(gradients[l]);
}
