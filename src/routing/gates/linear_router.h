/* SPDX-License-Identifier: MIT */
/* The router that most methods have: logits l = W x without bias, and p = softmax(l). */
#ifndef TGR_ROUTING_LINEAR_ROUTER_H
#define TGR_ROUTING_LINEAR_ROUTER_H

#include "routing/routing.h"

/* Adds "<prefix>router.weight" [E, dim], kept in routing->router_weight. */
tgr_status tgr_linear_router_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
/* A truncated normal of deviation router_init_std. */
void tgr_linear_router_initialise(tgr_routing *routing);
/* logits [T, E] = x [T, dim] · weight [E, dim]ᵀ, probabilities = softmax(logits) */
void tgr_linear_router_score(tgr_routing *routing);
/* From logits_gradient [T, E]: the weight's gradient, and x_gradient [T, dim] = or += its part unless it is NULL. */
void tgr_linear_router_backward(tgr_routing *routing, float *x_gradient, int accumulate);

#endif
