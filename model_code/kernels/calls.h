// Kernels that other kernels call.

#pragma once

#include <stdint.h>

void gather(int64_t tables, const int64_t *sizes, const int64_t *widths, const int64_t *const *places, int64_t first,
            int64_t count, const float *const *values, float *const *results, int64_t *fit, int64_t threads);
void gather_backward(int64_t tables, const int64_t *sizes, const int64_t *widths, const int64_t *const *places,
                     int64_t first, int64_t count, const int64_t *paddings, float *const *of_results,
                     float *const *of_values);
void activation_unit_forward(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths,
                             int64_t layers, const int64_t *widths, const float *const *parameters, const float *queries,
                             const float *history, const float *offsets, int64_t normalise, float *hidden,
                             float *weights, float *interest, int64_t threads);
void activation_unit_backward(int64_t groups, int64_t candidates, int64_t slots, const int64_t *lengths,
                              int64_t layers, const int64_t *widths, const float *const *parameters, const float *queries,
                              const float *history, const float *offsets, int64_t normalise, float *hidden,
                              float *weights, const float *of_interest, const float *of_weights,
                              float *const *of_parameters, float *of_queries, float *of_history, float *of_offsets,
                              int64_t threads);
void head_inputs_forward(int64_t groups, int64_t candidates, int64_t slots, int64_t width, const int64_t *lengths,
                         const float *queries, int64_t others, const int64_t *other_rows, const int64_t *other_widths,
                         float *summaries, const float *history, const float *const *other, float *result,
                         int64_t threads);
void head_inputs_backward(int64_t groups, int64_t candidates, int64_t slots, int64_t width, const int64_t *lengths,
                          const float *queries, int64_t others, const int64_t *other_rows, const int64_t *other_widths,
                          float *summaries, const float *of_result, float *of_queries, float *of_history,
                          float *const *of_other, int64_t threads);
void prediction_head_forward(int64_t rows, int64_t layers, const int64_t *widths, const float *inputs,
                             const float *const *parameters, float *kept, float *const *moments, float epsilon,
                             float momentum, float *logits, int64_t threads);
void prediction_head_backward(int64_t rows, int64_t layers, const int64_t *widths, const float *inputs,
                              const float *const *parameters, float *kept, const float *of_logits,
                              float *const *of_parameters, float *of_inputs, int64_t threads);
void cross_entropy(int64_t rows, int64_t columns, const float *logits, float *loss, float *gradient);
