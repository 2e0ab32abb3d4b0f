/* SPDX-License-Identifier: MIT */
/* Parameters, a layer and a growing arena in one struct. */
#include "routing/handles/standalone.h"

#include <math.h>

#include "base/assert.h"
#include "base/status.h"

#define MAX_DIM 65536

static tgr_status build(tgr_standalone *standalone, const tgr_config *config, int64_t dim, int with_experts) {
    tgr_context *context = standalone->context;
    standalone->dim = dim;
    standalone->can_be_guided = tgr_option_is_used(config, TGR_OPTION_DISTILL_WEIGHT);
    TGR_TRY(tgr_parameters_create(&standalone->parameters, context));
    TGR_TRY(tgr_moe_layer_create(&standalone->layer, context, config, standalone->parameters, "",
                                 &(tgr_layer_shape){.dim = dim}, 0, with_experts));
    TGR_TRY(tgr_config_check_methods(config));
    TGR_TRY(tgr_parameters_seal(standalone->parameters));
    tgr_moe_layer_initialise(standalone->layer);
    return TGR_OK;
}

tgr_status tgr_standalone_open(tgr_standalone *standalone, tgr_context *context, const tgr_config *config, int64_t dim,
                               int with_experts) {
    if (dim < 1 || dim > MAX_DIM)
        return tgr_fail(TGR_ERROR_RANGE, "argument 'dim' is %lld; it must be 1 to %d", (long long)dim, MAX_DIM);
    standalone->context = context;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(build(standalone, config, dim, with_experts));
done:
    if (status != TGR_OK) tgr_standalone_close(standalone);
    return status;
}

void tgr_standalone_close(tgr_standalone *standalone) {
    tgr_release(standalone->context, standalone->memory, (size_t)standalone->memory_bytes, 1);
    tgr_moe_layer_free(standalone->layer);
    tgr_parameters_release(standalone->parameters);
}

tgr_status tgr_standalone_set_sequence(tgr_standalone *standalone, int64_t tokens_per_sequence) {
    if (tokens_per_sequence < 0)
        return tgr_fail(TGR_ERROR_RANGE,
                        "argument 'tokens_per_sequence' is %lld; it must be at least 0; 0 is the whole batch",
                        (long long)tokens_per_sequence);
    standalone->sequence = tokens_per_sequence;
    return TGR_OK;
}

static void plan_layer(tgr_standalone *standalone, tgr_arena *arena, int64_t tokens) {
    tgr_moe_layer_plan(standalone->layer, TGR_TRAIN, arena, tokens);
    tgr_moe_layer_plan_kept(standalone->layer, TGR_TRAIN, arena, tokens);
    tgr_moe_layer_plan_work(standalone->layer, TGR_TRAIN, arena, tokens);
}

static void plan(tgr_standalone *standalone) {
    if (standalone->memory == NULL) return;
    tgr_arena arena = {.base = standalone->memory, .capacity = standalone->memory_bytes};
    plan_layer(standalone, &arena, standalone->tokens);
    TGR_ASSERT(!arena.overflow);
}

/* Buffers for up to `tokens` tokens, in images of the requested size, in new memory. */
static tgr_status grow(tgr_standalone *standalone, int64_t tokens) {
    tgr_arena count = {0};
    void *memory = NULL;
    tgr_moe_layer_set_sequence(standalone->layer, standalone->sequence);
    plan_layer(standalone, &count, tokens);
    tgr_status status = TGR_OK;
    if (count.overflow)
        TGR_TRY_DONE(tgr_fail(TGR_ERROR_OVERFLOW,
                              "argument 'tokens' is %lld; the buffers for that many are too large to address",
                              (long long)tokens));
    TGR_TRY_DONE(tgr_allocate(standalone->context, &memory, (size_t)count.peak, 1));
    tgr_release(standalone->context, standalone->memory, (size_t)standalone->memory_bytes, 1);
    standalone->memory = memory;
    standalone->memory_bytes = count.peak;
    standalone->tokens = tokens;
    standalone->planned_sequence = standalone->sequence;
done:
    tgr_moe_layer_set_sequence(standalone->layer, standalone->planned_sequence);
    plan(standalone); /* counting has unset the layer's buffers: set the new ones, or the old ones again */
    return status;
}

