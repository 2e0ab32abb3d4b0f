/* SPDX-License-Identifier: MIT */
/* Sizes of timm's models that this library can compute: what a file's shapes do not reveal is looked up by what they
 * do. */
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
