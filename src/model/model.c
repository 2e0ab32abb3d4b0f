/* SPDX-License-Identifier: MIT */
/* Creating and freeing a model; its forward and backward pass. */
#include "model/model.h"
#include "kernels/kernels.h"

#include "base/status.h"
#include "model/dimensions.h"
#include "model/state.h"

static tgr_status allocate_blocks(tgr_model *model) {
    void *memory;
    TGR_TRY(tgr_allocate(model->context, &memory, (size_t)model->dimensions.depth, sizeof *model->blocks));
    model->blocks = memory;
    const int64_t *numbers = tgr_moe_blocks(model->config, &model->moe_count);
    TGR_TRY(tgr_allocate(model->context, &memory, (size_t)model->moe_count, sizeof *model->moe_blocks));
    model->moe_blocks = memory;
    for (int64_t i = 0; i < model->moe_count; i++) model->moe_blocks[i] = numbers[i] - 1;
    return TGR_OK;
}

static tgr_status declare_parts(tgr_model *model) {
    tgr_parameters *parameters = model->parameters;
    TGR_TRY(tgr_embed_declare(&model->embed, parameters, model->config, &model->dimensions));
    for (int64_t i = 0, moe = 0; i < model->dimensions.depth; i++) {
        int with_experts = moe < model->moe_count && model->moe_blocks[moe] == i;
        moe += with_experts;
        TGR_TRY(tgr_block_declare(&model->blocks[i], parameters, model->config, &model->dimensions, i, with_experts));
    }
    return tgr_head_declare(&model->head, parameters, model->config, &model->dimensions);
}

tgr_status tgr_model_assemble(tgr_model **out, tgr_context *context, const tgr_config *config) {
    tgr_dimensions dimensions;
    TGR_TRY(tgr_dimensions_read(&dimensions, config));
    TGR_TRY(tgr_config_check_methods(config));
    TGR_TRY(tgr_kernels_check_precision(context->compute.kernels,
                                        (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION)));
    void *memory;
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_model)));
    tgr_model *model = memory;
    tgr_status status = TGR_OK;
    atomic_init(&model->references, 1);
    tgr_context_retain(context);
    model->context = context;
    model->dimensions = dimensions;
    TGR_TRY_DONE(tgr_config_copy(&model->config, config));
    TGR_TRY_DONE(tgr_parameters_create(&model->parameters, context));
    TGR_TRY_DONE(allocate_blocks(model));
    TGR_TRY_DONE(declare_parts(model));
    model->pass.recompute = (tgr_recompute)tgr_option_i64(config, TGR_OPTION_RECOMPUTE);
    *out = model;
done:
    if (status != TGR_OK) tgr_model_free(model);
    return status;
}

static void initialise(tgr_model *model) {
    double deviation = tgr_option_f64(model->config, TGR_OPTION_INIT_STD);
    tgr_embed_initialise(&model->embed, deviation);
    for (int64_t i = 0; i < model->dimensions.depth; i++) tgr_block_initialise(&model->blocks[i], model->config);
    tgr_head_initialise(&model->head, deviation);
}

tgr_status tgr_model_reserve(tgr_model *model) {
    const tgr_dimensions *d = &model->dimensions;
    int64_t scratch = tgr_attention_scratch(d->tokens, d->head_dim);
    TGR_REQUIRE(scratch >= 0, TGR_ERROR_OVERFLOW,
                "image_size / patch_size is %lld; attention over that many patches is too large to address",
                (long long)d->grid);
    return tgr_compute_reserve(&model->context->compute, scratch);
}

tgr_status tgr_model_create(tgr_model **out, tgr_context *context, const tgr_config *config) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(config);
    tgr_model *model;
    TGR_TRY(tgr_config_check_asked(config));
    TGR_TRY(tgr_model_assemble(&model, context, config));
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_model_reserve(model));
    TGR_TRY_DONE(tgr_parameters_seal(model->parameters));
    initialise(model);
    *out = model;
done:
    if (status != TGR_OK) tgr_model_free(model);
    return status;
}

void tgr_model_retain(tgr_model *model) {
    atomic_fetch_add(&model->references, 1);
}

void tgr_model_free(tgr_model *model) {
    if (model == NULL || atomic_fetch_sub(&model->references, 1) != 1) return;
    tgr_context *context = model->context;
    tgr_release(context, model->memory, (size_t)model->memory_bytes, 1);
    if (model->blocks != NULL)
        for (int64_t i = 0; i < model->dimensions.depth; i++) tgr_block_free(&model->blocks[i]);
    tgr_release(context, model->blocks, (size_t)model->dimensions.depth, sizeof *model->blocks);
    tgr_release(context, model->moe_blocks, (size_t)model->moe_count, sizeof *model->moe_blocks);
    tgr_parameters_release(model->parameters);
    tgr_config_free(model->config);
    tgr_release(context, model, 1, sizeof *model);
    tgr_context_free(context);
}

