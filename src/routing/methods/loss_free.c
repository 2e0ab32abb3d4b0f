/* SPDX-License-Identifier: MIT */
/* Balance without a loss (Wang et al., arXiv 2408.15664; DeepSeek-V3, arXiv 2412.19437): tokens select the top K of p +
 * b and weigh them by p, so that b moves tokens but no gradient.
 *
 *     p = softmax(W x),     y = Σ_{e ∈ TopK(p + b)} p_e · expert_e(x)
 *     after each optimizer step:   b_e += bias_rate · sign(mean load - load_e)
 *
 * The load of e is the number of choices of e in all micro-batches of the step, before capacity. The gradient of b
 * holds the loads, and the step moves b by them: a host that averages gradients over machines averages loads, too, and
 * a step that is refused leaves b alone. Choices are recorded by falling p + b: top-1 is the largest of these. An
 * oracle's probabilities are used without b. */
#include "base/status.h"
#include "routing/each.h"
#include "routing/methods/parts.h"

typedef struct loss_free_own {
    int64_t bias; /* state tensor, b [E]; its gradient is the loads of the current step (exact up to 2^24) */
} loss_free_own;

typedef struct loss_free_work {
    float *biased; /* [T, E], p + b */
} loss_free_work;

/* What a step does to b. If all loads are 0 it is unchanged. */
static void move(tgr_parameters *parameters, int64_t bias, double rate) {
    const int64_t experts = parameters->tensors[bias].dims[0];
    const float *load = tgr_gradient(parameters, bias);
    float *b = tgr_value(parameters, bias);
    double mean = 0;
    for (int64_t e = 0; e < experts; e++) mean += load[e];
    mean /= (double)experts;
    for (int64_t e = 0; e < experts; e++) b[e] += (float)(rate * ((mean > load[e]) - (mean < load[e])));
}

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    loss_free_own *own = router->own;
    const unsigned flags = TGR_TENSOR_STATE | TGR_TENSOR_SUM;
    TGR_TRY(tgr_linear_router_declare(router, config, prefix));
    TGR_TRY(tgr_layer_router_add(router, &own->bias, prefix, "router.bias", flags, 1, &router->options.experts));
    tgr_parameters_move_by(router->parameters, own->bias, move, tgr_option_f64(config, TGR_OPTION_BIAS_RATE));
    return TGR_OK;
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    loss_free_work *buffers = work->own;
    buffers->biased = tgr_arena_floats(arena, tokens, router->options.experts);
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
                    .bias = tgr_value(router->parameters, own->bias),
                    .biased = buffers->biased};
    if (pass->override != NULL) {
        tgr_choose_experts(router, pass, pass->override, choices);
        return;
    }
    tgr_each(router->compute, pass->tokens, add_bias, &job);
    tgr_choose_experts(router, pass, buffers->biased, choices);
}

static void finish(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   const tgr_routing_work *work) {
    const loss_free_own *own = router->own;
    float *load = tgr_gradient(router->parameters, own->bias);
    (void)work;
    for (int64_t i = 0; i < pass->tokens * router->options.top_k; i++) load[choices->experts[i]] += 1;
}

const tgr_method tgr_method_loss_free = {TGR_LINEAR_SCORES,
                                         TGR_TOKEN_CHOICE,
                                         .own_bytes = sizeof(loss_free_own),
                                         .work_bytes = sizeof(loss_free_work),
                                         .declare = declare,
                                         .initialise = tgr_linear_router_initialise,
                                         .plan = plan,
                                         .route = route,
                                         .losses = tgr_balance_losses,
                                         .route_backward = tgr_softmax_gate_backward,
                                         .finish = finish};