tgr_status tgr_standalone_prepare(tgr_standalone *standalone, tgr_mode mode, const float *x, int64_t tokens) {
    if (mode != TGR_EVAL && mode != TGR_TRAIN)
        return tgr_fail(TGR_ERROR_RANGE, "argument 'mode' is %d; it must be TGR_EVAL (0) or TGR_TRAIN (1)", (int)mode);
    if (x == NULL) return tgr_fail(TGR_ERROR_ARGUMENT, "argument 'x' is NULL; a pointer is needed");
    if (tokens < 1)
        return tgr_fail(TGR_ERROR_RANGE, "argument 'tokens' is %lld; it must be at least 1", (long long)tokens);
    if (standalone->sequence > 0 && tokens % standalone->sequence != 0)
        return tgr_fail(TGR_ERROR_SHAPE,
                        "argument 'tokens' is %lld; it must be a multiple of the tokens of a sequence, %lld",
                        (long long)tokens, (long long)standalone->sequence);
    if (tokens > standalone->tokens || standalone->sequence != standalone->planned_sequence)
        TGR_TRY(grow(standalone, tokens > standalone->tokens ? tokens : standalone->tokens));
    standalone->input = (tgr_layer_input){.x = x};
    standalone->can_backward = mode == TGR_TRAIN;
    standalone->mark = tgr_parameters_mark(standalone->parameters);
    return TGR_OK;
}

tgr_status tgr_standalone_check_backward(const tgr_standalone *standalone) {
    TGR_REQUIRE(standalone->can_backward, TGR_ERROR_STATE,
                "a forward pass in TGR_TRAIN is needed before each backward");
    TGR_REQUIRE(!tgr_parameters_changed(standalone->parameters, standalone->mark), TGR_ERROR_STATE,
                "the weights have changed since the forward pass; another one in TGR_TRAIN is needed");
    return TGR_OK;
}

tgr_status tgr_standalone_check_buffers(const tgr_standalone *standalone, const char *name, const float *gradient,
                                        int64_t columns, const float *x_gradient) {
    int64_t tokens = tgr_moe_layer_routing(standalone->layer)->tokens, dim = standalone->dim;
    if (x_gradient == NULL) return TGR_OK;
    TGR_REQUIRE(!tgr_rows_overlap(tokens, gradient, columns, x_gradient, dim), TGR_ERROR_ARGUMENT,
                "arguments '%s' and 'x_gradient' overlap; two buffers are needed", name);
    TGR_REQUIRE(!tgr_rows_overlap(tokens, standalone->input.x, dim, x_gradient, dim), TGR_ERROR_ARGUMENT,
                "argument 'x_gradient' overlaps the 'x' of the forward pass; two buffers are needed");
    return TGR_OK;
}

void tgr_standalone_finish_backward(tgr_standalone *standalone) {
    standalone->can_backward = 0;
    standalone->parameters->micro++;
}

tgr_status tgr_standalone_guide(tgr_standalone *standalone, const float *teacher, double weight, double *divergence) {
    if (teacher == NULL) return tgr_fail(TGR_ERROR_ARGUMENT, "argument 'teacher' is NULL; a pointer is needed");
    if (!(isfinite(weight) && weight >= 0))
        return tgr_fail(TGR_ERROR_RANGE, "argument 'weight' is %g; it must be finite and at least 0", weight);
    if (!standalone->can_be_guided)
        return tgr_fail(TGR_ERROR_UNSUPPORTED, "a method without a softmax router cannot be guided");
    TGR_TRY(tgr_standalone_check_backward(standalone));
    if (divergence != NULL) *divergence = tgr_moe_layer_divergence(standalone->layer, teacher);
    tgr_moe_layer_guide(standalone->layer, teacher, weight);
    return TGR_OK;
}
