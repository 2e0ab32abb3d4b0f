/* SPDX-License-Identifier: MIT */
/* Position embeddings of one grid of patches, resampled for another. */
#ifndef TGR_EXCHANGE_RESAMPLE_H
#define TGR_EXCHANGE_RESAMPLE_H

#include <stdint.h>

/* Rows of `dim` numbers: `prefix` of prefix tokens, which are copied, then the grid row by row. `from` [prefix +
 * from_grid², dim], `to` [prefix + to_grid², dim]. */
void tgr_resample_positions(int64_t dim, int64_t prefix, int64_t from_grid, const float *from, int64_t to_grid,
                            float *to);

#endif
