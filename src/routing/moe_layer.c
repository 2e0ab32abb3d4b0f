/* SPDX-License-Identifier: MIT */
/* A MoE layer: router, experts, shared experts. */
#include "routing/moe_layer.h"

#include <string.h>

#include "base/assert.h"
#include "base/options.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "routing/inside.h"
#include "routing/losses/guidance.h"
#include "routing/method.h"
#include "routing/sound.h"

static const tgr_method *method_of(const tgr_moe_layer *layer) {
    return layer->router.method;
}

static tgr_status declare_experts(tgr_moe_layer *layer, const tgr_config *config, const char *prefix) {
    tgr_parameters *parameters = layer->router.parameters;
    int64_t experts = layer->router.options.experts, dim = layer->router.shape.dim;
    int64_t hidden = tgr_hidden_width(config, dim), shared = tgr_option_i64(config, TGR_OPTION_SHARED_EXPERTS);
    tgr_precision precision = (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION);
    TGR_TRY(tgr_experts_declare(&layer->experts, parameters, prefix, experts, dim, hidden, precision));
    if (shared == 0) return TGR_OK;
    return tgr_shared_experts_declare(&layer->shared, parameters, prefix, dim, shared * hidden, precision);
}

/* Fails if the method needs images or experts that the layer does not have. */
static tgr_status check_use(const tgr_router_options *options, const tgr_layer_shape *shape, int with_experts) {
    const tgr_method *method = tgr_method_of(options->method);
    TGR_REQUIRE(!method->reads_patches || shape->patch_dim > 0, TGR_ERROR_UNSUPPORTED,
                "method '%s' reads the patches of images; it works only within a model",
                tgr_method_name(options->method));
    TGR_REQUIRE((!method->weighs_slots && !method->mixes_tokens) || with_experts, TGR_ERROR_UNSUPPORTED,
                "method '%s' has no router without experts; a MoE layer or a model is needed",
                tgr_method_name(options->method));
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
    TGR_TRY(check_use(&options, shape, with_experts));
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_moe_layer)));
    tgr_moe_layer *made = memory;
    tgr_status status = TGR_OK;
    made->context = context;
    made->layer = layer;
    made->init_std = tgr_option_f64(config, TGR_OPTION_INIT_STD);
    made->routing.experts = options.experts;
    made->routing.top_k = options.top_k;
    TGR_TRY_DONE(tgr_layer_router_open(&made->router, &options, shape, parameters, config, prefix));
    TGR_TRY_DONE(tgr_allocate(context, &made->work.own, method_of(made)->work_bytes, 1));
    if (with_experts) TGR_TRY_DONE(declare_experts(made, config, prefix));
    *out = made;
done:
    if (status != TGR_OK) tgr_moe_layer_free(made);
    return status;
}

void tgr_moe_layer_free(tgr_moe_layer *layer) {
    if (layer == NULL) return;
    if (layer->work.own != NULL) tgr_release(layer->context, layer->work.own, method_of(layer)->work_bytes, 1);
    tgr_layer_router_close(&layer->router);
    tgr_release(layer->context, layer, 1, sizeof *layer);
}

void tgr_moe_layer_initialise(tgr_moe_layer *layer) {
    if (method_of(layer)->initialise != NULL) method_of(layer)->initialise(&layer->router);
    if (layer->experts.count > 0) tgr_experts_initialise(&layer->experts, layer->init_std);
    if (layer->shared.hidden > 0) tgr_shared_experts_initialise(&layer->shared, layer->init_std);
}

void tgr_moe_layer_set_sequence(tgr_moe_layer *layer, int64_t sequence) {
    layer->router.shape.sequence = sequence;
}

int tgr_moe_layer_wants_patches(const tgr_moe_layer *layer) {
    return method_of(layer)->reads_patches;
}

int64_t tgr_moe_layer_expert_size(const tgr_moe_layer *layer) {
    int64_t dim = layer->experts.ffn.fc1.inputs, hidden = layer->experts.ffn.fc1.outputs;
    return 2 * hidden * dim + hidden + dim;
}

static void plan_method(tgr_moe_layer *layer, tgr_arena *arena, int64_t tokens) {
    if (!arena->overflow && method_of(layer)->plan != NULL)
        method_of(layer)->plan(&layer->router, tokens, arena, &layer->work);
}

