/* SPDX-License-Identifier: MIT */
/* Expert Choice (Zhou et al., NeurIPS 2022, arXiv 2202.09368): experts choose tokens, so that loads are equal by
 * construction and a token has as many experts as want it, from none to all.
 *
 *     p = softmax(W x)                             [T, E], over the experts
 *     C = ceil(T · capacity_factor / E), at most T
 *     S_e = the C tokens with the largest p_{·,e}, ties to the lower token
 *     y_t = Σ_{e: t ∈ S_e} p_{t,e} · expert_e(x_t)
 *
 * The tokens compete within the whole batch, in evaluation too: a token's outcome depends on its batch. Without a limit
 * there would be nothing to choose, so a capacity factor of 0 is not allowed. There is no K; each token has one choice
 * on record (top-1): of the experts that took it, the one with the largest p, or, if none did, the router's first,
 * which is not kept. */
#include "base/assert.h"
#include "base/status.h"
#include "routing/each.h"
#include "routing/gates/topk.h"
#include "routing/methods/parts.h"
#include "routing/slots/falling_key.h"

typedef struct expert_choice_work {
    int32_t *taken; /* [E, C], S_e ascending: the token of each slot */
} expert_choice_work;

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    const char *keys[] = {[TGR_TRAIN] = "capacity_factor", [TGR_EVAL] = "eval_capacity_factor"};
    for (int mode = 0; mode < 2; mode++)
        TGR_REQUIRE(router->options.capacity_factor[mode] > 0, TGR_ERROR_RANGE,
                    "option '%s' is 0; method 'expert-choice' needs a number above 0: an expert takes tokens*%s/E "
                    "tokens",
                    keys[mode], keys[mode]);
    return tgr_linear_router_declare(router, config, prefix);
}

static int64_t most_slots(const tgr_layer_router *router, tgr_mode mode, int64_t tokens) {
    int64_t capacity = tgr_capacity(&router->options, TGR_EVAL, tokens), slots;
    if (mode == TGR_TRAIN) {
        int64_t train = tgr_capacity(&router->options, TGR_TRAIN, tokens);
        capacity = train > capacity ? train : capacity;
    }
    return tgr_multiply(capacity, router->options.experts, &slots) ? slots : -1;
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    expert_choice_work *buffers = work->own;
    buffers->taken = tgr_arena_take(arena, most_slots(router, TGR_TRAIN, tokens), 1, sizeof *buffers->taken);
}

/* The column of one expert: p of token t at column[t · stride]. */
typedef struct column {
    const float *p;
    int64_t count, stride;
} column;

/* The key of rank `rank` (from 0) among the keys of the column, byte by byte from the highest: each pass counts the
 * keys that share the bytes found so far. *below receives how many keys are smaller. */
static uint32_t key_of_rank(const column *tokens, int64_t rank, int64_t *below) {
    uint32_t found = 0, mask = 0;
    *below = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        int64_t keys[256] = {0};
        uint32_t byte = 0;
        for (int64_t t = 0; t < tokens->count; t++) {
            uint32_t key = tgr_falling_key(tokens->p[t * tokens->stride]);
            if ((key & mask) == found) keys[(key >> shift) & 255]++;
        }
        while (*below + keys[byte] <= rank) *below += keys[byte++];
        found |= byte << shift;
        mask |= UINT32_C(255) << shift;
    }
    return found;
}

typedef struct choice_job {
    int64_t tokens, experts, capacity;
    const float *p;         /* [T, E] */
    int32_t *taken;         /* [E, C] */
    tgr_choices *choices;   /* while being made */
    const tgr_slots *slots; /* once they are made */
    const float *dgates;    /* [S] */
    float *dlogits;         /* [T, E] */
} choice_job;

static choice_job job_of(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices) {
    return (choice_job){.tokens = pass->tokens,
                        .experts = router->options.experts,
                        .capacity = tgr_capacity(&router->options, pass->mode, pass->tokens),
                        .p = choices->gate_probabilities};
}

/* One expert takes its C best tokens, in ascending order: all that are better than the worst one taken, and the first
 * of its equals. */
