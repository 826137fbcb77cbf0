// Adam on whole tensors; the formulas are those of torch.optim.Adam.

#include "common.h"

#define BETA_1 0.9
#define BETA_2 0.999
#define EPSILON 1e-8f

// One step of `count` tensors. `rates` and `corrections` are what m is multiplied by, and the root of v, in the step
// that a tensor is in.
void adam_step(int64_t count, const int64_t *sizes, float *const *weights, const float *const *gradients,
               float *const *moments, float *const *squares, const float *rates, const float *corrections,
               int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; part++)
        for (int64_t t = 0; t < count; t++) {
            float *restrict w = weights[t], *restrict m = moments[t], *restrict v = squares[t];
            const float *restrict g = gradients[t], rate = rates[t], correction = corrections[t];
            for (int64_t i = sizes[t] * part / threads; i < sizes[t] * (part + 1) / threads; i++) {
                m[i] += (g[i] - m[i]) * (float)(1 - BETA_1);
                v[i] += (g[i] * g[i] - v[i]) * (float)(1 - BETA_2);
                w[i] -= rate * m[i] / (sqrtf(v[i]) * correction + EPSILON);
            }
        }
}
