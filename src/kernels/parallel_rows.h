/* SPDX-License-Identifier: MIT */
/* The row kernels on whole tensors, in parallel over blocks of rows. The blocks depend only on the tensor's shape, and
 * partial sums are added in the order of the blocks, so results do not depend on the number of threads.
 *
 * Nothing here allocates. rows, columns and count may be zero; nothing is read or written then. */
#ifndef TGR_KERNELS_PARALLEL_ROWS_H
#define TGR_KERNELS_PARALLEL_ROWS_H

#include <stdint.h>

struct tgr_compute;

/* The most blocks that a tensor is cut into where sums over rows are kept by block. */
#define TGR_SUM_BLOCKS_MAX 64

/* Floats of `partial` that a sum over `rows` rows into `sums` vectors of `columns` needs: [blocks, sums, columns].
 * Never more than TGR_SUM_BLOCKS_MAX · sums · columns, and never less for more rows. Negative on overflow. */
int64_t tgr_partial_floats(int64_t rows, int64_t columns, int64_t sums);

/* y = (x - mean)·rstd·weight + bias by row; x, y [rows, columns], weight, bias [columns], mean, rstd [rows]. */
void tgr_layer_norm(const struct tgr_compute *compute, int64_t rows, int64_t columns, const float *x,
                    const float *weight, const float *bias, float epsilon, float *y, float *mean, float *rstd);
/* dx = (or += when accumulate), dweight +=, dbias +=. x is the forward's input; dx == dy is allowed when not
 * accumulating. partial: tgr_partial_floats(rows, columns, 2). */
void tgr_layer_norm_backward(const struct tgr_compute *compute, int64_t rows, int64_t columns, const float *x,
                             const float *weight, const float *mean, const float *rstd, const float *dy, int accumulate,
                             float *dx, float *dweight, float *dbias, float *partial);

/* y = softmax(scale·x) by row, log-sum-exp of scale·x into lse [rows] unless NULL. y == x is allowed. */
void tgr_softmax_rows(const struct tgr_compute *compute, int64_t rows, int64_t columns, float scale, const float *x,
                      float *y, float *lse);

/* y += x */
void tgr_add_into(const struct tgr_compute *compute, int64_t count, const float *x, float *y);
/* y[r][c] += scale[c]·row_scale[r]·x[r][c]; scale NULL and row_scale NULL are one. (A residual branch with LayerScale
 * and stochastic depth.) */
void tgr_add_scaled(const struct tgr_compute *compute, int64_t rows, int64_t columns, const float *scale,
                    const float *row_scale, const float *x, float *y);
/* Backward of tgr_add_scaled for x and scale: dx[r][c] = scale[c]·row_scale[r]·dy[r][c] and
 * dscale[c] += Σ_r row_scale[r]·x[r][c]·dy[r][c]. Without scale, dscale, x and partial are NULL. dx == dy and dx == x
 * are allowed. partial: tgr_partial_floats(rows, columns, 1). */
void tgr_add_scaled_backward(const struct tgr_compute *compute, int64_t rows, int64_t columns, const float *scale,
                             const float *row_scale, const float *x, const float *dy, float *dx, float *dscale,
                             float *partial);

/* sum[c] += Σ_r x[r][c]. partial: tgr_partial_floats(rows, columns, 1). */
void tgr_column_sum(const struct tgr_compute *compute, int64_t rows, int64_t columns, const float *x, float *sum,
                    float *partial);

#endif