/* Probabilities to route by come from outside (teacher.h): they must be for as many tokens as this pass has. */
static tgr_status check_override(const tgr_model *model, tgr_mode mode, int64_t batch) {
    int64_t tokens;
    if (mode != TGR_EVAL || !tgr_multiply(batch, model->dimensions.tokens, &tokens)) return TGR_OK;
    for (int64_t i = 0; i < model->moe_count; i++) {
        int64_t override_tokens;
        const tgr_moe_layer *layer = model->blocks[model->moe_blocks[i]].moe;
        if (tgr_moe_layer_override(layer, &override_tokens) != NULL && override_tokens != tokens)
            return tgr_fail(TGR_ERROR_STATE,
                            "the oracle's probabilities are of %lld tokens, this batch has %lld; run "
                            "tgr_teacher_forward() on the same images first",
                            (long long)override_tokens, (long long)tokens);
    }
    return TGR_OK;
}

tgr_status tgr_model_forward(tgr_model *model, tgr_mode mode, const float *images, int64_t batch) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE(mode == TGR_EVAL || mode == TGR_TRAIN, TGR_ERROR_RANGE,
                "argument 'mode' is %d; it must be TGR_EVAL (%d) or TGR_TRAIN (%d)", (int)mode, TGR_EVAL, TGR_TRAIN);
    TGR_REQUIRE_ARGUMENT(images);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    TGR_TRY(check_override(model, mode, batch));
    TGR_TRY(tgr_plan_prepare(model, mode, batch));
    model->pass.micro = model->parameters->micro;

    int64_t depth = model->dimensions.depth;
    const tgr_pass *pass = &model->pass;
    tgr_embed_forward(&model->embed, batch, images, model->blocks[0].x, pass->patches);
    for (int64_t i = 0; i < depth; i++) tgr_block_forward(&model->blocks[i], pass);
    tgr_head_forward(&model->head, batch, model->blocks[depth - 1].y);
    model->mode = mode;
    model->batch = batch;
    model->images = images;
    model->mark = tgr_parameters_mark(model->parameters);
    model->can_backward = mode == TGR_TRAIN;
    model->passes++;
    return TGR_OK;
}

/* Whether other blocks have overwritten what the block's backward needs. What the last block wrote is intact. */
static int recomputes(const tgr_model *model, int64_t block) {
    tgr_recompute recompute = model->pass.recompute;
    if (block == model->dimensions.depth - 1 || recompute == TGR_RECOMPUTE_NONE) return 0;
    return recompute == TGR_RECOMPUTE_BLOCKS || model->blocks[block].moe != NULL;
}

tgr_status tgr_model_check_backward(const tgr_model *model) {
    if (tgr_model_can_backward(model)) return TGR_OK;
    const char *reason = model->batch == 0         ? "there has been no forward pass yet"
                         : model->mode == TGR_EVAL ? "the last forward pass was in TGR_EVAL"
                         : !model->can_backward    ? "the last forward pass had its backward already"
                                                   : "the weights have changed since the forward pass";
    return tgr_fail(TGR_ERROR_STATE, "%s; a forward pass in TGR_TRAIN is needed", reason);
}

tgr_status tgr_model_backward(tgr_model *model, const float *logits_gradient, const float *features_gradient) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE(logits_gradient != NULL || features_gradient != NULL, TGR_ERROR_ARGUMENT,
                "arguments 'logits_gradient' and 'features_gradient' are NULL; at least one is needed");
    TGR_REQUIRE(logits_gradient == NULL || model->head.count > 0, TGR_ERROR_ARGUMENT,
                "argument 'logits_gradient' is given; the model has no head (classes is 0), so it must be NULL");
    TGR_TRY(tgr_model_check_backward(model));

    int64_t depth = model->dimensions.depth;
    const tgr_pass *pass = &model->pass;
    float *dstream = pass->dstream;
    tgr_head_backward(&model->head, pass->batch, model->blocks[depth - 1].y, logits_gradient, features_gradient,
                      dstream, pass->partial);
    for (int64_t i = depth - 1; i >= 0; i--) {
        if (recomputes(model, i)) tgr_block_recompute(&model->blocks[i], pass);
        tgr_block_backward(&model->blocks[i], pass, dstream);
    }
    tgr_embed_backward(&model->embed, pass->batch, model->images, dstream, pass->partial);
    model->parameters->micro++;
    model->can_backward = 0;
    return TGR_OK;
}
