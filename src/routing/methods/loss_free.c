/* SPDX-License-Identifier: MIT */
/* Balance without a loss (Wang et al., arXiv 2408.15664; DeepSeek-V3, arXiv 2412.19437): tokens select the top K of
 * p + b and weigh them by p, so that b moves tokens, and no gradient.
 *
 *     p = softmax(W x),     y = Σ_{e ∈ TopK(p + b)} p_e · expert_e(x)
 *     after each optimizer step:   b_e += bias_rate · sign(mean load - load_e)
 *
 * The load is the choices that fell on e in all micro-batches of the step, before capacity. Whoever reads choices finds
 * them by falling p + b: top-1 is the largest of these. An oracle's probabilities are taken without b.
 *
 * A step's loads wait in router.load until a pass sees that the step was taken. Evaluation may be the first to see it:
 * it uses the bias that follows, and leaves the tensors to the next pass in training. */
#include <string.h>

#include "base/status.h"
#include "routing/each.h"
#include "routing/gates/topk.h"
#include "routing/methods/parts.h"

typedef struct loss_free_own {
    /* State tensors: b [E] as of the last step seen in training; [E + 1] the loads of the step under way (exact up to
     * 2^24), and its number. */
    int64_t bias, load;
    double rate;
} loss_free_own;

typedef struct loss_free_work {
    float *bias;   /* [E], b of this pass */
    float *biased; /* [T, E], p + b */
} loss_free_work;

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    loss_free_own *own = router->own;
    int64_t experts = router->options.experts, numbers = experts + 1;
    own->rate = tgr_option_f64(config, TGR_OPTION_BIAS_RATE);
    TGR_TRY(tgr_linear_router_declare(router, config, prefix));
    TGR_TRY(tgr_layer_router_add(router, &own->bias, prefix, "router.bias", TGR_TENSOR_STATE, 1, &experts));
    return tgr_layer_router_add(router, &own->load, prefix, "router.load", TGR_TENSOR_STATE, 1, &numbers);
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    loss_free_work *mine = work->own;
    mine->bias = tgr_arena_floats(arena, router->options.experts, 1);
    mine->biased = tgr_arena_floats(arena, tokens, router->options.experts);
}

/* Steps as numbers that a float32 holds exactly. */
static float step_number(const tgr_routing_pass *pass) {
    return (float)(pass->step & 0xffffff);
}

/* bias [E] moved by a step that was taken since the loads were counted. All loads 0: nothing moves. */
static void move_bias(const tgr_layer_router *router, const tgr_routing_pass *pass, float *bias) {
    const loss_free_own *own = router->own;
    int64_t experts = router->options.experts;
    const float *load = tgr_value(router->parameters, own->load);
    double mean = 0;
    if (load[experts] == step_number(pass)) return;
    for (int64_t e = 0; e < experts; e++) mean += load[e];
    mean /= (double)experts;
    for (int64_t e = 0; e < experts; e++) bias[e] += (float)(own->rate * ((mean > load[e]) - (mean < load[e])));
}

static void begin(tgr_layer_router *router, const tgr_routing_pass *pass) {
    const loss_free_own *own = router->own;
    move_bias(router, pass, tgr_value(router->parameters, own->bias));
    tgr_value(router->parameters, own->load)[router->options.experts] = step_number(pass);
}

typedef struct choice_job {
    const tgr_router_options *options;
    const float *bias; /* [E] */
    float *biased;     /* [T, E] */
    tgr_choices *choices;
} choice_job;

static void choose(const void *data, int64_t token) {
    const choice_job *job = data;
    int64_t experts = job->options->experts, top_k = job->options->top_k;
    const float *p = job->choices->gate_probabilities + token * experts;
    float *biased = job->biased + token * experts;
    int32_t *chosen = job->choices->experts + token * top_k;
    for (int64_t e = 0; e < experts; e++) biased[e] = p[e] + job->bias[e];
    tgr_top_k(biased, experts, top_k, chosen);
    tgr_gate_token(job->options, p, chosen, job->choices->gates + token * top_k);
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    const loss_free_own *own = router->own;
    const loss_free_work *mine = work->own;
    size_t bytes = (size_t)router->options.experts * sizeof *mine->bias;
    choice_job job = {.options = &router->options, .bias = mine->bias, .biased = mine->biased, .choices = choices};
    (void)scores;
    if (pass->override != NULL) {
        tgr_choose_experts(router, pass, choices);
        return;
    }
    memcpy(mine->bias, tgr_value(router->parameters, own->bias), bytes);
    move_bias(router, pass, mine->bias);
    tgr_each(router->compute, pass->tokens, choose, &job);
}

static void finish(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices) {
    const loss_free_own *own = router->own;
    float *load = tgr_value(router->parameters, own->load);
    /* The first of a step: what an abandoned one left, whose gradients were thrown away, does not count. */
    if (pass->micro == 0) memset(load, 0, (size_t)router->options.experts * sizeof *load);
    for (int64_t i = 0; i < pass->tokens * router->options.top_k; i++) load[choices->experts[i]] += 1;
}

const tgr_method tgr_method_loss_free = {TGR_LINEAR_SCORES,
                                         TGR_TOKEN_CHOICE,
                                         .own_bytes = sizeof(loss_free_own),
                                         .work_bytes = sizeof(loss_free_work),
                                         .declare = declare,
                                         .initialise = tgr_linear_router_initialise,
                                         .plan = plan,
                                         .begin = begin,
                                         .route = route,
                                         .losses = tgr_balance_losses,
                                         .route_backward = tgr_softmax_gate_backward,
                                         .finish = finish};