/* The method's own buffers hold its decisions: in TGR_TRAIN they are kept for backward. */
void tgr_moe_layer_plan(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    tgr_routing_plan(&layer->router, mode, arena, tokens, &layer->routing, &layer->work);
    if (mode == TGR_TRAIN) plan_method(layer, arena, tokens);
}

void tgr_moe_layer_plan_kept(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    if (arena->overflow) return;
    if (mode == TGR_EVAL) plan_method(layer, arena, tokens);
    if (layer->experts.count > 0)
        tgr_experts_plan_kept(&layer->experts, arena, tgr_layer_router_most_slots(&layer->router, mode, tokens));
    if (layer->shared.hidden > 0) tgr_shared_experts_plan_kept(&layer->shared, arena, tokens);
}

/* Shared experts run after the others: they use the same memory. */
void tgr_moe_layer_plan_work(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    int64_t start = arena->used;
    if (arena->overflow) return;
    if (layer->experts.count > 0)
        tgr_experts_plan_work(&layer->experts, mode, arena, tgr_layer_router_most_slots(&layer->router, mode, tokens));
    arena->used = start;
    if (layer->shared.hidden > 0) tgr_shared_experts_plan_work(&layer->shared, mode, arena, tokens);
}

static tgr_routing_pass pass_of(const tgr_moe_layer *layer, tgr_mode mode, int64_t tokens) {
    const tgr_layer_router *router = &layer->router;
    const tgr_parameters *parameters = router->parameters;
    return (tgr_routing_pass){
        .mode = mode,
        .tokens = tokens,
        .sequence = router->shape.sequence > 0 ? router->shape.sequence : tokens,
        .step = parameters->step,
        .random = {.seed = parameters->seed,
                   .step = (uint32_t)parameters->step,
                   .place = tgr_random_place(TGR_PLACE_ROUTER_NOISE, layer->layer, parameters->micro)},
        .override = mode == TGR_EVAL ? router->override : NULL};
}

/* Everything that is decided before the experts run. */
static void decide(tgr_moe_layer *layer, const tgr_layer_input *input) {
    tgr_layer_router *router = &layer->router;
    const tgr_method *method = router->method;
    const tgr_routing_pass *pass = &layer->pass;
    tgr_routing *routing = &layer->routing;
    tgr_scores *scores = &routing->scores;
    tgr_choices *choices = &routing->choices;
    routing->tokens = pass->tokens;
    routing->losses.term_count = 0;
    if (pass->mode == TGR_TRAIN)
        memset(routing->losses.dlogits, 0, (size_t)(pass->tokens * routing->experts) * sizeof(float));
    method->score(router, pass, input, &layer->work, scores);
    choices->gate_logits = scores->logits;
    choices->gate_probabilities = pass->override != NULL ? pass->override : scores->probabilities;
    method->route(router, pass, scores, &layer->work, choices);
    TGR_ASSERT(tgr_choices_are_sound(router, pass, choices));
    method->assign(router, pass, choices, &layer->work, &routing->slots);
    TGR_ASSERT(tgr_slots_are_sound(router, pass, choices, &routing->slots));
    if (method->losses != NULL) method->losses(router, pass, scores, choices, &layer->work, &routing->losses);
}

/* x → the experts' output */
static void run_experts(tgr_moe_layer *layer, const float *x) {
    method_of(layer)->gather(&layer->router, &layer->pass, &layer->routing.slots, x, &layer->work,
                             layer->experts.slots_in);
    tgr_experts_forward(&layer->experts, layer->routing.slots.first_slot);
}

/* The experts' output → y */
static void combine(tgr_moe_layer *layer, const float *x, float *y) {
    const tgr_routing *routing = &layer->routing;
    method_of(layer)->combine(&layer->router, &layer->pass, &routing->choices, &routing->slots,
                              layer->experts.slots_out, &layer->work, y);
    if (layer->shared.hidden > 0) tgr_shared_experts_forward(&layer->shared, layer->pass.tokens, x, y);
}