static void take_tokens(void *data, int64_t expert, int worker) {
    const choice_job *job = data;
    int64_t better;
    int32_t *taken = job->taken + expert * job->capacity;
    column tokens = {.p = job->p + expert, .count = job->tokens, .stride = job->experts};
    uint32_t worst = key_of_rank(&tokens, job->capacity - 1, &better);
    int64_t equals = job->capacity - better;
    (void)worker;
    for (int64_t t = 0; t < tokens.count; t++) {
        uint32_t key = tgr_falling_key(tokens.p[t * tokens.stride]);
        if (key < worst || (key == worst && equals-- > 0)) *taken++ = (int32_t)t;
    }
    TGR_ASSERT(taken == job->taken + (expert + 1) * job->capacity);
}

/* Of the experts that took a token, the one with the largest p, ties to the lower; -1 if none did. */
static void find_best_taker(const choice_job *job, int32_t *best) {
    for (int64_t t = 0; t < job->tokens; t++) best[t] = -1;
    for (int64_t e = 0; e < job->experts; e++) {
        for (int64_t i = e * job->capacity; i < (e + 1) * job->capacity; i++) {
            int64_t t = job->taken[i];
            const float *p = job->p + t * job->experts;
            if (best[t] < 0 || tgr_falling_key(p[e]) < tgr_falling_key(p[best[t]])) best[t] = (int32_t)e;
        }
    }
}

static void record_choice(const void *data, int64_t token) {
    const choice_job *job = data;
    const float *p = job->p + token * job->experts;
    int32_t *expert = &job->choices->experts[token];
    if (*expert < 0) tgr_top_k(p, job->experts, 1, expert);
    job->choices->gates[token] = p[*expert];
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    choice_job job = job_of(router, pass, choices);
    (void)scores;
    job.taken = ((expert_choice_work *)work->own)->taken;
    job.choices = choices;
    tgr_parallel(router->compute, job.experts, take_tokens, &job);
    find_best_taker(&job, choices->experts);
    tgr_each(router->compute, pass->tokens, record_choice, &job);
}

static void assign(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   tgr_routing_work *work, tgr_slots *slots) {
    const choice_job job = job_of(router, pass, choices);
    const expert_choice_work *buffers = work->own;
    tgr_assign_equally(job.experts, job.capacity, slots);
    for (int64_t t = 0; t < pass->tokens; t++) slots->slot_of_choice[t] = -1;
    for (int64_t e = 0; e < job.experts; e++) {
        for (int64_t slot = slots->first_slot[e]; slot < slots->first_slot[e + 1]; slot++) {
            int32_t token = buffers->taken[slot];
            slots->token_of_slot[slot] = token;
            slots->gate_of_slot[slot] = job.p[token * job.experts + e];
            if (choices->experts[token] == e) slots->slot_of_choice[token] = (int32_t)slot;
        }
    }
    for (int64_t t = 0; t < pass->tokens; t++) slots->kept[t] = slots->slot_of_choice[t] >= 0;
    tgr_index_slots(pass->tokens, slots);
}

/* With g_e = dp_{t,e}, zero except for the experts that took t: dl = p ⊙ (g - Σ_e p_e · g_e). */
static void backward_token(const void *data, int64_t token) {
    const choice_job *job = data;
    const float *p = job->p + token * job->experts;
    const int32_t *slots = job->slots->slots_of_token + job->slots->first_slot_of_token[token];
    int64_t count = job->slots->first_slot_of_token[token + 1] - job->slots->first_slot_of_token[token];
    float *dlogits = job->dlogits + token * job->experts;
    double average = 0;
    if (count == 0) return;
    for (int64_t i = 0; i < count; i++) average += (double)job->dgates[slots[i]] * p[slots[i] / job->capacity];
    for (int64_t e = 0; e < job->experts; e++) dlogits[e] -= (float)(p[e] * average);
    for (int64_t i = 0; i < count; i++)
        dlogits[slots[i] / job->capacity] += p[slots[i] / job->capacity] * job->dgates[slots[i]];
}

static void route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    choice_job job = job_of(router, pass, choices);
    (void)work;
    job.slots = slots;
    job.dgates = dgates;
    job.dlogits = dlogits;
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

const tgr_method tgr_method_expert_choice = {TGR_LINEAR_SCORES,
                                             TGR_SLOT_GATES,
                                             .work_bytes = sizeof(expert_choice_work),
                                             .declare = declare,
                                             .initialise = tgr_linear_router_initialise,
                                             .most_slots = most_slots,
                                             .plan = plan,
                                             .route = route,
                                             .assign = assign,
                                             .losses = tgr_balance_losses,
                                             .route_backward = route_backward};
