// Small matrix products: blocks of the result stay in registers while the inner dimension is gone through.

#include "common.h"

#ifdef __AVX512F__
#define ROWS 12 // with 2 vectors a row, what the 32 registers hold beside the operands
#else
#define ROWS 6
#endif

// A vector of the result; of its second half, where `half`, nothing is read or written.
INLINE wide fetch(const float *from, const int half) {
#if WIDE > LANES
    if (half) return __builtin_shufflevector(load(from), (lanes){}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
    return load_wide(from);
}

INLINE void keep(float *to, wide value, const int half) {
#if WIDE > LANES
    if (half) {
        store(to, __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7));
        return;
    }
#endif
    store_wide(to, value);
}

// A block of c += a b: `rows` rows of `vectors` vectors; inlined with constants, the sums are registers.
INLINE void block(const int rows, const int vectors, const int half, int64_t inner, const float *a, int64_t a_row,
                  int64_t a_next, const float *b, int64_t b_row, float *c, int64_t c_row) {
    wide sum[ROWS][2];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int w = 0; w < vectors; w++) sum[i][w] = fetch(c + i * c_row + w * WIDE, half);
    for (int64_t k = 0; k < inner; k++) {
        wide of_b[2];
#pragma GCC unroll 2
        for (int w = 0; w < vectors; w++) of_b[w] = fetch(b + k * b_row + w * WIDE, half);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int w = 0; w < vectors; w++) sum[i][w] += a[i * a_row + k * a_next] * of_b[w];
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int w = 0; w < vectors; w++) keep(c + i * c_row + w * WIDE, sum[i][w], half);
}

// All rows of one or two vectors of columns.
INLINE void column(const int vectors, const int half, int64_t rows, int64_t inner, const float *a, int64_t a_row,
                   int64_t a_next, const float *b, int64_t b_row, float *c, int64_t c_row) {
    for (; rows >= ROWS; rows -= ROWS, a += ROWS * a_row, c += ROWS * c_row)
        block(ROWS, vectors, half, inner, a, a_row, a_next, b, b_row, c, c_row);
#define REST(n) \
    case n: block(n, vectors, half, inner, a, a_row, a_next, b, b_row, c, c_row); break;
    switch (rows) {
        REST(1) REST(2) REST(3) REST(4) REST(5)
#if ROWS > 6
        REST(6) REST(7) REST(8) REST(9) REST(10) REST(11)
#endif
    }
#undef REST
}

void multiply(int64_t rows, int64_t columns, int64_t inner, const float *a, int64_t a_row, int64_t a_next,
              const float *b, int64_t b_row, float *c, int64_t c_row) {
    int64_t j = 0;
    for (; j + 2 * WIDE <= columns; j += 2 * WIDE)
        column(2, 0, rows, inner, a, a_row, a_next, b + j, b_row, c + j, c_row);
    if (j + WIDE <= columns) {
        column(1, 0, rows, inner, a, a_row, a_next, b + j, b_row, c + j, c_row);
        j += WIDE;
    }
#if WIDE > LANES
    if (j + LANES <= columns) {
        column(1, 1, rows, inner, a, a_row, a_next, b + j, b_row, c + j, c_row);
        j += LANES;
    }
#endif
    for (; j < columns; j++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < inner; k++) c[i * c_row + j] += a[i * a_row + k * a_next] * b[k * b_row + j];
}
