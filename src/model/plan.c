/* SPDX-License-Identifier: MIT */
/* Where activations are: one arena, cut again whenever the mode or batch changes, grown when it is too small.
 *
 * In TGR_TRAIN every block has buffers of its own for what its backward needs. In TGR_EVAL all blocks share the same
 * buffers, except for the routing of MoE layers, which stays readable. With recompute=blocks they share them in
 * TGR_TRAIN, too, except for each block's input; with recompute=experts the experts do. */
#include "base/assert.h"
#include "base/status.h"
#include "kernels/parallel_rows.h"
#include "model/state.h"

static void widen(int64_t *most, int64_t value) {
    if (*most >= 0 && (value < 0 || value > *most)) *most = value; /* negative, once something has overflowed */
}

static int64_t partial_floats(const tgr_model *model, const tgr_pass *pass) {
    const tgr_dimensions *d = &model->dimensions;
    int64_t most = 0;
    widen(&most, tgr_partial_floats(pass->rows, d->dim, 2)); /* norms; also projections, LayerScale, patches */
    widen(&most, tgr_partial_floats(pass->rows, d->dim, 1));
    widen(&most, tgr_partial_floats(pass->rows, 3 * d->dim, 1));
    widen(&most, tgr_partial_floats(pass->rows, d->hidden, 1));
    widen(&most, tgr_partial_floats(pass->batch, d->classes, 1));
    return most;
}

/* The buffers that all parts of a block use. */
static void plan_shared(tgr_pass *pass, tgr_arena *arena, int64_t dim) {
    pass->normalised = tgr_arena_floats(arena, pass->rows, dim);
    pass->branch_rows = tgr_arena_floats(arena, pass->rows, dim);
    pass->dnormalised = pass->mode == TGR_TRAIN ? tgr_arena_floats(arena, pass->rows, dim) : NULL;
}

/* The residual stream before and after each block: one buffer in TGR_EVAL. */
static void plan_stream(tgr_model *model, tgr_arena *arena, float *x) {
    const tgr_pass *pass = &model->pass;
    for (int64_t i = 0; i < model->dimensions.depth; i++) {
        model->blocks[i].x = x;
        if (pass->mode == TGR_TRAIN) x = tgr_arena_floats(arena, pass->rows, model->dimensions.dim);
        model->blocks[i].y = x;
    }
}

static int blocks_overlap(const tgr_pass *pass) {
    return pass->mode == TGR_EVAL || pass->recompute == TGR_RECOMPUTE_BLOCKS;
}

static int ffn_overlaps(const tgr_pass *pass, const tgr_block *block) {
    return blocks_overlap(pass) || (block->moe != NULL && pass->recompute == TGR_RECOMPUTE_EXPERTS);
}

/* The buffers that belong to one block. */
static void plan_kept(tgr_model *model, tgr_arena *arena) {
    const tgr_pass *pass = &model->pass;
    for (int64_t i = 0; i < model->dimensions.depth; i++) {
        tgr_block *block = &model->blocks[i];
        if (!blocks_overlap(pass)) tgr_block_plan_attention(block, pass, arena);
        if (!ffn_overlaps(pass, block)) tgr_block_plan_ffn(block, pass, arena);
    }
}

/* The buffers that blocks use in turn. When attention's backward runs, nothing of the FFN or the experts is needed any
 * more, so its buffers share memory with theirs. In TGR_EVAL theirs share memory with all of attention's. */
static void plan_overlapping(tgr_model *model, tgr_arena *arena) {
    tgr_pass *pass = &model->pass;
    int64_t start = arena->used, attention_end = start;
    for (int64_t i = 0; i < model->dimensions.depth; i++) {
        arena->used = start;
        if (blocks_overlap(pass)) tgr_block_plan_attention(&model->blocks[i], pass, arena);
        if (arena->used > attention_end) attention_end = arena->used;
    }
    int64_t ffn_start = pass->mode == TGR_EVAL ? start : attention_end;
    for (int64_t i = 0; i < model->dimensions.depth; i++) {
        tgr_block *block = &model->blocks[i];
        arena->used = ffn_start;
        tgr_block_plan_attention_work(block, pass, arena);
        arena->used = ffn_start;
        if (ffn_overlaps(pass, block)) tgr_block_plan_ffn(block, pass, arena);
        tgr_block_plan_ffn_work(block, pass, arena);
    }
}

