/* SPDX-License-Identifier: MIT */
/* Dense training, sparse inference (DS-MoE; Pan et al., arXiv 2404.05567): in training every expert runs on every token
 * and learns from all of them, in evaluation only the K best of a token run.
 *
 *     p = softmax(W x)
 *     training:    y_t = Σ_e p_{t,e} · expert_e(x_t)
 *     evaluation:  y_t = Σ_{e ∈ TopK(p_t)} p_{t,e} · expert_e(x_t), not renormalised unless the option asks for it
 *     loss:        mi_weight · (-H(mean_t p_t) + mean_t H(p_t)): experts used evenly, tokens decided
 *
 * A batch has T · E slots in training: it costs as much as a dense layer E times as wide. Top-1 is the expert with the
 * largest p; in training the load of every expert is T. */
#include <math.h>

#include "base/status.h"
#include "routing/losses/mutual_information.h"
#include "routing/methods/parts.h"

typedef struct dense_train_own {
    double mi_weight;
} dense_train_own;

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    dense_train_own *own = router->own;
    own->mi_weight = tgr_option_f64(config, TGR_OPTION_MI_WEIGHT);
    return tgr_linear_router_declare(router, config, prefix);
}

/* The p above which an expert runs in addition to the K best: all, or none. */
static double threshold(const tgr_routing_pass *pass) {
    return pass->mode == TGR_TRAIN ? -1 : INFINITY;
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    (void)scores, (void)work;
    tgr_dense_route(router, pass, threshold(pass), choices);
}

static void assign(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   tgr_routing_work *work, tgr_slots *slots) {
    (void)work;
    tgr_dense_assign(router, pass, threshold(pass), choices, slots);
}

static void losses(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                   const tgr_choices *choices, tgr_routing_work *work, tgr_losses *terms) {
    const dense_train_own *own = router->own;
    tgr_balance_losses(router, pass, scores, choices, work, terms);
    if (own->mi_weight > 0) tgr_mutual_information_loss(router, pass, scores, own->mi_weight, work, terms);
}

static void route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    (void)work;
    tgr_dense_route_backward(router, pass, threshold(pass), 1, choices, slots, dgates, dlogits);
}

const tgr_method tgr_method_dense_train = {TGR_LINEAR_SCORES,
                                           TGR_SLOT_GATES,
                                           .own_bytes = sizeof(dense_train_own),
                                           .declare = declare,
                                           .initialise = tgr_linear_router_initialise,
                                           .most_slots = tgr_dense_most_slots,
                                           .route = route,
                                           .assign = assign,
                                           .losses = losses,
                                           .route_backward = route_backward};
