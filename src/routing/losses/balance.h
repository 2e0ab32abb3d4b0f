/* SPDX-License-Identifier: MIT */
/* Auxiliary losses on the router. Each appends a term (weight · value) and, in TGR_TRAIN, adds its gradient to
 * logits_gradient. Values are means or scale-free, so that they do not grow with the batch. */
#ifndef TGR_ROUTING_BALANCE_H
#define TGR_ROUTING_BALANCE_H

#include "routing/routing.h"

/* All of the below that have a weight. */
void tgr_balance_losses(tgr_routing *routing);

/* V-MoE's importance loss: CV²(Σ_t p_t). */
void tgr_importance_loss(tgr_routing *routing, double weight);
/* V-MoE's load loss: CV²(mean_t P_t), P the probability that an expert is among the K when its noise is drawn again. */
void tgr_load_loss(tgr_routing *routing, double weight);
/* Switch Transformer's loss (Fedus et al., arXiv 2101.03961): E · Σ_e f_e · mean_t p_{t,e}. */
void tgr_switch_loss(tgr_routing *routing, double weight);
/* The z-loss (Zoph et al., arXiv 2202.08906): mean_t logsumexp(l_t)². */
void tgr_z_loss(tgr_routing *routing, double weight);
/* The mutual information loss of DS-MoE (Pan et al., arXiv 2404.05567): -H(mean_t p_t) + mean_t H(p_t). */
void tgr_mutual_information_loss(tgr_routing *routing, double weight);

/* CV² = var / mean² (population) of values [count], with its gradient. Never by way of the deviation, whose gradient
 * does not exist where all values are equal. */
double tgr_squared_cv(const double *values, int64_t count, double *gradient);
/* ln Σ_e exp(logits[e]) */
double tgr_log_sum_exp(const float *logits, int64_t count);
/* sums [E] = Σ_t p_t */
void tgr_sum_probabilities(const tgr_routing *routing, double *sums);
/* Where a loss depends on Σ_t p_t alone: adds to logits_gradient what `factors` [E] = ∂loss/∂Σ_t p_{t,e} asks for. */
void tgr_probability_sum_backward(tgr_routing *routing, const double *factors);

#endif
