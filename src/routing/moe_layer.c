/* SPDX-License-Identifier: MIT */
/* A MoE layer put together: router, method, experts. */
#include "routing/moe_layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"
#include "routing/experts.h"
#include "routing/method.h"

struct tgr_moe_layer {
    tgr_context *context;
    tgr_parameters *parameters;
    const tgr_method *method;
    tgr_routing routing;
    tgr_experts experts; /* count 0 without experts */
    int64_t dim, router_weight;
    uint32_t layer;
    double experts_init_std;
    const float *x; /* [T, dim], of the last forward */
};

static tgr_status declare(tgr_moe_layer *layer, const tgr_config *config, const char *prefix, int with_experts) {
    const tgr_method *method = layer->method;
    int64_t experts = layer->routing.options.experts, dim = layer->dim;
    char name[TGR_NAME_BYTES + 1];
    snprintf(name, sizeof name, "%srouter.weight", prefix);
    TGR_TRY(tgr_parameters_add(layer->parameters, &layer->router_weight, name, 0, 2, (int64_t[]){experts, dim}));
    if (method->declare != NULL) TGR_TRY(method->declare(&layer->routing, layer->parameters, prefix, dim));
    if (!with_experts) return TGR_OK;
    int64_t hidden = llround(tgr_option_f64(config, TGR_OPTION_MLP_RATIO) * (double)dim);
    return tgr_experts_declare(&layer->experts, layer->parameters, prefix, experts, dim, hidden > 1 ? hidden : 1);
}

tgr_status tgr_moe_layer_create(tgr_moe_layer **out, tgr_context *context, const tgr_config *config,
                                tgr_parameters *parameters, const char *prefix, int64_t dim, uint32_t layer,
                                int with_experts) {
    tgr_router_options options;
    void *memory;
    TGR_TRY(tgr_router_options_read(&options, config));
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_moe_layer)));
    tgr_moe_layer *made = memory;
    *made = (tgr_moe_layer){.context = context,
                            .parameters = parameters,
                            .method = tgr_method_find(options.method),
                            .routing = {.options = options, .compute = &context->compute},
                            .dim = dim,
                            .layer = layer,
                            .experts_init_std = tgr_option_f64(config, TGR_OPTION_INIT_STD)};
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
    if (layer->method->release != NULL) layer->method->release(&layer->routing);
    tgr_release(layer->context, layer, 1, sizeof *layer);
}

void tgr_moe_layer_initialise(tgr_moe_layer *layer) {
    tgr_initialise_truncated(layer->parameters, layer->router_weight, layer->routing.options.init_std);
    if (layer->method->initialise != NULL) layer->method->initialise(&layer->routing, layer->parameters);
    if (layer->experts.count > 0) tgr_experts_initialise(&layer->experts, layer->experts_init_std);
}

void tgr_moe_layer_plan(tgr_moe_layer *layer, tgr_arena *arena, int64_t tokens) {
    tgr_routing_plan(&layer->routing, arena, tokens);
    if (arena->overflow) return;
    if (layer->method->plan != NULL) layer->method->plan(&layer->routing, arena, tokens);
    if (layer->experts.count > 0) tgr_experts_plan(&layer->experts, arena, tokens * layer->routing.options.top_k);
}

/* logits [T, E] = x [T, dim] · router.weight [E, dim]ᵀ, and all that the method makes of them. */
static void route(tgr_moe_layer *layer, tgr_mode mode, const float *x, int64_t tokens) {
    tgr_routing *routing = &layer->routing;
    const tgr_parameters *parameters = layer->parameters;
    int64_t experts = routing->options.experts;
    const float *weight = tgr_value(parameters, layer->router_weight);
    tgr_gemm logits = tgr_linear_output(tokens, layer->dim, experts, x, weight, NULL, routing->logits);
    tgr_random random = {.seed = parameters->seed,
                         .step = (uint32_t)parameters->step,
                         .place = tgr_random_place(TGR_PLACE_ROUTER_NOISE, layer->layer, parameters->micro)};
    layer->x = x;
    routing->mode = mode;
    routing->tokens = tokens;
    routing->term_count = 0;
    tgr_gemm_run(routing->compute, &logits, 1);
    tgr_softmax_rows(routing->compute, tokens, experts, 1.0f, routing->logits, routing->probabilities, NULL);
    layer->method->route(routing, &random);
    layer->method->assign(routing);
    if (mode == TGR_TRAIN) memset(routing->logits_gradient, 0, (size_t)(tokens * experts) * sizeof(float));
    layer->method->auxiliary(routing);
}

void tgr_moe_layer_forward(tgr_moe_layer *layer, tgr_mode mode, const float *x, int64_t tokens, float *y) {
    route(layer, mode, x, tokens);
    if (layer->experts.count == 0) return;
    layer->method->gather(&layer->routing, layer->dim, x, layer->experts.input);
    tgr_experts_forward(&layer->experts, layer->routing.first_slot);
    layer->method->combine(&layer->routing, layer->dim, layer->experts.output, y);
}

/* The router's weight gradient, and x_gradient [T, dim] = or += its part, unless NULL. */
static void router_backward(tgr_moe_layer *layer, float *x_gradient, int accumulate) {
    tgr_routing *routing = &layer->routing;
    int64_t tokens = routing->tokens, dim = layer->dim, experts = routing->options.experts;
    const float *weight = tgr_value(layer->parameters, layer->router_weight);
    float *weight_gradient = tgr_gradient(layer->parameters, layer->router_weight);
    if (routing->options.task_gradient) layer->method->backward(routing);
    tgr_gemm products[] = {
        tgr_linear_weight_gradient(tokens, dim, experts, layer->x, routing->logits_gradient, weight_gradient),
        tgr_linear_input_gradient(tokens, dim, experts, routing->logits_gradient, weight, x_gradient, accumulate)};
    tgr_gemm_run(routing->compute, products, x_gradient != NULL ? 2 : 1);
}

void tgr_moe_layer_backward(tgr_moe_layer *layer, const float *y_gradient, float *x_gradient) {
    tgr_experts *experts = &layer->experts;
    layer->method->combine_backward(&layer->routing, layer->dim, y_gradient, experts->output);
    tgr_experts_backward(experts, layer->routing.first_slot, x_gradient != NULL);
    if (x_gradient != NULL) layer->method->gather_backward(&layer->routing, layer->dim, experts->input, x_gradient);
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
    const tgr_experts *experts = &layer->experts;
    return 2 * experts->hidden * experts->dim + experts->hidden + experts->dim;
}
