/* SPDX-License-Identifier: MIT */
/* The router that most methods have: logits l = W x without bias, and p = softmax(l). Steps of a tgr_method. */
#ifndef TGR_ROUTING_GATES_LINEAR_ROUTER_H
#define TGR_ROUTING_GATES_LINEAR_ROUTER_H

#include "routing/work.h"

/* Adds "<prefix>router.weight" [E, dim]. */
tgr_status tgr_linear_router_declare(tgr_layer_router *router, const tgr_config *config, const char *prefix);
/* A truncated normal of deviation router_init_std. */
void tgr_linear_router_initialise(tgr_layer_router *router);
/* logits [T, E] = x [T, dim] · W [E, dim]ᵀ, probabilities = softmax(logits) */
void tgr_linear_router_score(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                             tgr_routing_work *work, tgr_scores *scores);
/* dW += dlogits [T, E]ᵀ · x, and dx [T, dim] = or += dlogits · W unless it is NULL */
void tgr_linear_router_backward(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                                const float *dlogits, int accumulate, tgr_routing_work *work, float *dx);

/* Adds "<prefix><name>" [E, dim] instead. */
tgr_status tgr_linear_router_declare_as(tgr_layer_router *router, const char *prefix, const char *name);

#endif
