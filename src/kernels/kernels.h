/* SPDX-License-Identifier: MIT */
/* The table of compute kernels for one kind of processor. Selected once, when a context is created. */
#ifndef TGR_KERNELS_KERNELS_H
#define TGR_KERNELS_KERNELS_H

#include <stdint.h>

#include "kernels/gemm.h"
#include "tgrmoe/common.h"

/* Row kernels work on `rows` rows of `columns` floats each, rows packed tightly unless a stride is given. */
typedef struct tgr_kernels {
    const char *name; /* "amx", "avx512", "avx2", "blis", "portable" */
    int (*usable)(void);

    /* One matrix product on the calling thread. `scratch`: TGR_GEMM_SCRATCH floats, 64-byte aligned. */
    void (*gemm)(const tgr_gemm *product, float *scratch);
    /* The same for few columns, where the overhead of `gemm` does not pay. tgr_gemm_serial chooses. */
    void (*gemm_narrow)(const tgr_gemm *product, float *scratch);
    /* The same for operands in TGR_PRECISION_BFLOAT16, and whether this machine can; NULL if there is no such
     * instruction. */
    void (*gemm_bfloat16)(const tgr_gemm *product, float *scratch);
    int (*bfloat16_usable)(void);

    /* LayerNorm: y = (x - mean)·rstd·weight + bias; keeps mean [rows] and rstd [rows] for backward. */
    void (*layer_norm)(int64_t rows, int64_t columns, const float *x, const float *weight, const float *bias,
                       float epsilon, float *y, float *mean, float *rstd);
    /* dx (+= when accumulate) from dy; adds dweight [columns] and dbias [columns] to the given partial sums. */
    void (*layer_norm_backward)(int64_t rows, int64_t columns, const float *x, const float *weight, const float *mean,
                                const float *rstd, const float *dy, int accumulate, float *dx, float *dweight,
                                float *dbias);
    /* GELU with erf: y = x·Φ(x), within 2.5e-7·max(1, |x|). The limits at ±infinity, NaN for NaN. In place allowed
     * (y == x). */
    void (*gelu)(int64_t count, const float *x, float *y);
    /* dx = dy·(Φ(x) + x·φ(x)), the slope within 4.5e-7; and y = gelu(x) recomputed bit for bit, since backward has not
     * kept it. In place allowed (dx == dy, y == x). */
    void (*gelu_backward)(int64_t count, const float *x, const float *dy, float *y, float *dx);
    /* y = softmax(scale·x) by row, log-sum-exp of scale·x into lse [rows] unless NULL. In place allowed. An entry whose
     * scaled value is -infinity gives 0; a row with NaN or +infinity, or with nothing but -infinity, is all NaN. */
    void (*softmax)(int64_t rows, int64_t columns, float scale, const float *x, float *y, float *lse);
    /* y = exp(scale·x - lse[r]): recomputes the same softmax from what was kept, so scale·x must not exceed lse by more
     * than rounding. In place allowed. */
    void (*softmax_from_lse)(int64_t rows, int64_t columns, float scale, const float *x, const float *lse, float *y);
    /* dx = scale·y·(dy - Σ_c y·dy) by row, from y = softmax(scale·x). In place allowed (dx == dy). */
    void (*softmax_backward)(int64_t rows, int64_t columns, float scale, const float *y, const float *dy, float *dx);
    /* y[i] += x[i] */
    void (*add)(int64_t count, const float *x, float *y);
    /* y[r][c] += scale[c]·x[r][c] (LayerScale; scale NULL is one) times row_scale[r] (NULL is one). */
    void (*add_scaled)(int64_t rows, int64_t columns, const float *scale, const float *row_scale, const float *x,
                       float *y);
    /* Backward of add_scaled: dx[r][c] = scale[c]·row_scale[r]·dy[r][c] and
     * dscale[c] += Σ_r row_scale[r]·x[r][c]·dy[r][c]. Without scale, x and dscale are not touched. In place allowed
     * (dx == dy or dx == x). */
    void (*add_scaled_backward)(int64_t rows, int64_t columns, const float *scale, const float *row_scale,
                                const float *x, const float *dy, float *dx, float *dscale);
    /* sum[c] += Σ_r x[r][c], r ascending */
    void (*column_sum)(int64_t rows, int64_t columns, const float *x, float *sum);
    /* Σ x[i]·y[i] */
    float (*dot)(int64_t count, const float *x, const float *y);
    /* y[i] += a·x[i] */
    void (*axpy)(int64_t count, float a, const float *x, float *y);
    /* AdamW with bias corrections already in the step sizes:
     * m = b1·m + (1-b1)·g·s; v = b2·v + (1-b2)·(g·s)²; w -= rate·(m·c1)/(sqrt(v·c2) + eps) + decay·w
     * where s scales the gradient, c1 = 1/(1-b1^t), c2 = 1/(1-b2^t), decay = lr·weight_decay. */
    void (*adamw)(int64_t count, float *w, const float *g, float *m, float *v, float s, float b1, float b2, float c1,
                  float c2, float rate, float eps, float decay);
    /* SGD with momentum: m = mu·m + (g·s + decay·w); w -= rate·m */
    void (*sgd)(int64_t count, float *w, const float *g, float *m, float s, float mu, float rate, float decay);
    /* Σ x² in double, finite exactly if every x is (otherwise NaN or infinity). */
    double (*sum_squares)(int64_t count, const float *x);
} tgr_kernels;

/* The kernels called `name`, or the best that this machine can run when `name` is NULL. */
tgr_status tgr_kernels_select(const char *name, const tgr_kernels **out);

/* Row `index` of the table, best first, whether this machine can run it or not; NULL past the last. */
const tgr_kernels *tgr_kernels_row(int index);

/* Whether the kernels can multiply in this precision: TGR_OK, or ERROR_UNSUPPORTED with what is needed. */
tgr_status tgr_kernels_check_precision(const tgr_kernels *kernels, tgr_precision precision);

extern const tgr_kernels tgr_kernels_portable, tgr_kernels_blis;
#if defined(__x86_64__)
extern const tgr_kernels tgr_kernels_avx2, tgr_kernels_avx512, tgr_kernels_amx;
#endif

#endif
