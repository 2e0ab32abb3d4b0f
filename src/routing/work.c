/* SPDX-License-Identifier: MIT */
/* Planning the record and the working memory of a router. */
#include "routing/work.h"

#include "routing/each.h"
#include "routing/method.h"

typedef struct sizes {
    int64_t tokens, experts, top_k, slots;
    int64_t trained_tokens; /* 0 for TGR_EVAL */
    int weighs_slots;
} sizes;

static void plan_slots(const sizes *n, tgr_arena *arena, tgr_slots *slots) {
    int64_t weighed_slots = n->weighs_slots ? n->slots : 0, weighed_tokens = n->weighs_slots ? n->tokens + 1 : 0;
    slots->kept = tgr_arena_take(arena, n->tokens, n->top_k, sizeof *slots->kept);
    slots->load = tgr_arena_take(arena, n->experts, 1, sizeof *slots->load);
    slots->first_slot = tgr_arena_take(arena, n->experts + 1, 1, sizeof *slots->first_slot);
    slots->slot_of_choice = tgr_arena_take(arena, n->tokens, n->top_k, sizeof *slots->slot_of_choice);
    slots->token_of_slot = tgr_arena_take(arena, n->slots, 1, sizeof *slots->token_of_slot);
    slots->gate_of_slot = tgr_arena_floats(arena, weighed_slots, 1);
    slots->first_slot_of_token = tgr_arena_take(arena, weighed_tokens, 1, sizeof *slots->first_slot_of_token);
    slots->slots_of_token = tgr_arena_take(arena, weighed_slots, 1, sizeof *slots->slots_of_token);
}

static void plan_record(const sizes *n, tgr_arena *arena, tgr_routing *routing) {
    routing->scores.logits = tgr_arena_floats(arena, n->tokens, n->experts);
    routing->scores.probabilities = tgr_arena_floats(arena, n->tokens, n->experts);
    routing->choices.experts = tgr_arena_take(arena, n->tokens, n->top_k, sizeof *routing->choices.experts);
    routing->choices.gates = tgr_arena_floats(arena, n->tokens, n->top_k);
    plan_slots(n, arena, &routing->slots);
    routing->losses.dlogits = tgr_arena_floats(arena, n->trained_tokens, n->experts);
}

static void plan_work(const sizes *n, int noise, tgr_arena *arena, tgr_routing_work *work) {
    int64_t noisy_tokens = noise ? n->trained_tokens : 0;
    work->noisy_logits = tgr_arena_floats(arena, noisy_tokens, n->experts);
    work->noisy_probabilities = tgr_arena_floats(arena, noisy_tokens, n->experts);
    if (n->weighs_slots)
        work->dgates = tgr_arena_floats(arena, n->trained_tokens > 0 ? n->slots : 0, 1);
    else
        work->dgates = tgr_arena_floats(arena, n->trained_tokens, n->top_k);
    work->partial = tgr_arena_take(arena, tgr_each_blocks(n->tokens), n->experts, sizeof *work->partial);
    work->sums = tgr_arena_take(arena, n->experts, 1, sizeof *work->sums);
    work->factors = tgr_arena_take(arena, n->experts, 1, sizeof *work->factors);
    work->priority = tgr_arena_take(arena, n->tokens, 1, sizeof *work->priority);
    work->order = tgr_arena_take(arena, n->tokens, 1, sizeof *work->order);
    work->order_before = tgr_arena_take(arena, n->tokens, 1, sizeof *work->order_before);
    work->next_slot = tgr_arena_take(arena, n->experts, 1, sizeof *work->next_slot);
}

void tgr_routing_plan(const tgr_layer_router *router, tgr_mode mode, tgr_arena *arena, int64_t tokens,
                      tgr_routing *routing, tgr_routing_work *work) {
    sizes n = {.tokens = tokens,
               .experts = router->options.experts,
               .top_k = router->options.top_k,
               .slots = tokens < 0 ? -1 : tgr_layer_router_most_slots(router, mode, tokens),
               .trained_tokens = mode == TGR_TRAIN ? tokens : 0,
               .weighs_slots = router->method->weighs_slots};
    int64_t choices;
    /* Slots and tokens are numbered with 32 bits. */
    if (n.slots < 0 || n.slots > INT32_MAX || !tgr_multiply(tokens, n.top_k, &choices) || choices > INT32_MAX) {
        arena->overflow = 1;
        return;
    }
    plan_record(&n, arena, routing);
    plan_work(&n, router->options.noise > 0, arena, work);
}
