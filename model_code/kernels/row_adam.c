// Row-wise Adam; the formulas and the names are those of model_code/training/row_adam.py.

#include "common.h"

#define BETA_1 0.9
#define BETA_2 0.999
#define EPSILON 1e-8f
#define TINY 1e-30f
#define SETTLED (1 << 14)
#define AHEAD 8    // rows fetched from memory before their turn
#define MANY 4096  // rows from which threads are worth waking

// What the arguments that end the kernels of a table hold.
typedef struct {
    float *weight, *moments;
    int32_t *last;
    const float *tails, *powers;
    int64_t width, done;  // done: t
    float rate;
} Table;

// What the steps that a row has missed make of it: m and v times these, S and T.
typedef struct {
    float first, second, value, slope;
} Missed;

INLINE Missed missed_by(const Table *table, int64_t row) {
    int64_t last = table->last[row], now = table->done, missed = now - last;
    if (missed <= 0) return (Missed){1, 1, 0, 0};
    const float *values = table->tails, *slopes = values + SETTLED + 1;
    int64_t from = last < SETTLED ? last : SETTLED, to = now < SETTLED ? now : SETTLED;
    // Where the powers end, all are 0 but those of beta_2.
    const float *power = table->powers + 4 * (missed < SETTLED ? missed : SETTLED);
    float second = missed > SETTLED ? (float)exp(missed * log(BETA_2)) : power[1];
    return (Missed){power[0], second, values[from] - power[2] * values[to], slopes[from] - power[3] * slopes[to]};
}

INLINE float caught_up(const Table *table, Missed missed, float weight, float first, float second) {
    float denominator = sqrtf(second) * missed.value + EPSILON * missed.slope + TINY;
    return weight - table->rate * first * (missed.value * missed.value) / denominator;
}

INLINE void fetch(const Table *table, int64_t row) {
    __builtin_prefetch(table->last + row);
    for (int64_t i = 0; i < table->width; i += 16) __builtin_prefetch(table->weight + row * table->width + i);
    for (int64_t i = 0; i < 2 * table->width; i += 16) __builtin_prefetch(table->moments + 2 * row * table->width + i);
}

// Numbers `count` ids by first occurrence: rows (number), place (count). Returns number, or -1 where an id is not
// one of a table of `size` rows. `seen` (size) is scratch: an id is known if it stands where `seen` says, whatever
// an earlier call left there, so that nothing has to be cleared.
static int64_t distinct(const int64_t *ids, int64_t count, int64_t size, int32_t *seen, int64_t *rows,
                        int64_t *place) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= size) return -1;
    for (int64_t i = 0; i < count; i++) {
        if (i + 2 * AHEAD < count) __builtin_prefetch(seen + ids[i + 2 * AHEAD]);
        int64_t id = ids[i], at = seen[id];
        int64_t known = at < found && rows[at] == id;
        at = known ? at : found;
        rows[at] = id, seen[id] = at, place[i] = at;
        found += !known;
    }
    return found;
}

// to (number, width): sums of the vectors (count, width) with the same place.
void sum_by_place(const float *vectors, const int64_t *place, int64_t count, int64_t number, int64_t width,
                  float *to) {
    memset(to, 0, number * width * sizeof *to);
    for (int64_t i = 0; i < count; i++) {
        const float *restrict vector = vectors + i * width;
        float *restrict sum = to + place[i] * width;
        for (int64_t j = 0; j < width; j++) sum[j] += vector[j];
    }
}

// Tells what `distinct` does, and in values (number, width) the vectors of the rows after step t; the table stays as it
// is. Where the number is -1, nothing is read.
void row_adam_read(const int64_t *ids, int64_t count, int64_t size, int32_t *seen, int64_t *rows, int64_t *place,
                   int64_t *number, float *values, int64_t threads, float *weight, float *moments, int32_t *last,
                   const float *tails, const float *powers, int64_t width, int64_t done, float rate) {
    const Table table = {weight, moments, last, tails, powers, width, done, rate};
    const int64_t found = *number = distinct(ids, count, size, seen, rows, place);
#pragma omp parallel for schedule(static) num_threads(threads) if (found >= MANY)
    for (int64_t i = 0; i < found; i++) {
        if (i + AHEAD < found) fetch(&table, rows[i + AHEAD]);
        Missed missed = missed_by(&table, rows[i]);
        const float *old = weight + rows[i] * width, *m = moments + 2 * rows[i] * width, *v = m + width;
        float *restrict to = values + i * width;
        for (int64_t j = 0; j < width; j++) to[j] = caught_up(&table, missed, old[j], m[j], v[j]);
    }
}

// Step t + 1 for distinct rows with gradient (number, width). `step_rate` and `correction` are what the
// corrections of the step multiply m and the root of v by.
void row_adam_step(const int64_t *rows, int64_t number, const float *gradient, int64_t padding, float step_rate,
                   float correction, int64_t threads, float *weight, float *moments, int32_t *last,
                   const float *tails, const float *powers, int64_t width, int64_t done, float rate) {
    const Table table = {weight, moments, last, tails, powers, width, done, rate};
#pragma omp parallel for schedule(static) num_threads(threads) if (number >= MANY)
    for (int64_t i = 0; i < number; i++) {
        int64_t row = rows[i];
        if (i + AHEAD < number) fetch(&table, rows[i + AHEAD]);
        Missed missed = missed_by(&table, row);
        float *restrict w = weight + row * width, *restrict m = moments + 2 * row * width, *restrict v = m + width;
        float asked = row != padding;
        for (int64_t j = 0; j < width; j++) {
            float g = asked * gradient[i * width + j];
            float current = caught_up(&table, missed, w[j], m[j], v[j]);
            float first = m[j] * missed.first, second = v[j] * missed.second;
            first += (g - first) * (float)(1 - BETA_1);
            second += (g * g - second) * (float)(1 - BETA_2);
            w[j] = current - step_rate * first / (sqrtf(second) * correction + EPSILON);
            m[j] = first, v[j] = second;
        }
        last[row] = done + 1;
    }
}

// Brings the rows 0 to `number` up to date.
void row_adam_flush(int64_t number, int64_t threads, float *weight, float *moments, int32_t *last,
                    const float *tails, const float *powers, int64_t width, int64_t done, float rate) {
    const Table table = {weight, moments, last, tails, powers, width, done, rate};
#pragma omp parallel for schedule(static) num_threads(threads) if (number >= MANY)
    for (int64_t row = 0; row < number; row++) {
        Missed missed = missed_by(&table, row);
        float *restrict w = weight + row * width, *restrict m = moments + 2 * row * width, *restrict v = m + width;
        for (int64_t j = 0; j < width; j++) {
            w[j] = caught_up(&table, missed, w[j], m[j], v[j]);
            m[j] *= missed.first, v[j] *= missed.second;
        }
        last[row] = done;
    }
}
