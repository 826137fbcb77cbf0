// Interests of a user with respect to candidates (Eq. 13); the formula is in layers/interest_extraction.py.
//
// For a view and a group of n events, C candidates, K interests, width d:
//   hidden[i, c, k] = LeakyReLU(A_k node_i + B_k candidate_c + b_k)          (d wide, never kept)
//   alpha[c, k, :] = softmax over i of w_k . hidden[i, c, k]
//   v[c, k] = sum over i of alpha[c, k, i] node_i

#include "common.h"

typedef struct {
    int64_t slots, candidates, interests, width;
    const float *candidate;     // (B, C, d)
    const float *hidden;        // (K d, 2 d), [A | B]
    const float *bias, *score;  // (K d)
    float slope;
} Job;

typedef struct {
    float *transposed;  // the nodes (d, P), P being n in whole lanes
    float *position;    // A node: (K d, P) forward, (n, K d) backward
    float *candidate;   // B candidate + b (C, K d)
    float *of_node;     // A transposed (d, K d)
    float *of_candidate;  // B transposed (d, K d)
    float *weights;     // scores, or their gradients (C K, P)
    float *of_position, *of_shares;  // gradients of position (n, K d) and candidate (C, K d)
} Scratch;

static Scratch scratch(const Job *job) {
    const int64_t d = job->width, kd = job->interests * d, slots = padded(job->slots), pairs = job->candidates * kd;
    Scratch s = {zeros(d * slots),  zeros(kd * slots), zeros(pairs), zeros(d * kd), zeros(d * kd),
                 zeros(job->candidates * job->interests * slots), zeros(kd * slots), zeros(pairs)};
    transpose(kd, d, job->hidden, 2 * d, s.of_node, kd);
    transpose(kd, d, job->hidden + d, 2 * d, s.of_candidate, kd);
    return s;
}

static void release(Scratch s) {
    free(s.transposed), free(s.position), free(s.candidate), free(s.of_node), free(s.of_candidate);
    free(s.weights), free(s.of_position), free(s.of_shares);
}

static void share_candidates(const Job *job, Scratch s, int64_t group) {
    const int64_t d = job->width, kd = job->interests * d;
    for (int64_t c = 0; c < job->candidates; c++) memcpy(s.candidate + c * kd, job->bias, kd * sizeof(float));
    multiply(job->candidates, kd, d, job->candidate + group * job->candidates * d, d, 1, s.of_candidate, kd,
             s.candidate, kd);
}

static void transpose_nodes(const Job *job, Scratch s, const float *nodes, int64_t events) {
    memset(s.transposed, 0, job->width * padded(events) * sizeof(float));
    transpose(events, job->width, nodes, job->width, s.transposed, padded(events));
}

// Scores of `LANES * wide` events for one candidate and interest.
INLINE void score_events(const int wide, const float *position, int64_t row, const float *candidate,
                         const float *score, int64_t width, float slope, float *to) {
    lanes sum[4] = {};
    for (int64_t m = 0; m < width; m++)
#pragma GCC unroll 4
        for (int w = 0; w < wide; w++) {
            const lanes x = load(position + m * row + w * LANES) + candidate[m];
            sum[w] += score[m] * choose(x > 0, x, x * slope);
        }
#pragma GCC unroll 4
    for (int w = 0; w < wide; w++) store(to + w * LANES, sum[w]);
}

static void extract(const Job *job, Scratch s, const float *nodes, int64_t events, float *alpha, float *vectors) {
    const int64_t d = job->width, pairs = job->candidates * job->interests, row = padded(events);
    transpose_nodes(job, s, nodes, events);
    memset(s.position, 0, job->interests * d * row * sizeof(float));
    multiply(job->interests * d, row, d, job->hidden, 2 * d, 1, s.transposed, row, s.position, row);
    for (int64_t pair = 0; pair < pairs; pair++) {
        const int64_t k = pair % job->interests * d;
        const float *position = s.position + k * row, *candidate = s.candidate + pair / job->interests * job->interests * d + k;
        float *weights = s.weights + pair * row;
        int64_t i = 0;
        for (; i + 4 * LANES <= row; i += 4 * LANES)
            score_events(4, position + i, row, candidate, job->score + k, d, job->slope, weights + i);
        for (; i < row; i += LANES)
            score_events(1, position + i, row, candidate, job->score + k, d, job->slope, weights + i);
        softmax(events, weights);
        memcpy(alpha + pair * job->slots, weights, events * sizeof(float));
    }
    multiply(pairs, d, events, s.weights, row, 1, nodes, d, vectors, d);
}

// alpha (views, B, C K, L) and vectors (views, B, C K, d) come as zeros.
void interest_extraction(int64_t threads, int64_t views, int64_t groups, int64_t slots, int64_t candidates,
                         int64_t interests, int64_t width, float slope, const int64_t *length, const float *nodes,
                         const float *candidate, const float *hidden, const float *bias, const float *score,
                         float *alpha, float *vectors) {
    const Job job = {slots, candidates, interests, width, candidate, hidden, bias, score, slope};
    const int64_t pairs = candidates * interests;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        const int64_t end = part_begin(length, groups, part + 1, threads);
        const Scratch s = scratch(&job);
        for (int64_t b = part_begin(length, groups, part, threads); b < end; b++) {
            if (length[b] == 0) continue;
            share_candidates(&job, s, b);
            for (int64_t view = 0; view < views; view++) {
                const int64_t at = view * groups + b;
                extract(&job, s, nodes + at * slots * width, length[b], alpha + at * pairs * slots,
                        vectors + at * pairs * width);
            }
        }
        release(s);
    }
}

