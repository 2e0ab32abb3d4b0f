/* SPDX-License-Identifier: MIT */
/* The functions that read a model. */
#include "base/status.h"
#include "base/struct.h"
#include "model/state.h"

tgr_context *tgr_model_context(const tgr_model *model) {
    return model->context;
}
const tgr_dimensions *tgr_model_dimensions(const tgr_model *model) {
    return &model->dimensions;
}
int64_t tgr_model_batch(const tgr_model *model) {
    if (model == NULL || tgr_parameters_replaced(model->parameters, model->mark)) return 0;
    return model->batch;
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
tgr_moe_layer *tgr_model_layer(tgr_model *model, int64_t index) {
    return model->blocks[model->moe_blocks[index]].moe;
}
void tgr_model_capture(tgr_model *model, int64_t block, tgr_feature feature, float *destination) {
    model->blocks[block].capture[feature] = destination;
}

static tgr_status check_run(const tgr_model *model) {
    if (tgr_model_batch(model) > 0) return TGR_OK;
    return tgr_fail(TGR_ERROR_STATE, "there has been no forward pass yet");
}

static tgr_status check_head(const tgr_model *model) {
    if (model->head.count > 0) return TGR_OK;
    return tgr_fail(TGR_ERROR_STATE, "the model has no head (classes is 0)");
}

static tgr_status check_layer(const tgr_model *model, int64_t index) {
    if (index >= 0 && index < model->moe_count) return TGR_OK;
    return tgr_fail(TGR_ERROR_RANGE, "argument 'index' is %lld; there are %lld MoE layers", (long long)index,
                    (long long)model->moe_count);
}

tgr_status tgr_model_logits(const tgr_model *model, const float **logits) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(logits);
    TGR_TRY(check_head(model));
    TGR_TRY(check_run(model));
    *logits = model->head.logits;
    return TGR_OK;
}

tgr_status tgr_model_features(const tgr_model *model, const float **features) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(features);
    TGR_TRY(check_run(model));
    *features = model->head.features;
    return TGR_OK;
}

int64_t tgr_model_moe_layer_count(const tgr_model *model) {
    return model != NULL ? model->moe_count : 0;
}

tgr_status tgr_model_moe_block(const tgr_model *model, int64_t index, int64_t *block) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(block);
    TGR_TRY(check_layer(model, index));
    *block = model->moe_blocks[index] + 1;
    return TGR_OK;
}

tgr_status tgr_model_routing(const tgr_model *model, int64_t index, const tgr_routing **routing) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(routing);
    TGR_TRY(check_layer(model, index));
    *routing = tgr_moe_layer_routing(model->blocks[model->moe_blocks[index]].moe);
    return TGR_OK;
}

tgr_parameters *tgr_model_parameters(tgr_model *model) {
    return model != NULL ? model->parameters : NULL;
}

const tgr_config *tgr_model_config(const tgr_model *model) {
    return model != NULL ? model->config : NULL;
}

/* Numbers of the experts that a token is not sent to. */
static int64_t idle_numbers(const tgr_model *model) {
    int64_t sum = 0, idle_experts = tgr_option_i64(model->config, TGR_OPTION_EXPERTS) -
                                    tgr_option_i64(model->config, TGR_OPTION_TOP_K);
    for (int64_t i = 0; i < model->moe_count; i++)
        sum += idle_experts * tgr_moe_layer_expert_size(model->blocks[model->moe_blocks[i]].moe);
    return sum;
}

tgr_status tgr_model_describe(const tgr_model *model, tgr_model_description *description) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    const tgr_dimensions *dimensions = &model->dimensions;
    const int64_t parameters = tgr_parameters_number_count(model->parameters);
    const tgr_model_description found = {.channels = dimensions->channels,
                                         .image_size = dimensions->image_size,
                                         .classes = dimensions->classes,
                                         .tokens = dimensions->tokens,
                                         .prefix_tokens = dimensions->prefix_tokens,
                                         .dim = dimensions->dim,
                                         .depth = dimensions->depth,
                                         .moe_layers = model->moe_count,
                                         .parameters = parameters,
                                         .active_parameters = parameters - idle_numbers(model)};
    return TGR_STRUCT_WRITE(description, &found, active_parameters);
}

tgr_status tgr_model_estimate(tgr_context *context, const tgr_config *config, int64_t batch, uint64_t *bytes) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    TGR_REQUIRE_ARGUMENT(bytes);
    tgr_model *model;
    TGR_TRY(tgr_config_check_asked(config));
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
