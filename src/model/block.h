/* SPDX-License-Identifier: MIT */
/* One pre-norm transformer block: x += attention(norm1(x)); x += FFN or experts(norm2(x)). */
#ifndef TGR_MODEL_BLOCK_H
#define TGR_MODEL_BLOCK_H

#include "layers/ffn.h"
#include "layers/norm.h"
#include "layers/residual.h"
#include "layers/self_attention.h"
#include "model/model.h"
#include "model/pass.h"

#define TGR_FEATURES (TGR_FEATURE_BLOCK_OUTPUT + 1)

typedef struct tgr_block {
    tgr_norm norm1, norm2;
    tgr_self_attention attention;
    tgr_residual attention_residual, ffn_residual;
    tgr_ffn ffn;        /* unused with experts */
    tgr_moe_layer *moe; /* NULL in a dense block */
    /* The residual stream before, within and after the block, [rows, dim] each; one buffer in TGR_EVAL. */
    float *x, *middle, *y;
    float *capture[TGR_FEATURES]; /* where to copy each feature, or NULL */
} tgr_block;

/* Adds "blocks.<index>.…". On failure tgr_block_free must still be called. */
tgr_status tgr_block_declare(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                             const tgr_dimensions *dimensions, int64_t index, int with_experts);
void tgr_block_free(tgr_block *block);
void tgr_block_initialise(tgr_block *block, const tgr_config *config);
/* What is kept from forward to backward: by attention and everything else except x and y, which the caller provides;
 * and by the FFN or the experts. */
void tgr_block_plan_attention(tgr_block *block, const tgr_pass *pass, tgr_arena *arena);
void tgr_block_plan_ffn(tgr_block *block, const tgr_pass *pass, tgr_arena *arena);
/* After those: what attention needs within a pass, and what the FFN or the experts need. The two may share memory with
 * each other, and attention's with what the FFN or the experts keep. */
void tgr_block_plan_attention_work(tgr_block *block, const tgr_pass *pass, tgr_arena *arena);
void tgr_block_plan_ffn_work(tgr_block *block, const tgr_pass *pass, tgr_arena *arena);
/* From x to y. */
void tgr_block_forward(const tgr_block *block, const tgr_pass *pass);
/* After a forward in TGR_TRAIN whose buffers have been used by others since: recomputes what pass->recompute says, from
 * x or middle. */
void tgr_block_recompute(const tgr_block *block, const tgr_pass *pass);
/* dstream [rows, dim]: in, the gradient of y; out, that of x. */
void tgr_block_backward(const tgr_block *block, const tgr_pass *pass, float *dstream);

#endif
