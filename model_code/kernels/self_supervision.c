// The symmetric divergence between two views of vectors, each a softmax's, and its gradients.

#include "common.h"

#define MANY 100000 // numbers from which a thread is worth waking

// logs and chances (width, made up with zeros to a multiple of LANES): of the softmax of a vector.
static void log_softmax(int64_t width, const float *vector, float *restrict logs, float *restrict chances) {
    float highest = vector[0];
    for (int64_t k = 1; k < width; k++) highest = vector[k] > highest ? vector[k] : highest;
    lanes sum = {};
    for (int64_t k = 0; k < width; k++) logs[k] = vector[k] - highest;
    for (int64_t k = width; k < padded(width); k++) logs[k] = 0;
    for (int64_t k = 0; k < width; k += LANES) store(chances + k, exponential(load(logs + k)));
    for (int64_t k = width; k < padded(width); k++) chances[k] = 0;
    for (int64_t k = 0; k < width; k += LANES) sum += load(chances + k);
    const float scale = total(sum), shift = logf(scale), share = 1.0f / scale;
    for (int64_t k = 0; k < width; k++) logs[k] -= shift;
    for (int64_t k = 0; k < width; k++) chances[k] *= share;
}

// Twice the divergence of two vectors, and its gradients times `share`. log_p, p, log_q and q: room.
static float divergence(int64_t width, const float *first, const float *second, float share, float *log_p, float *p,
                        float *log_q, float *q, float *of_first, float *of_second) {
    log_softmax(width, first, log_p, p);
    log_softmax(width, second, log_q, q);
    lanes sum = {}, of_p = {}, of_q = {};
    for (int64_t k = 0; k < width; k += LANES) {
        const lanes ahead = load(log_p + k) - load(log_q + k);
        sum += (load(p + k) - load(q + k)) * ahead; // no term below zero: what is close does not cancel
        of_p += load(p + k) * ahead;
        of_q += load(q + k) * ahead;
    }
    const float mean_p = total(of_p), mean_q = total(of_q);
    for (int64_t k = 0; k < width; k++) {
        const float ahead = log_p[k] - log_q[k], more = p[k] - q[k];
        of_first[k] = share * (p[k] * (ahead - mean_p) + more);
        of_second[k] = share * (q[k] * (mean_q - ahead) - more);
    }
    return total(sum);
}

// loss (1,): half the sum over vectors (samples * vectors, width), by samples; of_first, of_second: its gradients.
void self_supervision(int64_t samples, int64_t vectors, int64_t width, const float *first, const float *second,
                      float *loss, float *of_first, float *of_second, int64_t threads) {
    const int64_t rows = samples * vectors, room_each = padded(width);
    const float share = 0.5f / (float)samples;
    float *of_rows = room(rows); // added up in their order, whatever thread each is of
    if (rows * width < MANY * threads) threads = 1;
#pragma omp parallel num_threads(threads)
    {
        float *own = room(4 * room_each);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; i++)
            of_rows[i] = divergence(width, first + i * width, second + i * width, share, own, own + room_each,
                                    own + 2 * room_each, own + 3 * room_each, of_first + i * width, of_second + i * width);
        free(own);
    }
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) sum += of_rows[i];
    *loss = (float)(sum * 0.5 / (double)samples);
    free(of_rows);
}
