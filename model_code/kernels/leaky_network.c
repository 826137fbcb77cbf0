// Several networks of linear layers with LeakyReLU between them, forwards and backwards.
//
// Threads share the networks, in teams, and the rows of each team's: as many teams as divide both networks and threads
// evenly. Rows go through all layers of a network some CHUNK at a time, in memory that the second cache holds. Sums
// over parts of the rows and over teams are taken in order: they repeat with the same number of threads.
//
// Weights are copied to rows with room for whole vectors, `stride` of a width. What stands there beyond the width is
// zero, and goes no further.

#include "common.h"

#define CHUNK 96 // rows; a multiple of those that a product takes at once
#define SLOPE 0.01f

typedef struct {
    int64_t networks, sources;      // E; of the inputs, one for each network, or one for all
    int64_t groups, repeats;        // S and R; a group's rows share where their first sums start
    int64_t layers;
    const int64_t *widths;          // (1 + layers,) of the inputs, then of each layer
    const int64_t *turned;          // (layers,) whether a weight lies by outputs, (E, out, in), not (E, in, out)
    const float *inputs;            // (sources, S R, widths[0])
    const float *start;             // (E, S, widths[1]) of the first layer's sums
    const float *scale, *shift;     // (E, widths[0]) of the inputs; or none
    const float *const *parameters; // weights of all layers, then biases (E, width) of those after the first
    float *kept;                    // (E, S R) outputs of each hidden layer, one after the other; or none
} nets;

INLINE int64_t stride(const nets *n, int64_t at) { return padded_wide(n->widths[at]); }
INLINE int64_t rows_of(const nets *n) { return n->groups * n->repeats; }

// How much a row has in the layers before this one.
static int64_t outputs_at(const nets *n, int64_t layer) {
    int64_t at = 0;
    for (int64_t l = 0; l < layer; l++) at += stride(n, l + 1);
    return at;
}

// Where a hidden layer's outputs stand, of the rows from `row` on, that are kept or for this chunk only.
static float *hidden_of(const nets *n, int64_t e, int64_t layer, int64_t row, float *chunk) {
    if (!n->kept) return chunk + CHUNK * outputs_at(n, layer);
    int64_t before = e * outputs_at(n, n->layers - 1) + outputs_at(n, layer);
    return n->kept + before * rows_of(n) + row * stride(n, layer + 1);
}

static const float *bias_of(const nets *n, int64_t e, int64_t layer) {
    return n->parameters[n->layers + layer - 1] + e * n->widths[layer + 1];
}

static const float *inputs_of(const nets *n, int64_t e, int64_t row) {
    return n->inputs + ((n->sources > 1 ? e * rows_of(n) : 0) + row) * n->widths[0];
}

static const float *start_of(const nets *n, int64_t e, int64_t row) {
    return n->start + (e * n->groups + row / n->repeats) * n->widths[1];
}

// A weight by inputs, (in, stride of out), or by outputs, (out, stride of in).
static void copy_weight(const nets *n, int64_t e, int64_t layer, int64_t by_outputs, float *to) {
    int64_t in = n->widths[layer], out = n->widths[layer + 1];
    int64_t rows = by_outputs ? out : in, width = by_outputs ? in : out, row = padded_wide(width);
    const float *from = n->parameters[layer] + e * in * out;
    if (by_outputs == n->turned[layer]) {
        widen(rows, width, from, row, to);
    } else {
        memset(to, 0, 4 * rows * row);
        transpose(width, rows, from, rows, to, row);
    }
}

static int64_t weights_size(const nets *n, int64_t by_outputs) {
    int64_t size = 0;
    for (int64_t l = 0; l < n->layers; l++)
        size += by_outputs ? n->widths[l + 1] * stride(n, l) : n->widths[l] * stride(n, l + 1);
    return size;
}

