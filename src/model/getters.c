/* SPDX-License-Identifier: MIT */
/* The functions that read a model. */
#include "base/status.h"
#include "model/state.h"

tgr_context *tgr_model_context(const tgr_model *model) {
    return model->context;
}
const tgr_dimensions *tgr_model_dimensions(const tgr_model *model) {
    return &model->dimensions;
}
int64_t tgr_model_batch(const tgr_model *model) {
    return tgr_parameters_replaced(model->parameters, model->mark) ? 0 : model->batch;
}
tgr_mode tgr_model_mode(const tgr_model *model) {
    return model->mode;
}
int tgr_model_can_backward(const tgr_model *model) {
    return model->can_backward && !tgr_parameters_changed(model->parameters, model->mark);
}

uint64_t tgr_model_passes(const tgr_model *model) {
    return model->passes;
}
int64_t tgr_model_layer_count(const tgr_model *model) {
    return model->moe_count;
}
tgr_moe_layer *tgr_model_layer(tgr_model *model, int64_t index) {
    return model->blocks[model->moe_blocks[index]].moe;
}
void tgr_model_capture(tgr_model *model, int64_t block, tgr_feature feature, float *destination) {
    model->blocks[block].capture[feature] = destination;
}

tgr_status tgr_model_check_run(const tgr_model *model) {
    if (tgr_model_batch(model) > 0) return TGR_OK;
    return tgr_fail(TGR_ERROR_STATE, "there has been no forward pass yet");
}

tgr_status tgr_model_check_head(const tgr_model *model) {
    if (model->head.count > 0) return TGR_OK;
    return tgr_fail(TGR_ERROR_STATE, "the model has no head (classes is 0)");
}

tgr_status tgr_model_check_layer(const tgr_model *model, int64_t index) {
    if (index >= 0 && index < model->moe_count) return TGR_OK;
    return tgr_fail(TGR_ERROR_RANGE, "argument 'index' is %lld; there are %lld MoE layers", (long long)index,
                    (long long)model->moe_count);
}

tgr_status tgr_model_logits(const tgr_model *model, const float **logits, int64_t *batch, int64_t *classes) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_TRY(tgr_model_check_head(model));
    TGR_TRY(tgr_model_check_run(model));
    if (logits != NULL) *logits = model->head.logits;
    if (batch != NULL) *batch = model->batch;
    if (classes != NULL) *classes = model->head.classes;
    return TGR_OK;
}

tgr_status tgr_model_features(const tgr_model *model, const float **features, int64_t *batch, int64_t *tokens,
                              int64_t *dim) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_TRY(tgr_model_check_run(model));
    if (features != NULL) *features = model->head.features;
    if (batch != NULL) *batch = model->batch;
    if (tokens != NULL) *tokens = model->dimensions.tokens;
    if (dim != NULL) *dim = model->dimensions.dim;
    return TGR_OK;
}

tgr_status tgr_model_moe_layers(const tgr_model *model, int64_t *count) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(count);
    *count = model->moe_count;
    return TGR_OK;
}

tgr_status tgr_model_moe_block(const tgr_model *model, int64_t index, int64_t *block) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(block);
    TGR_TRY(tgr_model_check_layer(model, index));
    *block = model->moe_blocks[index] + 1;
    return TGR_OK;
}

tgr_status tgr_model_routing(const tgr_model *model, int64_t index, const tgr_routing **routing) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(routing);
    TGR_TRY(tgr_model_check_layer(model, index));
    *routing = tgr_moe_layer_routing(model->blocks[model->moe_blocks[index]].moe);
    return TGR_OK;
}

tgr_status tgr_model_parameters(tgr_model *model, tgr_parameters **parameters) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(parameters);
    *parameters = model->parameters;
    return TGR_OK;
}

tgr_status tgr_model_config(const tgr_model *model, const tgr_config **config) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(config);
    *config = model->config;
    return TGR_OK;
}

tgr_status tgr_model_parameter_counts(const tgr_model *model, int64_t *total, int64_t *active) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    int64_t all, skipped = 0;
    TGR_TRY(tgr_parameters_total(model->parameters, &all));
    int64_t experts_skipped =
        tgr_option_i64(model->config, TGR_OPTION_EXPERTS) - tgr_option_i64(model->config, TGR_OPTION_TOP_K);
    for (int64_t i = 0; i < model->moe_count; i++)
        skipped += experts_skipped * tgr_moe_layer_expert_size(model->blocks[model->moe_blocks[i]].moe);
    if (total != NULL) *total = all;
    if (active != NULL) *active = all - skipped;
    return TGR_OK;
}

tgr_status tgr_model_estimate(tgr_context *context, const tgr_config *config, int64_t batch, uint64_t *bytes) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    TGR_REQUIRE_ARGUMENT(bytes);
    tgr_model *model;
    TGR_TRY(tgr_model_assemble(&model, context, config));
    int64_t activations;
    tgr_status status = tgr_plan_count(model, TGR_TRAIN, batch, &activations);
    if (status == TGR_OK) {
        /* Values and gradients. Each term is below 2^63. */
        uint64_t weights = 2 * (uint64_t)model->parameters->floats * sizeof(float);
        *bytes = weights + (uint64_t)activations;
    }
    tgr_model_free(model);
    return status;
}
