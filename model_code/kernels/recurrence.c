// The recurrence of GRU and AUGRU; the formula is in layers/recurrence.py.
//
// The C candidates of a group go through its n events together: a step is a product of their states with one matrix.
// States are (B, L + 1, C, d), first the zeros before the first event. Widths are multiples of LANES.

#include "common.h"

typedef struct {
    int64_t groups, slots, first, candidates, width; // B, L, slot of the first state wanted, C, d
    float offset;
    const int64_t *lengths; // (B,) events of each history
    const float *shares;    // (B, L, 3 d), of the inputs in reset, update and candidate state
    const float *weight;    // (3 d, d)
    const float *slope;     // (B, C, L)
} Job;

// What a step leaves for the way back: reset, update, what the reset gate multiplies, and the candidate state, of each
// candidate (C, 4 d).
INLINE void step(const Job *job, const float *share, const float *slope, const float *before, float *gates,
                 float *after) {
    const int64_t d = job->width;
    for (int64_t j = 0; j < d; j += LANES) {
        const lanes reset = sigmoid(load(share + j) + load(gates + j));
        const lanes update = sigmoid(load(share + d + j) + load(gates + d + j));
        const lanes new = 2.0f * sigmoid(2.0f * (load(share + 2 * d + j) + reset * load(gates + 2 * d + j))) - 1.0f;
        const lanes state = load(before + j);
        store(gates + j, reset), store(gates + d + j, update), store(gates + 3 * d + j, new);
        store(after + j, state + (job->offset + *slope * update) * (new - state));
    }
}

// `turned` is the weight as (d, 3 d); `apart` how far the gates of one event are from those of the next.
static void group_forward(const Job *job, int64_t group, const float *turned, int64_t apart, float *gates,
                          float *states) {
    const int64_t d = job->width, count = job->candidates, size = count * d;
    memset(states, 0, sizeof(float) * size);
    for (int64_t t = 0; t < job->lengths[group]; t++, states += size, gates += apart) {
        memset(gates, 0, sizeof(float) * 4 * size);
        multiply(count, 3 * d, d, states, d, 1, turned, 3 * d, gates, 4 * d);
        for (int64_t c = 0; c < count; c++)
            step(job, job->shares + (group * job->slots + t) * 3 * d, job->slope + (group * count + c) * job->slots + t,
                 states + c * d, gates + c * 4 * d, states + size + c * d);
    }
    for (int64_t t = job->lengths[group]; t < job->slots; t++, states += size)
        memcpy(states + size, states, sizeof(float) * size);
}

void recurrence(int64_t threads, int64_t groups, int64_t slots, int64_t first, int64_t candidates, int64_t width,
                float offset, const int64_t *lengths, const float *shares, const float *weight, const float *slope,
                int64_t kept, float *gates, float *states) {
    const Job job = {groups, slots, first, candidates, width, offset, lengths, shares, weight, slope};
    const int64_t size = candidates * width;
    float *turned = room(3 * width * width);
    transpose(3 * width, width, weight, width, turned, 3 * width);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        const int64_t end = part_begin(lengths, groups, part + 1, threads);
        for (int64_t b = part_begin(lengths, groups, part, threads); b < end; b++)
            group_forward(&job, b, turned, kept ? 4 * size : 0, gates + (kept ? b * slots : part) * 4 * size,
                          states + b * (slots + 1) * size);
    }
    free(turned);
}

// From the gradient of the state after a step, in `upper`, to what the step passes on of it by itself, there too, and
// the gradients of the products with the weight (3 d,), of the shares (added) and of the slope, which is returned.
INLINE float step_backward(const Job *job, float slope, const float *before, const float *gates, float *upper,
                           float *of_products, float *of_share) {
    const int64_t d = job->width;
    lanes of_slope = {};
    for (int64_t j = 0; j < d; j += LANES) {
        const lanes reset = load(gates + j), update = load(gates + d + j), new = load(gates + 3 * d + j);
        const lanes above = load(upper + j), rate = job->offset + slope * update;
        const lanes of_rate = above * (new - load(before + j)), of_new = above * rate * (1.0f - new * new);
        const lanes of_reset = of_new * load(gates + 2 * d + j) * (reset - reset * reset);
        const lanes of_update = of_rate * slope * (update - update * update);
        of_slope += of_rate * update;
        store(upper + j, above - above * rate);
        store(of_products + j, of_reset);
        store(of_products + d + j, of_update);
        store(of_products + 2 * d + j, of_new * reset);
        store(of_share + j, load(of_share + j) + of_reset);
        store(of_share + d + j, load(of_share + d + j) + of_update);
        store(of_share + 2 * d + j, load(of_share + 2 * d + j) + of_new);
    }
    return total(of_slope);
}

// `of_states` (L - first, C, d); `scratch` has room for (1 + 3 L, C, d).
static void group_backward(const Job *job, int64_t group, const float *gates, const float *states,
                           const float *of_states, float *scratch, float *of_shares, float *of_weight,
                           float *of_slope) {
    const int64_t d = job->width, count = job->candidates, size = count * d, n = job->lengths[group];
    const int64_t at = group * job->slots;
    float *upper = scratch, *of_products = scratch + size;
    memset(upper, 0, sizeof(float) * size);
    for (int64_t t = job->slots - 1; t >= 0; t--) {
        if (t >= job->first) add(size, of_states + (t - job->first) * size, upper);
        if (t >= n) continue;
        float *of_product = of_products + 3 * t * size;
        for (int64_t c = 0; c < count; c++) {
            const int64_t pair = (group * count + c) * job->slots + t;
            of_slope[pair] =
                step_backward(job, job->slope[pair], states + t * size + c * d, gates + 4 * (t * size + c * d),
                              upper + c * d, of_product + 3 * c * d, of_shares + (at + t) * 3 * d);
        }
        multiply(count, d, 3 * d, of_product, 3 * d, 1, job->weight, d, upper, d);
    }
    multiply(3 * d, d, n * count, of_products, 1, 3 * d, states, d, of_weight, d);
}

// Gradients come as zeros; of_weight has a leading axis, the threads.
void recurrence_backward(int64_t threads, int64_t groups, int64_t slots, int64_t first, int64_t candidates,
                         int64_t width, float offset, const int64_t *lengths, const float *shares, const float *weight,
                         const float *slope, const float *gates, const float *states, const float *of_states,
                         float *of_shares, float *of_weight, float *of_slope) {
    const Job job = {groups, slots, first, candidates, width, offset, lengths, shares, weight, slope};
    const int64_t size = candidates * width;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        const int64_t end = part_begin(lengths, groups, part + 1, threads);
        float *scratch = room((1 + 3 * slots) * size);
        for (int64_t b = part_begin(lengths, groups, part, threads); b < end; b++)
            group_backward(&job, b, gates + b * slots * 4 * size, states + b * (slots + 1) * size,
                           of_states + b * (slots - first) * size, scratch, of_shares,
                           of_weight + part * 3 * width * width, of_slope);
        free(scratch);
    }
}
