// Dice in training: normalisation by the batch's statistics and the gate that it opens, forwards and backwards.
//
// Threads divide the columns, so that each has its statistics to itself.

#include "common.h"

// A strip of `wide` columns, LANES or fewer; inlined with the constant LANES these are plain moves.
INLINE lanes take(const float *from, const int64_t wide) {
    if (wide == LANES) return load(from);
    lanes value = {};
    for (int64_t j = 0; j < wide; j++) value[j] = from[j];
    return value;
}

INLINE void put(float *to, lanes value, const int64_t wide) {
    if (wide == LANES)
        store(to, value);
    else
        for (int64_t j = 0; j < wide; j++) to[j] = value[j];
}

INLINE lanes root(lanes x) {
    for (int i = 0; i < LANES; i++) x[i] = sqrtf(x[i]);
    return x;
}

typedef struct {
    float epsilon, momentum;
    float *mean, *variance; // that are kept for evaluation
} running;

// `statistics` (2, width) receive the mean and 1 / sqrt(variance + epsilon); the variance that is kept is unbiased.
INLINE void strip_forward(int64_t rows, int64_t width, const int64_t wide, running kept, const float *x,
                          const float *alpha, float *statistics, float *gate, float *y) {
    lanes sum = {}, squares = {}, a = take(alpha, wide);
    for (int64_t i = 0; i < rows; i++) sum += take(x + i * width, wide);
    lanes mean = sum / (float)rows;
    for (int64_t i = 0; i < rows; i++) {
        lanes centred = take(x + i * width, wide) - mean;
        squares += centred * centred;
    }
    lanes scale = 1.0f / root(squares / (float)rows + kept.epsilon);
    lanes old_mean = take(kept.mean, wide), old_variance = take(kept.variance, wide);
    put(kept.mean, old_mean + kept.momentum * (mean - old_mean), wide);
    put(kept.variance, old_variance + kept.momentum * (squares / (float)(rows - 1) - old_variance), wide);
    put(statistics, mean, wide);
    put(statistics + width, scale, wide);
    for (int64_t i = 0; i < rows * width; i += width) {
        lanes in = take(x + i, wide), open = sigmoid((in - mean) * scale);
        put(gate + i, open, wide);
        put(y + i, in * (a + open * (1.0f - a)), wide);
    }
}

INLINE void strip_backward(int64_t rows, int64_t width, const int64_t wide, const float *x, const float *alpha,
                           const float *statistics, const float *gate, const float *of_y, float *of_x,
                           float *of_alpha) {
    lanes mean = take(statistics, wide), scale = take(statistics + width, wide), a = take(alpha, wide);
    lanes sum = {}, product = {}, closed = {};
    for (int64_t i = 0; i < rows * width; i += width) {
        lanes in = take(x + i, wide), open = take(gate + i, wide), weighed = take(of_y + i, wide) * in;
        lanes of_normal = weighed * (1.0f - a) * (open - open * open);
        sum += of_normal;
        product += of_normal * (in - mean);
        closed += weighed * (1.0f - open);
        put(of_x + i, of_normal, wide);
    }
    put(of_alpha, closed, wide);
    lanes shift = sum / (float)rows, slope = product * scale * scale / (float)rows;
    for (int64_t i = 0; i < rows * width; i += width) {
        lanes open = take(gate + i, wide), centred = take(x + i, wide) - mean;
        lanes through = scale * (take(of_x + i, wide) - shift - centred * slope);
        put(of_x + i, take(of_y + i, wide) * (a + open * (1.0f - a)) + through, wide);
    }
}

void dice_forward(int64_t rows, int64_t width, float epsilon, float momentum, const float *x, const float *alpha,
                  float *mean, float *variance, float *statistics, float *gate, float *y, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t j = 0; j < width; j += LANES) {
        running kept = {epsilon, momentum, mean + j, variance + j};
        if (j + LANES <= width)
            strip_forward(rows, width, LANES, kept, x + j, alpha + j, statistics + j, gate + j, y + j);
        else
            strip_forward(rows, width, width - j, kept, x + j, alpha + j, statistics + j, gate + j, y + j);
    }
}

void dice_backward(int64_t rows, int64_t width, const float *x, const float *alpha, const float *statistics,
                   const float *gate, const float *of_y, float *of_x, float *of_alpha, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t j = 0; j < width; j += LANES)
        if (j + LANES <= width)
            strip_backward(rows, width, LANES, x + j, alpha + j, statistics + j, gate + j, of_y + j, of_x + j,
                           of_alpha + j);
        else
            strip_backward(rows, width, width - j, x + j, alpha + j, statistics + j, gate + j, of_y + j, of_x + j,
                           of_alpha + j);
}
