/* SPDX-License-Identifier: MIT */
/* The dense-to-sparse gate of EvoMoE (Nie et al., arXiv 2112.14397): softmax with a temperature τ that falls during
 * training, so that a token goes to nearly all experts at first and to few at last.
 *
 *     q = softmax(l / τ),    τ from evo_temperature_start to evo_temperature_end, linear in the step, over the first
 *                            evo_dense_share of total_steps, then constant
 *     falling:     a token takes the experts with q > evo_threshold, K of them at least, and
 *                  y_t = Σ q_{t,e} · expert_e(x_t) over those
 *     afterwards:  the K best alone
 *     evaluation:  the K best alone, with τ = evo_temperature_end: the model that training ends with, at any step
 *
 * Where the paper leaves a choice, or this differs from it: no Gumbel noise on the logits; weights are not renormalised
 * unless the option says so; K is fixed once τ has fallen; experts start independently, not as copies of one (but see
 * `upcycle`). Losses, guidance and measures read p = softmax(l), with temperature 1. The temperature is a function of
 * the step, so there is no state. Top-1 is the expert with the largest gate. */
#include <math.h>

#include "base/status.h"
#include "base/step_share.h"
#include "kernels/parallel_rows.h"
#include "routing/methods/parts.h"

typedef struct evomoe_own {
    double start, end, threshold;
    uint64_t dense_steps; /* steps over which the temperature falls */
} evomoe_own;

typedef struct evomoe_work {
    float *q; /* [T, E], softmax(l / τ) */
} evomoe_work;

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    double share = tgr_option_f64(config, TGR_OPTION_EVO_DENSE_SHARE);
    double start = tgr_option_f64(config, TGR_OPTION_EVO_TEMPERATURE_START);
    double end = tgr_option_f64(config, TGR_OPTION_EVO_TEMPERATURE_END);
    TGR_REQUIRE(total > 0 || share == 0, TGR_ERROR_RANGE,
                "option 'evo_dense_share' is %g of 'total_steps', which is 0; method 'evomoe' needs it set", share);
    TGR_REQUIRE(start >= end, TGR_ERROR_RANGE,
                "option 'evo_temperature_start' is %g; it must be at least 'evo_temperature_end', %g", start, end);
    *(evomoe_own *)router->own = (evomoe_own){.start = start,
                                              .end = end,
                                              .threshold = tgr_option_f64(config, TGR_OPTION_EVO_THRESHOLD),
                                              .dense_steps = tgr_step_of_share(share, total)};
    return tgr_linear_router_declare(router, config, prefix);
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    evomoe_work *buffers = work->own;
    buffers->q = tgr_arena_floats(arena, tokens, router->options.experts);
}

static int is_falling(const evomoe_own *own, const tgr_routing_pass *pass) {
    return pass->mode == TGR_TRAIN && pass->step < own->dense_steps;
}

static double temperature(const evomoe_own *own, const tgr_routing_pass *pass) {
    if (!is_falling(own, pass)) return own->end;
    return own->start + (own->end - own->start) * ((double)pass->step / (double)own->dense_steps);
}

/* The q above which an expert runs in addition to the K best. */
static double threshold(const evomoe_own *own, const tgr_routing_pass *pass) {
    return is_falling(own, pass) ? own->threshold : INFINITY;
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    evomoe_work *buffers = work->own;
    tgr_softmax_rows(router->compute, pass->tokens, router->options.experts,
                     (float)(1 / temperature(router->own, pass)), scores->logits, buffers->q, NULL);
    if (pass->override == NULL) choices->gate_probabilities = buffers->q;
    tgr_dense_route(router, pass, threshold(router->own, pass), choices);
}

static void assign(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   tgr_routing_work *work, tgr_slots *slots) {
    (void)work;
    tgr_dense_assign(router, pass, threshold(router->own, pass), choices, slots);
}

static void route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    const evomoe_own *own = router->own;
    (void)work;
    tgr_dense_route_backward(router, pass, threshold(own, pass), temperature(own, pass), choices, slots, dgates,
                             dlogits);
}

const tgr_method tgr_method_evomoe = {TGR_LINEAR_SCORES,
                                      TGR_SLOT_GATES,
                                      .own_bytes = sizeof(evomoe_own),
                                      .work_bytes = sizeof(evomoe_work),
                                      .declare = declare,
                                      .initialise = tgr_linear_router_initialise,
                                      .most_slots = tgr_dense_most_slots,
                                      .plan = plan,
                                      .route = route,
                                      .assign = assign,
                                      .losses = tgr_balance_losses,
                                      .route_backward = route_backward};
