// A layer of attention over the graph of a history (Eq. 6-11); the formula is in layers/dependency_attention.py.
//
// It is read off literally, node by node: the neighbours of a node in a relation are listed, so that the work
// grows with the edges there are. Backward does the forward of a node again rather than keep its weights.

#include "common.h"

#define RELATIONS 4  // incoming, outgoing, similar, itself: those with a list of neighbours come first
#define LISTED 3
#define SHARES 8     // of a node, per head: as centre [0, 3), as neighbour [3, 6), and for Eq. 9
#define NODE_SLOPE 0.2f
#define RELATION_SLOPE 0.01f

typedef struct {
    int64_t slots, heads, head_width, reach;
    const float *projection;   // (d, d), z = projection h
    const float *weights;      // (heads, SHARES, head_width), the last of the SHARES idle
    const float *bias;         // (heads)
    const uint8_t *near;       // (views, B, 2, reach, L)
    const uint8_t *similar;    // (views, B, L, L)
    const uint8_t *itself;     // (views, B, L)
} Job;

typedef struct {
    int64_t count[LISTED];
    int32_t *index[LISTED];   // the neighbours of the node in hand
    float *score[LISTED];     // Eq. 6, before the LeakyReLU
    float *alpha[LISTED];     // Eq. 7
    float *message;           // (RELATIONS, head_width), Eq. 8
    float relation[RELATIONS], beta[RELATIONS];  // Eq. 9 before the LeakyReLU, and 10
    float *z, *of_z;          // (n, d)
    float *shares, *of_shares;  // (heads, n, SHARES)
    float *turned;            // (d, d), the projection transposed
    float *turned_weights;    // (heads, head_width, SHARES)
    float *upper;             // gradient of a message
} Scratch;

static Scratch scratch(const Job *job) {
    const int64_t d = job->heads * job->head_width, slots = padded(job->slots);
    Scratch s = {0};
    for (int r = 0; r < LISTED; r++) {
        s.index[r] = (int32_t *)room(slots);
        s.score[r] = room(slots), s.alpha[r] = room(slots);
    }
    s.message = room(RELATIONS * job->head_width), s.upper = room(job->head_width);
    s.z = room(slots * d), s.of_z = room(slots * d);
    s.shares = room(job->heads * slots * SHARES), s.of_shares = room(job->heads * slots * SHARES);
    s.turned = room(d * d), s.turned_weights = room(d * SHARES);
    transpose(d, d, job->projection, d, s.turned, d);
    for (int64_t h = 0; h < job->heads; h++)
        transpose(SHARES, job->head_width, job->weights + h * SHARES * job->head_width, job->head_width,
                  s.turned_weights + h * SHARES * job->head_width, SHARES);
    return s;
}

static void release(Scratch *s) {
    for (int r = 0; r < LISTED; r++) free(s->index[r]), free(s->score[r]), free(s->alpha[r]);
    free(s->message), free(s->upper), free(s->z), free(s->of_z), free(s->shares), free(s->of_shares);
    free(s->turned), free(s->turned_weights);
}

// z of a history's nodes, and what each contributes to the scores.
static void project(const Job *job, Scratch *s, const float *nodes, int64_t n) {
    const int64_t width = job->head_width, d = job->heads * width;
    memset(s->z, 0, sizeof(float) * n * d);
    memset(s->shares, 0, sizeof(float) * job->heads * n * SHARES);
    multiply(n, d, d, nodes, d, 1, s->turned, d, s->z, d);
    for (int64_t h = 0; h < job->heads; h++)
        multiply(n, SHARES, width, s->z + h * width, d, 1, s->turned_weights + h * width * SHARES, SHARES,
                 s->shares + h * n * SHARES, SHARES);
}

// List the neighbours of node i; `graph` is the view and group. Returns whether the node has its self-connection.
static int list(const Job *job, Scratch *s, int64_t graph, int64_t i, int64_t n) {
    const int64_t slots = job->slots, reach = job->reach;
    for (int side = 0; side < 2; side++) {
        const uint8_t *edge = job->near + (graph * 2 + side) * reach * slots + i;
        s->count[side] = 0;
        for (int64_t o = 0; o < reach; o++)
            if (edge[o * slots]) s->index[side][s->count[side]++] = (int32_t)(side ? i + 1 + o : i - reach + o);
    }
    const uint8_t *edge = job->similar + (graph * slots + i) * slots;
    int64_t count = 0;
    for (int64_t j = 0; j < n; j++) {
        s->index[2][count] = (int32_t)j;
        count += edge[j];
    }
    s->count[2] = count;
    return job->itself[graph * slots + i];
}

