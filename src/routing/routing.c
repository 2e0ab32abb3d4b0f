/* SPDX-License-Identifier: MIT */
/* The routing record: its options, its buffers, its terms. */
#include "routing/routing.h"

#include <stdio.h>

#include "base/options.h"
#include "base/status.h"
#include "routing/method.h"
#include "routing/slots/token_sum.h"

tgr_status tgr_router_options_read(tgr_router_options *options, const tgr_config *config) {
    int method = (int)tgr_option_i64(config, TGR_OPTION_METHOD);
    int64_t experts = tgr_option_i64(config, TGR_OPTION_EXPERTS), top_k = tgr_option_i64(config, TGR_OPTION_TOP_K);
    TGR_REQUIRE(method != TGR_METHOD_DENSE, TGR_ERROR_RANGE,
                "option 'method' is dense; a method with experts is needed, such as vmoe or tgr");
    TGR_REQUIRE(tgr_method_find(method) != NULL, TGR_ERROR_UNSUPPORTED,
                "option 'method' is %s, which this build does not have", tgr_method_name(method));
    TGR_REQUIRE(top_k <= experts, TGR_ERROR_RANGE, "option 'top_k' is %lld; at most 'experts', %lld, is allowed",
                (long long)top_k, (long long)experts);
    *options = (tgr_router_options){
        .method = method,
        .experts = experts,
        .top_k = top_k,
        .capacity_factor = {[TGR_TRAIN] = tgr_option_f64(config, TGR_OPTION_CAPACITY_FACTOR),
                            [TGR_EVAL] = tgr_option_f64(config, TGR_OPTION_EVAL_CAPACITY_FACTOR)},
        .batch_prioritized = (int)tgr_option_i64(config, TGR_OPTION_BATCH_PRIORITIZED),
        .renormalize = (int)tgr_option_i64(config, TGR_OPTION_RENORMALIZE),
        .task_gradient = (int)tgr_option_i64(config, TGR_OPTION_ROUTER_TASK_GRADIENT),
        .noise = tgr_option_f64(config, TGR_OPTION_ROUTER_NOISE),
        .importance_weight = tgr_option_f64(config, TGR_OPTION_IMPORTANCE_WEIGHT),
        .load_weight = tgr_option_f64(config, TGR_OPTION_LOAD_WEIGHT),
        .switch_weight = tgr_option_f64(config, TGR_OPTION_SWITCH_WEIGHT),
        .z_weight = tgr_option_f64(config, TGR_OPTION_Z_WEIGHT),
        .init_std = tgr_option_f64(config, TGR_OPTION_ROUTER_INIT_STD),
    };
    return TGR_OK;
}

int64_t tgr_routing_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens) {
    int64_t slots;
    if (routing->method != NULL && routing->method->most_slots != NULL)
        return routing->method->most_slots(routing, mode, tokens);
    return tgr_multiply(tokens, routing->options.top_k, &slots) ? slots : -1;
}

static void plan_slots(tgr_routing *routing, tgr_mode mode, tgr_arena *arena, int64_t tokens, int64_t slots) {
    int weighed = routing->method != NULL && routing->method->weighs_slots;
    int64_t weighed_slots = weighed ? slots : 0;
    routing->token_of_slot = tgr_arena_take(arena, slots, 1, sizeof *routing->token_of_slot);
    routing->gate_of_slot = tgr_arena_floats(arena, weighed_slots, 1);
    routing->slot_gates_gradient = tgr_arena_floats(arena, mode == TGR_TRAIN ? weighed_slots : 0, 1);
    routing->slots_of_token = tgr_arena_take(arena, weighed_slots, 1, sizeof *routing->slots_of_token);
    routing->first_slot_of_token =
        tgr_arena_take(arena, weighed ? tokens + 1 : 0, 1, sizeof *routing->first_slot_of_token);
}

void tgr_routing_plan(tgr_routing *routing, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    int64_t experts = routing->options.experts, top_k = routing->options.top_k, choices, slots;
    int64_t trained_tokens = mode == TGR_TRAIN ? tokens : 0;
    int64_t noisy_tokens = routing->options.noise > 0 ? trained_tokens : 0;
    /* Slots and tokens are numbered with 32 bits. */
    if (tokens < 0 || !tgr_multiply(tokens, top_k, &choices) || choices > INT32_MAX) {
        arena->overflow = 1;
        return;
    }
    slots = tgr_routing_most_slots(routing, mode, tokens);
    if (slots < 0 || slots > INT32_MAX) {
        arena->overflow = 1;
        return;
    }
    plan_slots(routing, mode, arena, tokens, slots);
    routing->logits = tgr_arena_floats(arena, tokens, experts);
    routing->probabilities = tgr_arena_floats(arena, tokens, experts);
    routing->noisy_logits = tgr_arena_floats(arena, noisy_tokens, experts);
    routing->noisy_probabilities = tgr_arena_floats(arena, noisy_tokens, experts);
    routing->logits_gradient = tgr_arena_floats(arena, trained_tokens, experts);
    routing->choices = tgr_arena_take(arena, tokens, top_k, sizeof *routing->choices);
    routing->gates = tgr_arena_floats(arena, tokens, top_k);
    routing->gates_gradient = tgr_arena_floats(arena, trained_tokens, top_k);
    routing->kept = tgr_arena_take(arena, tokens, top_k, sizeof *routing->kept);
    routing->slot_of_choice = tgr_arena_take(arena, tokens, top_k, sizeof *routing->slot_of_choice);
    routing->load = tgr_arena_take(arena, experts, 1, sizeof *routing->load);
    routing->cursor = tgr_arena_take(arena, experts, 1, sizeof *routing->cursor);
    routing->first_slot = tgr_arena_take(arena, experts + 1, 1, sizeof *routing->first_slot);
    routing->priority = tgr_arena_take(arena, tokens, 1, sizeof *routing->priority);
    routing->order = tgr_arena_take(arena, tokens, 1, sizeof *routing->order);
    routing->order_before = tgr_arena_take(arena, tokens, 1, sizeof *routing->order_before);
    routing->partial = tgr_arena_take(arena, tgr_token_blocks(tokens), experts, sizeof *routing->partial);
    routing->sums = tgr_arena_take(arena, experts, 1, sizeof *routing->sums);
    routing->factors = tgr_arena_take(arena, experts, 1, sizeof *routing->factors);
}

void tgr_routing_add_term(tgr_routing *routing, const char *name, double value) {
    if (routing->term_count < TGR_MAX_TERMS) routing->terms[routing->term_count++] = (tgr_term){name, value};
}

tgr_status tgr_routing_declare(tgr_routing *routing, int64_t *index, const char *prefix, const char *name,
                               unsigned flags, int ndim, const int64_t *dims) {
    char full[TGR_NAME_BYTES + 1]; /* a name cut off here is still too long for tgr_parameters_add */
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return tgr_parameters_add(routing->parameters, index, full, flags, ndim, dims);
}

tgr_status tgr_routing_keep(tgr_routing *routing, size_t bytes) {
    TGR_TRY(tgr_allocate(routing->parameters->context, &routing->method_state, bytes, 1));
    routing->method_state_bytes = bytes;
    return TGR_OK;
}
