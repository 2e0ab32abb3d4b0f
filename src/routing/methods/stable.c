/* SPDX-License-Identifier: MIT */
/* StableMoE (Dai et al., ACL 2022, arXiv 2204.08396): learn a routing, then freeze it. K is 1.
 *
 * With the learned scores s_{t,i} = E_i · x_t, E the experts' centroids, and the distilled scores ŝ_t = Ê · D(X_t) of
 * distilled_router.h, a token's expert is
 *
 *     a_t = argmax_i s_{t,i}     in training during stage 1
 *     a_t = argmax_i ŝ_{t,i}     in training during stage 2, and in evaluation always
 *
 * and the layer's output σ(s_{t,a}) · FFN_a(x_t), in both stages with the learned s. There are two losses, only in
 * training in stage 1; evaluation and stage 2 have only the task's. With A_i the tokens of expert i in this batch and n
 * = T / E, both are means per token:
 *
 *     balance  stable_balance_weight / T · Σ_i (|A_i| - n) / n · Σ_{t in A_i} σ(s_{t,i})     the counts are constants
 *     distill  stable_distill_weight / T · Σ_t CE(ŝ_t, a_t)                                  a_t is a constant
 *
 * Stage 2 begins at the first step that is not before stable_stage1 · total_steps. Without total_steps it never does,
 * unless stable_stage1 is 0. From then on D and Ê are frozen (tgr_tensor.frozen_from), so the routing of an image never
 * changes again; E continues to learn through the gate. The stage depends only on the step: there is no state to save.
 *
 * The record's logits are the scores that decided, s or ŝ, and its probabilities their softmax; dlogits is always the
 * gradient of s. */
#include "base/initialise.h"
#include "base/status.h"
#include "base/step_share.h"
#include "kernels/parallel_rows.h"
#include "routing/each.h"
#include "routing/gates/sigmoid_gate.h"
#include "routing/losses/parts.h"
#include "routing/methods/distilled_router.h"
#include "routing/methods/parts.h"

typedef struct stable_own {
    tgr_distilled_router distilled;
    double balance_weight, distill_weight;
    uint64_t stage2; /* its first step */
} stable_own;

typedef struct stable_work {
    tgr_distilled_work distilled;
    float *other_scores; /* [T, E]: ŝ in training during stage 1, else s; the record's logits are those that choose */
} stable_work;

static uint64_t first_step_of_stage2(const tgr_config *config) {
    double share = tgr_option_f64(config, TGR_OPTION_STABLE_STAGE1);
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    if (share == 0) return 0;
    return total == 0 ? TGR_NEVER_FROZEN : tgr_step_of_share(share, total);
}

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    stable_own *own = router->own;
    own->balance_weight = tgr_option_f64(config, TGR_OPTION_STABLE_BALANCE_WEIGHT);
    own->distill_weight = tgr_option_f64(config, TGR_OPTION_STABLE_DISTILL_WEIGHT);
    own->stage2 = first_step_of_stage2(config);
    TGR_TRY(tgr_linear_router_declare_as(router, prefix, "router.centroids"));
    return tgr_distilled_router_declare(&own->distilled, router, prefix,
                                        tgr_option_i64(config, TGR_OPTION_STABLE_WIDTH), own->stage2);
}

static void initialise(tgr_layer_router *router) {
    const stable_own *own = router->own;
    tgr_initialise_orthogonal(router->parameters, router->linear.weight, TGR_STABLE_GAIN);
    tgr_distilled_router_initialise(&own->distilled, router);
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    const stable_own *own = router->own;
    stable_work *buffers = work->own;
    buffers->other_scores = tgr_arena_floats(arena, tokens, router->options.experts);
    tgr_distilled_router_plan(&own->distilled, router, tokens, arena, &buffers->distilled);
}

/* Whether the pass is in training, in stage 1. */
static int is_learning(const tgr_layer_router *router, const tgr_routing_pass *pass) {
    return pass->mode == TGR_TRAIN && pass->step < ((const stable_own *)router->own)->stage2;
}

