/* SPDX-License-Identifier: MIT */
/* From the tensors of a dense model to those of a sparse one (Komatsuzaki et al., ICLR 2023, arXiv 2212.05055), by name
 * and shape alone, so that the same code serves weights and an optimizer's moments:
 *
 *   blocks.N.moe.experts.<part> [E, …]   E copies of blocks.N.mlp.<part> […]
 *   blocks.N.moe.<anything else>         nothing: router, state and shared experts have no counterpart
 *   <name> […]                           <name> […] */
#ifndef TGR_BASE_UPCYCLE_H
#define TGR_BASE_UPCYCLE_H

#include "base/parameters.h"

/* Fails unless every tensor has a source of the right shape and every dense tensor is used. */
tgr_status tgr_upcycle_check(const tgr_parameters *sparse, const tgr_parameters *dense);
/* The dense tensor that tensor `index` of `sparse` is copied from, or -1. */
int64_t tgr_upcycle_source(const tgr_parameters *sparse, int64_t index, const tgr_parameters *dense);
/* Fills `to`, laid out like the sparse values, from `from`, laid out like the dense ones; a tensor without a source is
 * not touched. The check must have passed. */
void tgr_upcycle_copy(const tgr_parameters *sparse, float *to, const tgr_parameters *dense, const float *from);

#endif