static void observe(tgr_moe_layer *layer) {
    if (layer->pass.mode != TGR_TRAIN || method_of(layer)->observe == NULL) return;
    method_of(layer)->observe(&layer->router, &layer->pass, &layer->routing.scores, &layer->routing.slots,
                              layer->experts.slots_out, &layer->work);
}

void tgr_moe_layer_forward(tgr_moe_layer *layer, tgr_mode mode, int64_t tokens, const tgr_layer_input *input,
                           float *y) {
    layer->pass = pass_of(layer, mode, tokens);
    decide(layer, input);
    if (layer->experts.count == 0) return;
    run_experts(layer, input->x);
    observe(layer);
    combine(layer, input->x, y);
}

void tgr_moe_layer_recompute(tgr_moe_layer *layer, const tgr_layer_input *input, float *y) {
    run_experts(layer, input->x);
    combine(layer, input->x, y);
}

/* dgates → the gradients of the method's tensors, and dx [T, dim] = or += their part, unless NULL. */
static void router_backward(tgr_moe_layer *layer, const tgr_layer_input *input, int accumulate, float *dx) {
    TGR_ASSERT(layer->pass.mode == TGR_TRAIN);
    tgr_layer_router *router = &layer->router;
    const tgr_method *method = router->method;
    const tgr_routing *routing = &layer->routing;
    float *dlogits = layer->routing.losses.dlogits;
    if (router->options.task_gradient && method->route_backward != NULL)
        method->route_backward(router, &layer->pass, &routing->choices, &routing->slots, layer->work.dgates,
                               &layer->work, dlogits);
    method->score_backward(router, &layer->pass, input, dlogits, accumulate, &layer->work, dx);
    if (method->finish != NULL) method->finish(router, &layer->pass, &routing->choices, &layer->work);
}

void tgr_moe_layer_backward(tgr_moe_layer *layer, const tgr_layer_input *input, const float *dy, float *dx) {
    const tgr_method *method = method_of(layer);
    const tgr_layer_router *router = &layer->router;
    const tgr_slots *slots = &layer->routing.slots;
    tgr_experts *experts = &layer->experts;
    tgr_routing_work *work = &layer->work;
    int want_dx = dx != NULL || method->mixes_tokens;
    method->combine_backward(router, &layer->pass, &layer->routing.choices, slots, dy, experts->slots_out, work,
                             work->dgates, experts->slots_out);
    method->gather(router, &layer->pass, slots, input->x, work, experts->slots_in);
    tgr_experts_backward(experts, slots->first_slot, want_dx);
    if (want_dx) method->gather_backward(router, &layer->pass, slots, input->x, experts->slots_in, work, dx);
    if (layer->shared.hidden > 0) tgr_shared_experts_backward(&layer->shared, layer->pass.tokens, input->x, dy, dx);
    router_backward(layer, input, 1, dx);
}

void tgr_moe_layer_backward_from_gates(tgr_moe_layer *layer, const tgr_layer_input *input, const float *dgates,
                                       float *dx) {
    const uint8_t *kept = layer->routing.slots.kept;
    for (int64_t i = 0; i < layer->pass.tokens * layer->router.options.top_k; i++)
        layer->work.dgates[i] = kept[i] ? dgates[i] : 0;
    router_backward(layer, input, 0, dx);
}

const tgr_routing *tgr_moe_layer_routing(const tgr_moe_layer *layer) {
    return &layer->routing;
}

double tgr_moe_layer_divergence(tgr_moe_layer *layer, const float *teacher) {
    return tgr_guidance_divergence(&layer->router, &layer->pass, &layer->routing.scores, teacher, &layer->work);
}

void tgr_moe_layer_guide(tgr_moe_layer *layer, const float *teacher, double weight) {
    TGR_ASSERT(layer->pass.mode == TGR_TRAIN);
    tgr_guidance_backward(&layer->router, &layer->pass, &layer->routing.scores, teacher, weight,
                          layer->routing.losses.dlogits);
}

void tgr_moe_layer_set_override(tgr_moe_layer *layer, const float *probabilities, int64_t tokens) {
    layer->router.override = probabilities;
    layer->router.override_tokens = tokens;
}

const float *tgr_moe_layer_override(const tgr_moe_layer *layer, int64_t *tokens) {
    *tokens = layer->router.override_tokens;
    return layer->router.override;
}
