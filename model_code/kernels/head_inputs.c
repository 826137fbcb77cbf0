// What a head reads of a candidate q and a history: [q | s | q s | others], with s the mean of the history.

#include "calls.h"
#include "common.h"

#define MANY 100000 // numbers from which a thread is worth waking

typedef struct {
    int64_t groups, candidates, slots, width; // B, C, L and d
    const int64_t *lengths;                   // (B,) valid slots, which come first
    const float *queries;                     // (B, C, d)
    int64_t others;
    const int64_t *other_rows, *other_widths; // (others,): a row for each candidate, or 1 for all of a group
    float *summaries;                         // (B, d)
    int64_t total;                            // width of a result
} inputs;

// What each valid slot has of the mean; the mean of nothing is 0.
static float share_of(const inputs *n, int64_t group) {
    return 1.0f / (float)(n->lengths[group] > 1 ? n->lengths[group] : 1);
}

static void summarise(const inputs *n, int64_t group, const float *history) {
    int64_t d = n->width;
    float *restrict summary = n->summaries + group * d, share = share_of(n, group);
    memset(summary, 0, 4 * d);
    for (int64_t l = 0; l < n->lengths[group]; l++) add(d, history + (group * n->slots + l) * d, summary);
    for (int64_t k = 0; k < d; k++) summary[k] *= share;
}

static int64_t threads_for(const inputs *n, int64_t threads) {
    return n->groups * n->candidates * n->total < MANY * threads ? 1 : threads;
}

static inputs inputs_of(int64_t groups, int64_t candidates, int64_t slots, int64_t width, const int64_t *lengths,
                        const float *queries, int64_t others, const int64_t *other_rows, const int64_t *other_widths,
                        float *summaries) {
    inputs n = {groups, candidates, slots, width, lengths, queries, others, other_rows, other_widths, summaries, 3 * width};
    for (int64_t o = 0; o < others; o++) n.total += other_widths[o];
    return n;
}

// The row of one of the others that a candidate of a group reads.
static int64_t other_at(const inputs *n, int64_t other, int64_t group, int64_t candidate) {
    return (n->other_rows[other] == 1 ? group : group * n->candidates + candidate) * n->other_widths[other];
}

// result (B, C, total)
void head_inputs_forward(int64_t groups, int64_t candidates, int64_t slots, int64_t width, const int64_t *lengths,
                         const float *queries, int64_t others, const int64_t *other_rows, const int64_t *other_widths,
                         float *summaries, const float *history, const float *const *other, float *result,
                         int64_t threads) {
    const inputs n = inputs_of(groups, candidates, slots, width, lengths, queries, others, other_rows, other_widths, summaries);
#pragma omp parallel for num_threads(threads_for(&n, threads)) schedule(static)
    for (int64_t b = 0; b < groups; b++) {
        summarise(&n, b, history);
        const float *restrict summary = summaries + b * width;
        for (int64_t c = 0; c < candidates; c++) {
            const float *restrict query = queries + (b * candidates + c) * width;
            float *restrict to = result + (b * candidates + c) * n.total;
            memcpy(to, query, 4 * width);
            memcpy(to + width, summary, 4 * width);
            for (int64_t k = 0; k < width; k++) to[2 * width + k] = query[k] * summary[k];
            to += 3 * width;
            for (int64_t o = 0; o < others; to += other_widths[o++])
                memcpy(to, other[o] + other_at(&n, o, b, c), 4 * other_widths[o]);
        }
    }
}

// Of the history each valid slot has the same gradient: that of the mean, divided among them.
static void history_backward(const inputs *n, int64_t group, const float *of_summary, float *of_history) {
    int64_t d = n->width;
    float share = share_of(n, group);
    for (int64_t l = 0; l < n->slots; l++) {
        float *restrict to = of_history + (group * n->slots + l) * d, part = l < n->lengths[group] ? share : 0;
        for (int64_t k = 0; k < d; k++) to[k] = part * of_summary[k];
    }
}

static void group_backward(const inputs *n, int64_t group, const float *of_result, float *of_queries,
                           float *of_summary, float *const *of_other) {
    int64_t d = n->width;
    const float *restrict summary = n->summaries + group * d;
    memset(of_summary, 0, 4 * d);
    for (int64_t o = 0; o < n->others; o++)
        if (n->other_rows[o] == 1) memset(of_other[o] + group * n->other_widths[o], 0, 4 * n->other_widths[o]);
    for (int64_t c = 0; c < n->candidates; c++) {
        int64_t pair = group * n->candidates + c;
        const float *restrict query = n->queries + pair * d, *restrict from = of_result + pair * n->total;
        float *restrict of_query = of_queries + pair * d, *restrict sum = of_summary;
        for (int64_t k = 0; k < d; k++) {
            of_query[k] = from[k] + from[2 * d + k] * summary[k];
            sum[k] += from[d + k] + from[2 * d + k] * query[k];
        }
        from += 3 * d;
        for (int64_t o = 0; o < n->others; from += n->other_widths[o++]) {
            float *to = of_other[o] + other_at(n, o, group, c);
            if (n->other_rows[o] == 1)
                add(n->other_widths[o], from, to);
            else
                memcpy(to, from, 4 * n->other_widths[o]);
        }
    }
}

void head_inputs_backward(int64_t groups, int64_t candidates, int64_t slots, int64_t width, const int64_t *lengths,
                          const float *queries, int64_t others, const int64_t *other_rows, const int64_t *other_widths,
                          float *summaries, const float *of_result, float *of_queries, float *of_history,
                          float *const *of_other, int64_t threads) {
    const inputs n = inputs_of(groups, candidates, slots, width, lengths, queries, others, other_rows, other_widths, summaries);
#pragma omp parallel for num_threads(threads_for(&n, threads)) schedule(static)
    for (int64_t b = 0; b < groups; b++) {
        float *of_summary = room(width);
        group_backward(&n, b, of_result, of_queries, of_summary, of_other);
        history_backward(&n, b, of_summary, of_history);
        free(of_summary);
    }
}