// Eq. 6-8 of one relation; z and shares are those of the head.
static void gather_message(const Job *job, Scratch *s, int relation, int64_t i, const float *z, const float *shares) {
    const int64_t count = s->count[relation], width = job->head_width, d = job->heads * width;
    const int32_t *index = s->index[relation];
    float *score = s->score[relation], *alpha = s->alpha[relation], *message = s->message + relation * width;
    memset(message, 0, sizeof(float) * width);
    if (count == 0) return;
    const float own = shares[i * SHARES + relation];
    for (int64_t j = 0; j < count; j++) {
        score[j] = own + shares[index[j] * SHARES + LISTED + relation];
        alpha[j] = score[j] > 0 ? score[j] : NODE_SLOPE * score[j];
    }
    softmax(count, alpha);
    for (int64_t j = 0; j < count; j++)
        for (int64_t k = 0; k < width; k += LANES)
            store(message + k, load(message + k) + alpha[j] * load(z + index[j] * d + k));
}

// Eq. 6-10 of node i in head h.
static void attend(const Job *job, Scratch *s, int64_t i, int64_t h, int itself, const float *z, const float *shares) {
    const int64_t width = job->head_width, d = job->heads * width;
    const float *weight = job->weights + (h * SHARES + 2 * LISTED) * width;
    float score[LANES];
    int64_t count = 0;
    for (int r = 0; r < LISTED; r++) {
        gather_message(job, s, r, i, z, shares);
        s->relation[r] = dot(width, weight, s->message + r * width) + job->bias[h];
    }
    memcpy(s->message + LISTED * width, z + i * d, sizeof(float) * width);
    s->relation[LISTED] = shares[i * SHARES + 2 * LISTED] + job->bias[h];
    for (int r = 0; r < RELATIONS; r++)
        if (r == LISTED ? itself : s->count[r] > 0)
            score[count++] = s->relation[r] > 0 ? s->relation[r] : RELATION_SLOPE * s->relation[r];
    if (count) softmax(count, score);
    count = 0;
    for (int r = 0; r < RELATIONS; r++) s->beta[r] = (r == LISTED ? itself : s->count[r] > 0) ? score[count++] : 0;
}

// refined (views, B, L, d) comes as zeros; nodes are (B, L, d) if the views share them, else (views, B, L, d).
void dependency_attention(int64_t threads, int64_t shared, int64_t views, int64_t groups, int64_t slots,
                          int64_t heads, int64_t head_width, int64_t reach, const int64_t *length,
                          const float *nodes, const float *projection, const float *weights, const float *bias,
                          const uint8_t *near, const uint8_t *similar, const uint8_t *itself, float *refined) {
    const Job job = {slots, heads, head_width, reach, projection, weights, bias, near, similar, itself};
    const int64_t d = heads * head_width;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        const int64_t end = part_begin(length, groups, part + 1, threads);
        Scratch s = scratch(&job);
        for (int64_t b = part_begin(length, groups, part, threads); b < end; b++)
            for (int64_t view = 0; view < views; view++) {
                const int64_t graph = view * groups + b, n = length[b];
                if (!shared || view == 0) project(&job, &s, nodes + graph * slots * d, n);
                for (int64_t i = 0; i < n; i++) {
                    const int own = list(&job, &s, graph, i, n);
                    for (int64_t h = 0; h < heads; h++) {
                        float *to = refined + (graph * slots + i) * d + h * head_width;
                        attend(&job, &s, i, h, own, s.z + h * head_width, s.shares + h * n * SHARES);
                        for (int r = 0; r < RELATIONS; r++)
                            for (int64_t k = 0; k < head_width; k += LANES)
                                store(to + k, load(to + k) + s.beta[r] * load(s.message + r * head_width + k));
                    }
                }
            }
        release(&s);
    }
}

// Gradients through Eq. 6-8 of one relation, from that of the message, s->upper.
static void gather_backward(const Job *job, Scratch *s, int relation, int64_t i, int64_t h, int64_t n) {
    const int64_t count = s->count[relation], width = job->head_width, d = job->heads * width;
    const float *z = s->z + h * width;
    const float *score = s->score[relation], *alpha = s->alpha[relation];
    float *of_z = s->of_z + h * width, *of_shares = s->of_shares + h * n * SHARES, own = 0;
    const float mean = dot(width, s->upper, s->message + relation * width);
    for (int64_t j = 0; j < count; j++) {
        const int64_t node = s->index[relation][j];
        const float upper = alpha[j] * (dot(width, s->upper, z + node * d) - mean);
        const float gradient = score[j] > 0 ? upper : NODE_SLOPE * upper;
        for (int64_t k = 0; k < width; k += LANES)
            store(of_z + node * d + k, load(of_z + node * d + k) + alpha[j] * load(s->upper + k));
        of_shares[node * SHARES + LISTED + relation] += gradient;
        own += gradient;
    }
    of_shares[i * SHARES + relation] += own;
}