/* One method for all layers. */
static int wants_patches(tgr_model *model) {
    return model->moe_count > 0 && tgr_moe_layer_wants_patches(tgr_model_layer(model, 0));
}

static void lay_out(tgr_model *model, tgr_mode mode, int64_t batch, tgr_arena *arena) {
    const tgr_dimensions *d = &model->dimensions;
    tgr_pass *pass = &model->pass;
    pass->mode = mode;
    pass->batch = batch;
    if (!tgr_multiply(batch, d->tokens, &pass->rows)) {
        arena->overflow = 1;
        return;
    }
    int train = mode == TGR_TRAIN;
    float *x = tgr_arena_floats(arena, pass->rows, d->dim);
    tgr_head_plan(&model->head, mode, arena, batch, pass->rows);
    pass->dstream = train ? tgr_arena_floats(arena, pass->rows, d->dim) : NULL;
    pass->partial = train ? tgr_arena_floats(arena, partial_floats(model, pass), 1) : NULL;
    pass->patches = wants_patches(model) ? tgr_arena_floats(arena, pass->rows, d->patch_dim) : NULL;
    for (int64_t i = 0; i < model->moe_count; i++)
        tgr_moe_layer_plan(tgr_model_layer(model, i), mode, arena, pass->rows);
    plan_stream(model, arena, x);
    plan_kept(model, arena);

    int64_t start = arena->used;
    tgr_embed_plan(&model->embed, arena, batch);
    arena->used = start;
    plan_shared(pass, arena, d->dim);
    plan_overlapping(model, arena);
}

/* Sets every buffer's address, which counting has unset. Batch 0 means no pass, and needs none. */
static void cut_arena(tgr_model *model, tgr_mode mode, int64_t batch) {
    tgr_arena arena = {.base = model->memory, .capacity = model->memory_bytes};
    model->pass.batch = 0;
    if (batch > 0) lay_out(model, mode, batch, &arena);
    TGR_ASSERT(!arena.overflow); /* it was counted before */
}

tgr_status tgr_plan_count(tgr_model *model, tgr_mode mode, int64_t batch, int64_t *bytes) {
    tgr_arena arena = {0};
    lay_out(model, mode, batch, &arena);
    TGR_REQUIRE(!arena.overflow, TGR_ERROR_OVERFLOW,
                "argument 'batch' is %lld; the activations of that many images are too large to address",
                (long long)batch);
    *bytes = arena.peak;
    return TGR_OK;
}

static tgr_status grow(tgr_model *model, int64_t bytes) {
    if (bytes <= model->memory_bytes) return TGR_OK;
    void *memory;
    TGR_TRY(tgr_allocate(model->context, &memory, (size_t)bytes, 1));
    tgr_release(model->context, model->memory, (size_t)model->memory_bytes, 1);
    model->memory = memory;
    model->memory_bytes = bytes;
    return TGR_OK;
}

tgr_status tgr_plan_prepare(tgr_model *model, tgr_mode mode, int64_t batch) {
    tgr_mode old_mode = model->pass.mode;
    int64_t old_batch = model->pass.batch, bytes = 0;
    if (mode == old_mode && batch == old_batch) return TGR_OK;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_plan_count(model, mode, batch, &bytes));
    TGR_TRY_DONE(grow(model, bytes));
    cut_arena(model, mode, batch);
done:
    if (status != TGR_OK) cut_arena(model, old_mode, old_batch);
    return status;
}
