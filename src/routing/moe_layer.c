/* SPDX-License-Identifier: MIT */
/* A MoE layer put together: method, experts, shared experts. */
#include "routing/moe_layer.h"

#include <string.h>

#include "base/options.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "routing/experts.h"
#include "routing/method.h"
#include "routing/shared_experts.h"

struct tgr_moe_layer {
    tgr_context *context;
    tgr_routing routing;
    tgr_experts experts;       /* count 0 without experts */
    tgr_shared_experts shared; /* hidden 0 without */
    uint32_t layer;
    double init_std;
};

static const tgr_method *method_of(const tgr_moe_layer *layer) {
    return layer->routing.method;
}

static tgr_status declare(tgr_moe_layer *layer, const tgr_config *config, const char *prefix, int with_experts) {
    tgr_routing *routing = &layer->routing;
    int64_t experts = routing->options.experts, dim = routing->shape.dim;
    int64_t shared = tgr_option_i64(config, TGR_OPTION_SHARED_EXPERTS);
    TGR_TRY(method_of(layer)->declare(routing, config, prefix));
    if (!with_experts) return TGR_OK;
    int64_t hidden = tgr_hidden_width(config, dim);
    tgr_precision precision = (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION);
    TGR_TRY(tgr_experts_declare(&layer->experts, routing->parameters, prefix, experts, dim, hidden, precision));
    if (shared == 0) return TGR_OK;
    return tgr_shared_experts_declare(&layer->shared, routing->parameters, prefix, dim, shared * hidden, precision);
}

/* Whether such a layer can be without images, or without experts. */
static tgr_status check_use(const tgr_method *method, const tgr_layer_shape *shape, int with_experts) {
    TGR_REQUIRE(!method->reads_patches || shape->patch_dim > 0, TGR_ERROR_UNSUPPORTED,
                "method '%s' reads the patches of images; it works within a model only",
                tgr_method_name(method->index));
    TGR_REQUIRE((!method->weighs_slots && !method->mixes_tokens) || with_experts, TGR_ERROR_UNSUPPORTED,
                "method '%s' has no router without experts; a MoE layer or a model is needed",
                tgr_method_name(method->index));
    return TGR_OK;
}

tgr_status tgr_moe_layer_create(tgr_moe_layer **out, tgr_context *context, const tgr_config *config,
                                tgr_parameters *parameters, const char *prefix, const tgr_layer_shape *shape,
                                uint32_t layer, int with_experts) {
    tgr_router_options options;
    void *memory;
    TGR_TRY(tgr_router_options_read(&options, config));
    TGR_TRY(tgr_kernels_check_precision(context->compute.kernels,
                                        (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION)));
    TGR_TRY(check_use(tgr_method_find(options.method), shape, with_experts));
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_moe_layer)));
    tgr_moe_layer *made = memory;
    *made = (tgr_moe_layer){.context = context,
                            .routing = {.options = options,
                                        .method = tgr_method_find(options.method),
                                        .compute = &context->compute,
                                        .parameters = parameters,
                                        .shape = *shape},
                            .layer = layer,
                            .init_std = tgr_option_f64(config, TGR_OPTION_INIT_STD)};
    tgr_status status = declare(made, config, prefix, with_experts);
    if (status != TGR_OK) {
        tgr_moe_layer_free(made);
        return status;
    }
    *out = made;
    return TGR_OK;
}

void tgr_moe_layer_free(tgr_moe_layer *layer) {
    if (layer == NULL) return;
    tgr_release(layer->context, layer->routing.method_state, layer->routing.method_state_bytes, 1);
    tgr_release(layer->context, layer, 1, sizeof *layer);
}

void tgr_moe_layer_initialise(tgr_moe_layer *layer) {
    if (method_of(layer)->initialise != NULL) method_of(layer)->initialise(&layer->routing);
    if (layer->experts.count > 0) tgr_experts_initialise(&layer->experts, layer->init_std);
    if (layer->shared.hidden > 0) tgr_shared_experts_initialise(&layer->shared, layer->init_std);
}

void tgr_moe_layer_set_sequence(tgr_moe_layer *layer, int64_t sequence) {
    layer->routing.shape.sequence = sequence;
}

int tgr_moe_layer_wants_patches(const tgr_moe_layer *layer) {
    return method_of(layer)->reads_patches;
}

static void plan_method(tgr_moe_layer *layer, tgr_arena *arena, int64_t tokens) {
    if (!arena->overflow && method_of(layer)->plan != NULL) method_of(layer)->plan(&layer->routing, arena, tokens);
}

/* The method's own buffers hold what it decided: in TGR_TRAIN they stay for backward. */
void tgr_moe_layer_plan(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    tgr_routing_plan(&layer->routing, mode, arena, tokens);
    if (mode == TGR_TRAIN) plan_method(layer, arena, tokens);
}

