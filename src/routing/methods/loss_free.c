/* SPDX-License-Identifier: MIT */
/* Balance without a loss (Wang et al., arXiv 2408.15664; DeepSeek-V3, arXiv 2412.19437): tokens select the top K of p +
 * b and weigh them by p, so that b moves tokens but no gradient.
 *
 *     p = softmax(W x),     y = Σ_{e ∈ TopK(p + b)} p_e · expert_e(x)
 *     after each optimizer step:   b_e += bias_rate · sign(mean load - load_e)
 *
 * The load of e is the number of choices of e in all micro-batches of the step, before capacity. Choices are recorded
 * by falling p + b: top-1 is the largest of these. An oracle's probabilities are used without b.
 *
 * A step's loads stay in router.load until a pass notices that the step was taken. If evaluation is the first to
 * notice, it uses the updated bias, but leaves the tensors to the next pass in training. */
#include <string.h>

#include "base/status.h"
#include "routing/each.h"
#include "routing/methods/parts.h"

typedef struct loss_free_own {
    /* State tensors: b [E] as of the last step seen in training; [E + 1] the loads of the current step (exact up to
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
    loss_free_work *buffers = work->own;
    buffers->bias = tgr_arena_floats(arena, router->options.experts, 1);
    buffers->biased = tgr_arena_floats(arena, tokens, router->options.experts);
}

/* Step numbers that float32 holds exactly. */
static float step_number(const tgr_routing_pass *pass) {
    return (float)(pass->step & 0xffffff);
}

/* bias [E], updated for a step that was taken since the loads were counted. If all loads are 0 it is unchanged. */
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

typedef struct bias_job {
    int64_t experts;
    const float *p;    /* [T, E] */
    const float *bias; /* [E] */
    float *biased;     /* [T, E] */
} bias_job;

static void add_bias(const void *data, int64_t token) {
    const bias_job *job = data;
    const float *p = job->p + token * job->experts;
    float *biased = job->biased + token * job->experts;
    for (int64_t e = 0; e < job->experts; e++) biased[e] = p[e] + job->bias[e];
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    const loss_free_own *own = router->own;
    loss_free_work *buffers = work->own;
    bias_job job = {.experts = router->options.experts,
                    .p = scores->probabilities,
                    .bias = buffers->bias,
                    .biased = buffers->biased};
    if (pass->override != NULL) {
        tgr_choose_experts(router, pass, pass->override, choices);
        return;
    }
    memcpy(buffers->bias, tgr_value(router->parameters, own->bias), (size_t)job.experts * sizeof *buffers->bias);
    move_bias(router, pass, buffers->bias);
    tgr_each(router->compute, pass->tokens, add_bias, &job);
    tgr_choose_experts(router, pass, buffers->biased, choices);
}

static void finish(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices) {
    const loss_free_own *own = router->own;
    float *load = tgr_value(router->parameters, own->load);
    /* The first batch of a step: loads left by an abandoned step, whose gradients were discarded, do not count. */
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