// Gradients through the scores of one pair, LANES of its width at a time.
INLINE void score_backward(const Job *job, int64_t events, const float *position, const float *candidate,
                           const float *score, const float *upper, float *of_position, float *of_candidate,
                           float *of_score) {
    const int64_t row = job->interests * job->width;
    for (int64_t m = 0; m < job->width; m += LANES) {
        const lanes share = load(candidate + m), weight = load(score + m), low = weight * job->slope;
        lanes sum = {}, of_weight = {};
        for (int64_t i = 0; i < events; i++) {
            const lanes x = load(position + i * row + m) + share;
            const lanes gradient = upper[i] * choose(x > 0, weight, low);
            of_weight += upper[i] * choose(x > 0, x, x * job->slope);
            store(of_position + i * row + m, load(of_position + i * row + m) + gradient);
            sum += gradient;
        }
        store(of_candidate + m, load(of_candidate + m) + sum);
        store(of_score + m, load(of_score + m) + of_weight);
    }
}

// From the gradient of vectors (C K, d) to those of nodes (n, d), s.of_shares, hidden's left half, and score.
static void extract_backward(const Job *job, Scratch s, const float *nodes, int64_t events, const float *alpha,
                             const float *upper, float *of_nodes, float *of_hidden, float *of_score) {
    const int64_t d = job->width, kd = job->interests * d, pairs = job->candidates * job->interests;
    const int64_t row = padded(events);
    transpose_nodes(job, s, nodes, events);
    memset(s.position, 0, events * kd * sizeof(float));
    memset(s.of_position, 0, events * kd * sizeof(float));
    memset(s.weights, 0, pairs * row * sizeof(float));
    multiply(events, kd, d, nodes, d, 1, s.of_node, kd, s.position, kd);
    multiply(pairs, row, d, upper, d, 1, s.transposed, row, s.weights, row);
    for (int64_t pair = 0; pair < pairs; pair++) {
        const int64_t k = pair % job->interests * d, c = pair / job->interests * kd + k;
        const float *weight = alpha + pair * job->slots;
        float *gradient = s.weights + pair * row, mean = 0;
        for (int64_t i = 0; i < events; i++) mean += weight[i] * gradient[i];
        for (int64_t i = 0; i < events; i++) gradient[i] = weight[i] * (gradient[i] - mean);
        score_backward(job, events, s.position + k, s.candidate + c, job->score + k, gradient, s.of_position + k,
                       s.of_shares + c, of_score + k);
    }
    multiply(events, d, kd, s.of_position, kd, 1, job->hidden, 2 * d, of_nodes, d);
    multiply(events, d, pairs, alpha, 1, job->slots, upper, d, of_nodes, d);
    multiply(kd, d, events, s.of_position, 1, kd, nodes, d, of_hidden, 2 * d);
}

// All gradients come as zeros; of_hidden, of_bias and of_score have a leading axis, the threads.
void interest_extraction_backward(int64_t threads, int64_t views, int64_t groups, int64_t slots, int64_t candidates,
                                  int64_t interests, int64_t width, float slope, const int64_t *length,
                                  const float *nodes, const float *candidate, const float *hidden, const float *bias,
                                  const float *score, const float *alpha, const float *upper, float *of_nodes,
                                  float *of_candidate, float *of_hidden, float *of_bias, float *of_score) {
    const Job job = {slots, candidates, interests, width, candidate, hidden, bias, score, slope};
    const int64_t pairs = candidates * interests, kd = interests * width;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        const int64_t end = part_begin(length, groups, part + 1, threads);
        const Scratch s = scratch(&job);
        float *of_weights = of_hidden + part * 2 * kd * width, *of_shift = of_bias + part * kd;
        for (int64_t b = part_begin(length, groups, part, threads); b < end; b++) {
            if (length[b] == 0) continue;
            share_candidates(&job, s, b);
            memset(s.of_shares, 0, candidates * kd * sizeof(float));
            for (int64_t view = 0; view < views; view++) {
                const int64_t at = view * groups + b;
                extract_backward(&job, s, nodes + at * slots * width, length[b], alpha + at * pairs * slots,
                                 upper + at * pairs * width, of_nodes + at * slots * width, of_weights,
                                 of_score + part * kd);
            }
            const float *target = candidate + b * candidates * width;
            multiply(candidates, width, kd, s.of_shares, kd, 1, hidden + width, 2 * width,
                     of_candidate + b * candidates * width, width);
            multiply(kd, width, candidates, s.of_shares, 1, kd, target, width, of_weights + width, 2 * width);
            for (int64_t c = 0; c < candidates; c++)
                for (int64_t m = 0; m < kd; m++) of_shift[m] += s.of_shares[c * kd + m];
        }
        release(s);
    }
}