void tgr_moe_layer_plan_kept(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    if (arena->overflow) return;
    if (mode == TGR_EVAL) plan_method(layer, arena, tokens);
    if (layer->experts.count > 0)
        tgr_experts_plan_kept(&layer->experts, arena, tgr_routing_most_slots(&layer->routing, mode, tokens));
    if (layer->shared.hidden > 0) tgr_shared_experts_plan_kept(&layer->shared, arena, tokens);
}

/* Shared experts run when the others are done: their buffers lie over each other. */
void tgr_moe_layer_plan_work(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    int64_t start = arena->used;
    if (arena->overflow) return;
    if (layer->experts.count > 0)
        tgr_experts_plan_work(&layer->experts, mode, arena, tgr_routing_most_slots(&layer->routing, mode, tokens));
    arena->used = start;
    if (layer->shared.hidden > 0) tgr_shared_experts_plan_work(&layer->shared, mode, arena, tokens);
}

/* All that is decided before experts run. */
static void route(tgr_moe_layer *layer, tgr_mode mode, const tgr_layer_input *input) {
    tgr_routing *routing = &layer->routing;
    const tgr_method *method = routing->method;
    const tgr_parameters *parameters = routing->parameters;
    tgr_random random = {.seed = parameters->seed,
                         .step = (uint32_t)parameters->step,
                         .place = tgr_random_place(TGR_PLACE_ROUTER_NOISE, layer->layer, parameters->micro)};
    routing->mode = mode;
    routing->input = *input;
    routing->tokens = input->tokens;
    routing->sequence = routing->shape.sequence > 0 ? routing->shape.sequence : input->tokens;
    routing->term_count = 0;
    method->score(routing);
    method->route(routing, &random);
    method->assign(routing);
    if (mode == TGR_TRAIN)
        memset(routing->logits_gradient, 0, (size_t)(input->tokens * routing->options.experts) * sizeof(float));
    if (method->auxiliary != NULL) method->auxiliary(routing);
}

static void run_experts(tgr_moe_layer *layer, float *y) {
    const tgr_method *method = method_of(layer);
    const tgr_layer_input *input = &layer->routing.input;
    int64_t dim = layer->routing.shape.dim;
    method->gather(&layer->routing, dim, input->x, layer->experts.slots_in);
    tgr_experts_forward(&layer->experts, layer->routing.first_slot);
    method->combine(&layer->routing, dim, layer->experts.slots_out, y);
    if (layer->shared.hidden > 0) tgr_shared_experts_forward(&layer->shared, input->tokens, input->x, y);
}

void tgr_moe_layer_forward(tgr_moe_layer *layer, tgr_mode mode, const tgr_layer_input *input, float *y) {
    route(layer, mode, input);
    if (layer->experts.count > 0) run_experts(layer, y);
}

void tgr_moe_layer_again(tgr_moe_layer *layer, float *y) {
    layer->routing.again = 1;
    run_experts(layer, y);
    layer->routing.again = 0;
}

/* The gradients of the method's tensors, and x_gradient [T, dim] = or += their part, unless NULL. */
static void router_backward(tgr_moe_layer *layer, float *x_gradient, int accumulate) {
    tgr_routing *routing = &layer->routing;
    const tgr_method *method = routing->method;
    if (routing->options.task_gradient && method->backward != NULL) method->backward(routing);
    method->score_backward(routing, x_gradient, accumulate);
    if (method->finish != NULL) method->finish(routing);
}

void tgr_moe_layer_backward(tgr_moe_layer *layer, const float *y_gradient, float *x_gradient) {
    const tgr_method *method = method_of(layer);
    tgr_experts *experts = &layer->experts;
    tgr_routing *routing = &layer->routing;
    int64_t dim = routing->shape.dim;
    int want_input = x_gradient != NULL || method->mixes_tokens;
    method->combine_backward(routing, dim, y_gradient, experts->slots_out);
    method->gather(routing, dim, routing->input.x, experts->slots_in);
    tgr_experts_backward(experts, routing->first_slot, want_input);
    if (want_input) method->gather_backward(routing, dim, experts->slots_in, x_gradient);
    if (layer->shared.hidden > 0)
        tgr_shared_experts_backward(&layer->shared, routing->tokens, routing->input.x, y_gradient, x_gradient);
    router_backward(layer, x_gradient, 1);
}

void tgr_moe_layer_backward_from_gates(tgr_moe_layer *layer, const float *gates_gradient, float *x_gradient) {
    tgr_routing *routing = &layer->routing;
    for (int64_t i = 0; i < routing->tokens * routing->options.top_k; i++)
        routing->gates_gradient[i] = routing->kept[i] ? gates_gradient[i] : 0;
    router_backward(layer, x_gradient, 0);
}

tgr_routing *tgr_moe_layer_routing(tgr_moe_layer *layer) {
    return &layer->routing;
}

int64_t tgr_moe_layer_expert_size(const tgr_moe_layer *layer) {
    int64_t dim = layer->experts.ffn.fc1.inputs, hidden = layer->experts.ffn.fc1.outputs;
    return 2 * hidden * dim + hidden + dim;
}
