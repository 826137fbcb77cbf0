// Building blocks of the kernels: eight float32 at once, or as many as the machine takes, and small matrix products.
//
// Kernels are called with memory that they may write, check nothing, and allocate only scratch.

#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
#define INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t whole __attribute__((vector_size(4 * LANES), aligned(4)));

// The widest vector of the machine, a multiple of LANES.
#ifdef __AVX512F__
#define WIDE 16
#else
#define WIDE LANES
#endif
typedef float wide __attribute__((vector_size(4 * WIDE), aligned(4)));

INLINE lanes load(const float *from) { return *(const lanes *)from; }
INLINE void store(float *to, lanes value) { *(lanes *)to = value; }
INLINE wide load_wide(const float *from) { return *(const wide *)from; }
INLINE void store_wide(float *to, wide value) { *(wide *)to = value; }
INLINE lanes all(float value) { return (lanes){} + value; }
INLINE int64_t padded(int64_t size) { return (size + LANES - 1) / LANES * LANES; }
INLINE int64_t padded_wide(int64_t size) { return (size + WIDE - 1) / WIDE * WIDE; }

INLINE lanes choose(whole condition, lanes yes, lanes no) {
    return (lanes)((condition & (whole)yes) | (~condition & (whole)no));
}

INLINE float total(lanes x) {
    x += __builtin_shuffle(x, (whole){4, 5, 6, 7, 0, 1, 2, 3});
    x += __builtin_shuffle(x, (whole){2, 3, 0, 1, 6, 7, 4, 5});
    return x[0] + x[1];
}

// Scratch whose vectors do not straddle the lines of the cache; free() gives it back.
static inline float *room(int64_t size) {
    float *memory = aligned_alloc(64, (4 * size + 127) / 64 * 64);
    if (!memory) abort(); // there is nothing to go back to from within a team of threads
    return memory;
}

INLINE float total_wide(wide x) {
#if WIDE > LANES
    return total(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                 __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15));
#else
    return total(x);
#endif
}

// Inner product; the size is a multiple of LANES.
static inline float dot(int64_t size, const float *a, const float *b) {
    lanes sum = {};
    for (int64_t i = 0; i < size; i += LANES) sum += load(a + i) * load(b + i);
    return total(sum);
}

static inline void add(int64_t size, const float *from, float *to) {
    for (int64_t i = 0; i < size; i++) to[i] += from[i];
}

// The first group of a part, when histories of these lengths are divided among threads: ranges of groups with about
// as many events each, told from the lengths alone, so that sums by part come out the same in every run. A group
// weighs a little even when it is empty. Part `parts` begins where the last ends.
static inline int64_t part_begin(const int64_t *lengths, int64_t groups, int64_t part, int64_t parts) {
    int64_t work = groups, before = 0, b = 0;
    for (int64_t i = 0; i < groups; i++) work += lengths[i];
    for (; b < groups && (2 * before + lengths[b] + 1) * parts <= 2 * work * part; b++) before += lengths[b] + 1;
    return b;
}

// exp with a relative error of 1e-7, for -87 to 88; beyond, what it is there.
INLINE lanes exponential(lanes x) {
    x = choose(x < -87.0f, all(-87.0f), x);
    x = choose(x > 88.0f, all(88.0f), x);
    lanes shifted = x * 1.44269504f + 12582912.0f; // 1.5 * 2^23: the sum ends in the nearest whole number
    lanes power = shifted - 12582912.0f;
    lanes r = x - power * 0.693359375f + power * 2.12194440e-4f;
    lanes p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (lanes)(((whole)shifted + 127) << 23);
}

INLINE lanes sigmoid(lanes x) { return 1.0f / (1.0f + exponential(-x)); }

#ifdef __AVX512F__
// The same with the instructions that AVX-512 has for it: to limit, to scale by a power of two, and to begin a
// division, which one step of Newton's completes.
INLINE wide sigmoid_wide(wide x) {
    x = (wide)_mm512_max_ps(_mm512_set1_ps(-88.0f), _mm512_min_ps(_mm512_set1_ps(87.0f), (__m512)x)); // NaN stays
    wide power = (wide)_mm512_roundscale_ps((__m512)(x * -1.44269504f), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    wide r = power * 2.12194440e-4f - (x + power * 0.693359375f);
    wide p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    wide sum = (wide)_mm512_scalef_ps((__m512)p, (__m512)power) + 1.0f, near = (wide)_mm512_rcp14_ps((__m512)sum);
    return near * (2.0f - sum * near);
}
#else
INLINE wide sigmoid_wide(wide x) { return sigmoid(x); }
#endif

// c (rows, columns) += a (rows, inner) b (inner, columns), where a[i, k] stands at a[i * a_row + k * a_next].
void multiply(int64_t rows, int64_t columns, int64_t inner, const float *a, int64_t a_row, int64_t a_next,
              const float *b, int64_t b_row, float *c, int64_t c_row);

// Softmax of `count` > 0 values in place; what follows them, up to a multiple of LANES, becomes 0.
static inline void softmax(int64_t count, float *values) {
    float highest = values[0];
    for (int64_t i = 1; i < count; i++) highest = values[i] > highest ? values[i] : highest;
    for (int64_t i = count; i < padded(count); i++) values[i] = -INFINITY;
    lanes sum = {};
    for (int64_t i = 0; i < count; i += LANES) store(values + i, exponential(load(values + i) - highest));
    for (int64_t i = count; i < padded(count); i++) values[i] = 0;
    for (int64_t i = 0; i < count; i += LANES) sum += load(values + i);
    const float scale = 1 / total(sum);
    for (int64_t i = 0; i < count; i += LANES) store(values + i, load(values + i) * scale);
}

// to (columns, to_row) = the transpose of from (rows, from_row). Some rows at a time: both sides stay in the cache.
static inline void transpose(int64_t rows, int64_t columns, const float *from, int64_t from_row, float *to, int64_t to_row) {
    for (int64_t begin = 0; begin < rows; begin += 16) {
        int64_t end = begin + 16 < rows ? begin + 16 : rows;
        for (int64_t j = 0; j < columns; j++)
            for (int64_t i = begin; i < end; i++) to[j * to_row + i] = from[i * from_row + j];
    }
}

// Rows from one width to another; what is new is zero.
static inline void widen(int64_t rows, int64_t width, const float *from, int64_t to_width, float *to) {
    int64_t taken = width < to_width ? width : to_width;
    for (int64_t i = 0; i < rows; i++) {
        memcpy(to + i * to_width, from + i * width, 4 * taken);
        memset(to + i * to_width + taken, 0, 4 * (to_width - taken));
    }
}

static inline float *zeros(int64_t count) {
    return memset(room(count + LANES), 0, sizeof(float) * (count + LANES));
}