// All weights of a network. The inputs' scale becomes a part of the first, and the shift, times it, the `offset` of
// the first layer's sums.
static void copy_weights(const nets *n, int64_t e, float *to, float *offset) {
    int64_t in = n->widths[0], row = stride(n, 1);
    float *first = to;
    for (int64_t l = 0; l < n->layers; to += n->widths[l] * stride(n, l + 1), l++) copy_weight(n, e, l, 0, to);
    memset(offset, 0, 4 * row);
    if (!n->scale) return;
    multiply(1, row, in, n->shift + e * in, in, 1, first, row, offset, row);
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < row; j++) first[i * row + j] *= n->scale[e * in + i];
}

// The same by outputs, for the backward pass, which has no use for the offset.
static void copy_transposes(const nets *n, int64_t e, float *to) {
    int64_t in = n->widths[0], row = stride(n, 0);
    for (int64_t l = n->layers - 1; l >= 0; to += n->widths[l + 1] * stride(n, l), l--) copy_weight(n, e, l, 1, to);
    if (!n->scale) return;
    float *first = to - n->widths[1] * row;
    for (int64_t j = 0; j < n->widths[1]; j++)
        for (int64_t i = 0; i < in; i++) first[j * row + i] *= n->scale[e * in + i];
}

static int64_t teams_of(const nets *n, int64_t threads) {
    int64_t a = n->networks, b = threads;
    while (b) {
        int64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

// What one thread does: some networks, for some rows, whole groups if there are several.
typedef struct {
    int64_t team, part, first, last, begin, end;
} share;

static share share_of(const nets *n, int64_t thread, int64_t threads) {
    int64_t teams = teams_of(n, threads), parts = threads / teams, team = thread / parts, part = thread % parts;
    int64_t pieces = n->groups > 1 ? n->groups : n->repeats, piece = n->groups > 1 ? n->repeats : n->groups;
    return (share){team, part, n->networks / teams * team, n->networks / teams * (team + 1),
                   pieces * part / parts * piece, pieces * (part + 1) / parts * piece};
}

static void activate(int64_t size, float *values) {
    for (int64_t i = 0; i < size; i++) values[i] = values[i] > 0 ? values[i] : SLOPE * values[i];
}

static void chunk_forward(const nets *n, int64_t e, int64_t row, int64_t count, const float *weight,
                          const float *offset, float *chunk, float *outputs) {
    const float *below = inputs_of(n, e, row);
    int64_t below_row = n->widths[0];
    for (int64_t l = 0; l < n->layers; l++) {
        int64_t width = n->widths[l + 1], room_for = stride(n, l + 1), is_last = l + 1 == n->layers;
        float *to = is_last ? chunk + CHUNK * outputs_at(n, l) : hidden_of(n, e, l, row, chunk);
        for (int64_t i = 0; i < count; i++)
            widen(1, width, l ? bias_of(n, e, l) : start_of(n, e, row + i), room_for, to + i * room_for);
        for (int64_t i = 0; !l && n->scale && i < count; i++) add(width, offset, to + i * room_for);
        multiply(count, room_for, n->widths[l], below, below_row, 1, weight, room_for, to, room_for);
        if (is_last)
            widen(count, room_for, to, width, outputs + (e * rows_of(n) + row) * width);
        else
            activate(count * room_for, to);
        weight += n->widths[l] * room_for, below = to, below_row = room_for;
    }
}

// outputs (E, S R, the last width)
void leaky_network_forward(int64_t networks, int64_t sources, int64_t groups, int64_t repeats, int64_t layers,
                           const int64_t *widths, const int64_t *turned, const float *inputs, const float *start,
                           const float *scale, const float *shift, const float *const *parameters, float *kept,
                           float *outputs, int64_t threads) {
    const nets n = {networks, sources, groups, repeats, layers,     widths, turned,
                    inputs,   start,   scale,  shift,   parameters, kept};
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t thread = 0; thread < threads; thread++) {
        const share s = share_of(&n, thread, threads);
        float *weights = room(weights_size(&n, 0)), *offset = room(stride(&n, 1));
        float *chunk = room(CHUNK * outputs_at(&n, layers));
        for (int64_t e = s.first; e < s.last; e++) {
            copy_weights(&n, e, weights, offset);
            for (int64_t row = s.begin; row < s.end; row += CHUNK)
                chunk_forward(&n, e, row, s.end - row < CHUNK ? s.end - row : CHUNK, weights, offset, chunk, outputs);
        }
        free(weights), free(offset), free(chunk);
    }
}

// Of one network, for one part of the rows: gradients of its weights, (in, stride of out), each followed by that of
// the bias, which in the first layer is the sum of the start's.
static int64_t gradients_at(const nets *n, int64_t layer) {
    int64_t at = 0;
    for (int64_t l = 0; l < layer; l++) at += (n->widths[l] + 1) * stride(n, l + 1);
    return at;
}

static void deactivate(int64_t size, const float *outputs, float *gradient) {
    for (int64_t i = 0; i < size; i++) gradient[i] = outputs[i] > 0 ? gradient[i] : SLOPE * gradient[i];
}

// What a chunk is worked in: two gradients of the layers' sums, and the weights by outputs.
typedef struct {
    float *upper, *lower, *weights;
} desk;

static desk open_desk(const nets *n) {
    int64_t widest = 0;
    for (int64_t l = 0; l <= n->layers; l++) widest = stride(n, l) > widest ? stride(n, l) : widest;
    return (desk){room(CHUNK * widest), room(CHUNK * widest), room(weights_size(n, 1))};
}

// The chunk's gradients are added to those of the parameters, `sums`, of the start, and of the inputs of these rows.
static void chunk_backward(const nets *n, int64_t e, int64_t row, int64_t count, const float *of_outputs, desk d,
                           float *sums, float *of_start, float *of_inputs) {
    int64_t last = n->widths[n->layers];
    const float *weight = d.weights;
    widen(count, last, of_outputs + (e * rows_of(n) + row) * last, padded_wide(last), d.upper);
    for (int64_t l = n->layers - 1; l >= 0; l--) {
        int64_t in = n->widths[l], out = n->widths[l + 1], in_row = stride(n, l), out_row = stride(n, l + 1);
        const float *below = l ? hidden_of(n, e, l - 1, row, NULL) : inputs_of(n, e, row);
        float *of_weight = sums + gradients_at(n, l), *of_bias = of_weight + in * out_row;
        for (int64_t i = 0; i < count; i++) add(out_row, d.upper + i * out_row, of_bias);
        for (int64_t i = 0; !l && n->groups > 1 && i < count; i++)
            add(out, d.upper + i * out_row, of_start + (e * n->groups + (row + i) / n->repeats) * out);
        multiply(in, out_row, count, below, 1, l ? in_row : in, d.upper, out_row, of_weight, out_row);
        memset(d.lower, 0, 4 * count * in_row);
        multiply(count, in_row, out, d.upper, out_row, 1, weight, in_row, d.lower, in_row);
        if (l) deactivate(count * in_row, below, d.lower);
        float *swap = d.upper;
        d.upper = d.lower, d.lower = swap, weight += out * in_row;
    }
    for (int64_t i = 0; i < count; i++)
        add(n->widths[0], d.upper + i * stride(n, 0), of_inputs + (row + i) * n->widths[0]);
}

// From the gradients of the first weight, as it was scaled, and of its offset to those of the weight itself, in place,
// and of scale and shift.
static void scale_backward(const nets *n, int64_t e, float *sums, float *of_scale, float *of_shift) {
    int64_t in = n->widths[0], row = stride(n, 1);
    const float *of_offset = sums + in * row;
    float *weight = room(in * row);
    copy_weight(n, e, 0, 0, weight);
    for (int64_t i = 0; i < in; i++) {
        float *of_weight = sums + i * row, scale = n->scale[e * in + i], shift = n->shift[e * in + i];
        of_scale[e * in + i] = dot(row, of_weight, weight + i * row);
        of_shift[e * in + i] = dot(row, of_offset, weight + i * row);
        for (int64_t j = 0; j < row; j++) of_weight[j] = scale * of_weight[j] + shift * of_offset[j];
    }
    free(weight);
}

// The gradients of a network in the places of its parameters.
static void to_parameters(const nets *n, int64_t e, const float *sums, float *of_start, float *const *to) {
    for (int64_t l = 0; l < n->layers; l++) {
        int64_t in = n->widths[l], out = n->widths[l + 1], row = stride(n, l + 1);
        const float *of_weight = sums + gradients_at(n, l);
        if (n->turned[l])
            transpose(in, out, of_weight, row, to[l] + e * in * out, in);
        else
            widen(in, row, of_weight, out, to[l] + e * in * out);
        if (l || n->groups == 1)
            memcpy((l ? to[n->layers + l - 1] : of_start) + e * out, of_weight + in * row, 4 * out);
    }
}

// What a thread does: `of_inputs` and `sums`, of each network, are the thread's own for its rows.
static void share_backward(const nets *n, share s, const float *of_outputs, float *of_inputs, float *of_start,
                           float *sums) {
    const desk d = open_desk(n);
    int64_t size = gradients_at(n, n->layers);
    for (int64_t e = s.first; e < s.last; e++) {
        memset(sums + e * size, 0, 4 * size);
        copy_transposes(n, e, d.weights);
        float *inputs = of_inputs + (n->sources > 1 ? e * rows_of(n) * n->widths[0] : 0);
        for (int64_t row = s.begin; row < s.end; row += CHUNK)
            chunk_backward(n, e, row, s.end - row < CHUNK ? s.end - row : CHUNK, of_outputs, d, sums + e * size,
                           of_start, inputs);
    }
    free(d.upper), free(d.lower), free(d.weights);
}

// to (size,) += the `count` of `others`, by one thread of several.
static void add_all(int64_t size, int64_t count, const float *others, float *to, int64_t thread, int64_t threads) {
    int64_t begin = size * thread / threads, end = size * (thread + 1) / threads;
    for (int64_t i = 0; i < count; i++) add(end - begin, others + i * size + begin, to + begin);
}

// of_inputs and of_start come as zeros.
void leaky_network_backward(int64_t networks, int64_t sources, int64_t groups, int64_t repeats, int64_t layers,
                            const int64_t *widths, const int64_t *turned, const float *inputs, const float *start,
                            const float *scale, const float *shift, const float *const *parameters, float *kept,
                            const float *of_outputs, float *of_inputs, float *of_start, float *of_scale,
                            float *of_shift, float *const *of_parameters, int64_t threads) {
    const nets n = {networks, sources, groups, repeats, layers,     widths, turned,
                    inputs,   start,   scale,  shift,   parameters, kept};
    int64_t size = gradients_at(&n, layers), teams = teams_of(&n, threads), parts = threads / teams;
    int64_t all_sums = networks * size, all_inputs = rows_of(&n) * widths[0];
    int64_t slabs = sources == 1 ? teams - 1 : 0; // where teams would add to the same
    float *sums = room(parts * all_sums), *others = zeros(slabs * all_inputs);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static, 1)
        for (int64_t thread = 0; thread < threads; thread++) {
            const share s = share_of(&n, thread, threads);
            share_backward(&n, s, of_outputs, s.team && slabs ? others + (s.team - 1) * all_inputs : of_inputs,
                           of_start, sums + s.part * all_sums);
        }
#pragma omp for schedule(static, 1)
        for (int64_t thread = 0; thread < threads; thread++) {
            add_all(all_sums, parts - 1, sums + all_sums, sums, thread, threads);
            add_all(all_inputs, slabs, others, of_inputs, thread, threads);
        }
#pragma omp for schedule(static)
        for (int64_t e = 0; e < networks; e++) {
            if (scale) scale_backward(&n, e, sums + e * size, of_scale, of_shift);
            to_parameters(&n, e, sums + e * size, of_start, of_parameters);
        }
    }
    free(sums), free(others);
}
