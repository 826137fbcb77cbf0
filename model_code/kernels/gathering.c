// Rows of tables, gathered side by side, and the sums of what comes back for each row.

#include "calls.h"
#include "common.h"

#define MANY 4096 // rows from which threads are worth waking

// What both kernels are called with: `tables` tables, (sizes[t], widths[t]) each, and `count` places in each; the
// first `first` results are in one tensor, the others in a second one.
typedef struct {
    int64_t tables;
    const int64_t *sizes, *widths;
    const int64_t *const *places;
    int64_t first, count, width; // width: of a result, all tables together
} job;

static job job_of(int64_t tables, const int64_t *sizes, const int64_t *widths, const int64_t *const *places,
                  int64_t first, int64_t count) {
    job j = {tables, sizes, widths, places, first, count, 0};
    for (int64_t t = 0; t < tables; t++) j.width += widths[t];
    return j;
}

// Where the result i has its part of a table, in one of the two tensors.
static float *result_at(const job *j, float *const *results, int64_t i, int64_t part) {
    return (i < j->first ? results[0] + i * j->width : results[1] + (i - j->first) * j->width) + part;
}

static int in_range(const job *j) {
    for (int64_t t = 0; t < j->tables; t++)
        for (int64_t i = 0; i < j->count; i++)
            if (j->places[t][i] < 0 || j->places[t][i] >= j->sizes[t]) return 0;
    return 1;
}

// results (first, width) and (count - first, width). Tells in `fit` whether all places are in the tables; if not,
// nothing is read.
void gather(int64_t tables, const int64_t *sizes, const int64_t *widths, const int64_t *const *places, int64_t first,
            int64_t count, const float *const *values, float *const *results, int64_t *fit, int64_t threads) {
    const job j = job_of(tables, sizes, widths, places, first, count);
    if (!(*fit = in_range(&j))) return;
#pragma omp parallel for num_threads(threads) schedule(static) if (count >= MANY)
    for (int64_t i = 0; i < count; i++)
        for (int64_t t = 0, part = 0; t < tables; part += widths[t++])
            memcpy(result_at(&j, results, i, part), values[t] + places[t][i] * widths[t], 4 * widths[t]);
}

// Gradients of the tables from those of the results. That of the row `paddings[t]` is zero, if there is one.
void gather_backward(int64_t tables, const int64_t *sizes, const int64_t *widths, const int64_t *const *places,
                     int64_t first, int64_t count, const int64_t *paddings, float *const *of_results,
                     float *const *of_values) {
    const job j = job_of(tables, sizes, widths, places, first, count);
    for (int64_t t = 0, part = 0; t < tables; part += widths[t++]) {
        const int64_t width = widths[t];
        memset(of_values[t], 0, 4 * sizes[t] * width);
        for (int64_t i = 0; i < count; i++) {
            if (places[t][i] == paddings[t]) continue;
            const float *restrict from = result_at(&j, of_results, i, part);
            float *restrict to = of_values[t] + places[t][i] * width;
            for (int64_t k = 0; k < width; k++) to[k] += from[k];
        }
    }
}