static void score(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                  tgr_routing_work *work, tgr_scores *scores) {
    const stable_own *own = router->own;
    stable_work *buffers = work->own;
    int learning = is_learning(router, pass);
    tgr_linear_forward(&router->linear, pass->tokens, input->x, learning ? scores->logits : buffers->other_scores, 0);
    tgr_distilled_router_score(&own->distilled, router, pass, input->patches, &buffers->distilled,
                               learning ? buffers->other_scores : scores->logits);
    tgr_softmax_rows(router->compute, pass->tokens, router->options.experts, 1.0f, scores->logits,
                     scores->probabilities, NULL);
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    const stable_work *buffers = work->own;
    tgr_choose_experts(router, pass, scores->logits, choices);
    tgr_sigmoid_gate(router, pass, is_learning(router, pass) ? scores->logits : buffers->other_scores, choices);
}

typedef struct gate_job {
    int64_t experts;
    const tgr_choices *choices;
    const double *factors; /* [E], ∂balance/∂g for the tokens of each expert */
    const float *dgates;   /* [T] */
    float *dlogits;        /* [T, E] */
} gate_job;

static void add_gate(const void *data, int64_t token, double *sum) {
    const gate_job *job = data;
    sum[job->choices->experts[token]] += job->choices->gates[token];
}

/* Adds dgate · σ' to the gradient of the one score that a token's gate comes from. */
static void add_through_gate(const gate_job *job, int64_t token, double dgate) {
    double gate = job->choices->gates[token];
    job->dlogits[token * job->experts + job->choices->experts[token]] += (float)(dgate * (gate * (1 - gate)));
}

static void balance_backward(const void *data, int64_t token) {
    const gate_job *job = data;
    add_through_gate(job, token, job->factors[job->choices->experts[token]]);
}

static void balance_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                         double weight, tgr_routing_work *work, tgr_losses *losses) {
    int64_t experts = router->options.experts;
    double tokens = (double)pass->tokens, even = tokens / (double)experts, value = 0, *factors = work->factors;
    gate_job job = {.experts = experts, .choices = choices, .factors = factors, .dlogits = losses->dlogits};
    tgr_sum_each(router->compute, pass->tokens, add_gate, &job, experts, work->partial, work->sums);
    tgr_count_choices(router, pass, choices, factors); /* |A_i| */
    for (int64_t e = 0; e < experts; e++) {
        factors[e] = weight / tokens * (factors[e] - even) / even;
        value += factors[e] * work->sums[e];
    }
    tgr_losses_add(losses, "stable_balance", value);
    tgr_each(router->compute, pass->tokens, balance_backward, &job);
}

static void losses(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                   const tgr_choices *choices, tgr_routing_work *work, tgr_losses *terms) {
    const stable_own *own = router->own;
    stable_work *buffers = work->own;
    (void)scores;
    if (!is_learning(router, pass)) return;
    if (own->balance_weight > 0) balance_loss(router, pass, choices, own->balance_weight, work, terms);
    if (own->distill_weight > 0)
        tgr_losses_add(terms, "stable_distill",
                       tgr_distilled_router_imitate(router, pass, buffers->other_scores, choices, own->distill_weight,
                                                    work, &buffers->distilled));
}

static void gate_backward(const void *data, int64_t token) {
    const gate_job *job = data;
    add_through_gate(job, token, job->dgates[token]);
}

static void route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    gate_job job = {.experts = router->options.experts, .choices = choices, .dgates = dgates, .dlogits = dlogits};
    (void)slots, (void)work;
    tgr_each(router->compute, pass->tokens, gate_backward, &job);
}

static void score_backward(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                           const float *dlogits, int accumulate, tgr_routing_work *work, float *dx) {
    const stable_own *own = router->own;
    stable_work *buffers = work->own;
    tgr_linear_router_backward(router, pass, input, dlogits, accumulate, work, dx);
    if (is_learning(router, pass) && own->distill_weight > 0)
        tgr_distilled_router_backward(&own->distilled, router, pass, input->patches, &buffers->distilled);
}

const tgr_method tgr_method_stable = {TGR_TOKEN_CHOICE,
                                      .reads_patches = 1,
                                      .own_bytes = sizeof(stable_own),
                                      .work_bytes = sizeof(stable_work),
                                      .declare = declare,
                                      .initialise = initialise,
                                      .plan = plan,
                                      .score = score,
                                      .route = route,
                                      .losses = losses,
                                      .route_backward = route_backward,
                                      .score_backward = score_backward};
