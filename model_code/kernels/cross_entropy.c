// The cross-entropy of logits whose first column is positive and whose others are negative, and its gradient.

#include "calls.h"
#include "common.h"

// loss (1,): the mean over all logits (rows, columns); gradient: of it.
void cross_entropy(int64_t rows, int64_t columns, const float *logits, float *loss, float *gradient) {
    double sum = 0, share = 1.0 / (double)(rows * columns);
    for (int64_t i = 0; i < rows * columns; i++) {
        int positive = i % columns == 0;
        float x = logits[i], small = expf(-fabsf(x)), gate = (x < 0 ? small : 1.0f) / (1.0f + small);
        sum += (positive ? -x : x) * 0.5f + fabsf(x) * 0.5f + log1pf(small); // log(1 + exp(-x)), or of x
        gradient[i] = (gate - (float)positive) * (float)share;
    }
    *loss = (float)(sum * share);
}