// Gradients through Eq. 6-11 of node i in head h, from that of its refined vector.
static void attend_backward(const Job *job, Scratch *s, int64_t i, int64_t h, int64_t n, const float *refined,
                            float *of_weights, float *of_bias) {
    const int64_t width = job->head_width, d = job->heads * width;
    const float *weight = job->weights + (h * SHARES + 2 * LISTED) * width;
    float upper[RELATIONS], mean = 0;
    for (int r = 0; r < RELATIONS; r++) {
        upper[r] = dot(width, refined, s->message + r * width);
        mean += s->beta[r] * upper[r];
    }
    for (int r = 0; r < RELATIONS; r++) {
        if (s->beta[r] == 0) continue;
        const float step = s->beta[r] * (upper[r] - mean) * (s->relation[r] > 0 ? 1 : RELATION_SLOPE);
        of_bias[h] += step;
        for (int64_t k = 0; k < width; k += LANES)
            store(s->upper + k, s->beta[r] * load(refined + k) + (r < LISTED ? step : 0) * load(weight + k));
        if (r == LISTED) {
            add(width, s->upper, s->of_z + i * d + h * width);
            s->of_shares[(h * n + i) * SHARES + 2 * LISTED] += step;
            continue;
        }
        float *of_weight = of_weights + (h * SHARES + 2 * LISTED) * width;
        for (int64_t k = 0; k < width; k += LANES)
            store(of_weight + k, load(of_weight + k) + step * load(s->message + r * width + k));
        gather_backward(job, s, r, i, h, n);
    }
}

// From the gradients of z and the shares to those of nodes, projection and weights.
static void project_backward(const Job *job, Scratch *s, const float *nodes, int64_t n, float *of_nodes,
                             float *of_projection, float *of_weights) {
    const int64_t width = job->head_width, d = job->heads * width;
    for (int64_t h = 0; h < job->heads; h++) {
        const float *weight = job->weights + h * SHARES * width, *of_shares = s->of_shares + h * n * SHARES;
        multiply(SHARES, width, n, of_shares, 1, SHARES, s->z + h * width, d, of_weights + h * SHARES * width, width);
        multiply(n, width, SHARES, of_shares, SHARES, 1, weight, width, s->of_z + h * width, d);
    }
    multiply(n, d, d, s->of_z, d, 1, job->projection, d, of_nodes, d);
    multiply(d, d, n, s->of_z, 1, d, nodes, d, of_projection, d);
}

// All gradients come as zeros; those of projection, weights and bias have a leading axis, the threads.
void dependency_attention_backward(int64_t threads, int64_t shared, int64_t views, int64_t groups, int64_t slots,
                                   int64_t heads, int64_t head_width, int64_t reach, const int64_t *length,
                                   const float *nodes, const float *projection, const float *weights,
                                   const float *bias, const uint8_t *near, const uint8_t *similar,
                                   const uint8_t *itself, const float *upper, float *of_nodes, float *of_projection,
                                   float *of_weights, float *of_bias) {
    const Job job = {slots, heads, head_width, reach, projection, weights, bias, near, similar, itself};
    const int64_t d = heads * head_width;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++) {
        const int64_t end = part_begin(length, groups, part + 1, threads);
        Scratch s = scratch(&job);
        float *projections = of_projection + part * d * d, *shares = of_weights + part * d * SHARES;
        for (int64_t b = part_begin(length, groups, part, threads); b < end; b++)
            for (int64_t view = 0; view < views; view++) {
                const int64_t graph = view * groups + b, n = length[b], at = (shared ? b : graph) * slots * d;
                if (!shared || view == 0) {
                    project(&job, &s, nodes + at, n);
                    memset(s.of_z, 0, sizeof(float) * n * d);
                    memset(s.of_shares, 0, sizeof(float) * heads * n * SHARES);
                }
                for (int64_t i = 0; i < n; i++) {
                    const int own = list(&job, &s, graph, i, n);
                    for (int64_t h = 0; h < heads; h++) {
                        attend(&job, &s, i, h, own, s.z + h * head_width, s.shares + h * n * SHARES);
                        attend_backward(&job, &s, i, h, n, upper + (graph * slots + i) * d + h * head_width, shares,
                                        of_bias + part * heads);
                    }
                }
                if (!shared || view == views - 1)
                    project_backward(&job, &s, nodes + at, n, of_nodes + at, projections, shares);
            }
        release(&s);
    }
}
