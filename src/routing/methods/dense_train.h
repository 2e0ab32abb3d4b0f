/* SPDX-License-Identifier: MIT */
/* Dense training, sparse inference (DS-MoE; Pan et al., arXiv 2404.05567): in training every expert runs on every token
 * and learns from all of them, in evaluation the K best of a token do.
 *
 *     p = softmax(l)
 *     training:    y_t = Σ_e p_{t,e} · expert_e(x_t)
 *     evaluation:  y_t = Σ_{e ∈ TopK(p_t)} p_{t,e} · expert_e(x_t), not renormalised unless the option asks for it
 *     loss:        mi_weight · (-H(mean_t p_t) + mean_t H(p_t)): experts used alike, tokens decided
 *
 * A batch has T · E slots in training: its cost is that of a dense layer E times as wide. Top-1 is the expert of the
 * largest p; in training the load of every expert is T. */
#ifndef TGR_ROUTING_DENSE_TRAIN_H
#define TGR_ROUTING_DENSE_TRAIN_H

#include "routing/routing.h"

tgr_status tgr_dense_train_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_dense_train_assign(tgr_routing *routing);
void tgr_dense_train_losses(tgr_routing *routing);
void tgr_dense_train_backward(tgr_routing *routing);

#endif
