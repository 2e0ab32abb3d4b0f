/* SPDX-License-Identifier: MIT */
/* Sizes of timm's models that this library can compute: what no shape of a file tells is looked up by what it tells. */
#ifndef TGR_EXCHANGE_TIMM_SIZES_H
#define TGR_EXCHANGE_TIMM_SIZES_H

typedef struct tgr_timm_size {
    int dim, depth, hidden, heads, patch;
    int grid; /* patches along a side */
    int position_cls, layer_scale;
} tgr_timm_size;

extern const tgr_timm_size tgr_timm_sizes[]; /* [tgr_timm_size_count] */
extern const int tgr_timm_size_count;

#endif
