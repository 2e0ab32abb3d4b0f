/* SPDX-License-Identifier: MIT */
/* A teacher's guidance of a router (Kada et al., arXiv 2604.21330), with a gradient for the logit of every expert,
 * chosen or not. With teacher probabilities p̄ [T, E]:
 *
 *     mean_t KL(p̄_t ‖ p_t) = mean_t Σ_e p̄_{t,e} (ln p̄_{t,e} - ln p_{t,e})          dl = (p - p̄) / T
 *
 * Terms with a teacher probability of 0 count 0. */
#ifndef TGR_ROUTING_LOSSES_GUIDANCE_H
#define TGR_ROUTING_LOSSES_GUIDANCE_H

#include "routing/work.h"

/* The mean divergence. */
double tgr_guidance_divergence(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                               const float *teacher, tgr_routing_work *work);
/* dlogits [T, E] += weight · its gradient */
void tgr_guidance_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                           const float *teacher, double weight, float *dlogits);

#endif
