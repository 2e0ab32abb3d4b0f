/* SPDX-License-Identifier: MIT */
/* BASE layers (Lewis et al., ICML 2021, arXiv 2103.16716): token choice without balance losses, since in training the
 * loads are equal by construction.
 *
 *     s_{t,e} = E_e · x_t          centroids E [E, dim] in "router.weight", without softmax
 *     training:    a = the assignment with loads floor(T / E) or ceil(T / E) that makes Σ_t s_{t,a_t} largest
 *     evaluation:  a_t = argmax_e s_{t,e}, so that a token's expert does not hang on the others of its batch
 *     y_t = σ(s_{t,a_t}) · expert_{a_t}(x_t)
 *
 * K = 1, nothing is dropped. The assignment (balanced_assignment.h) is that of one pass, a micro-batch by itself, and a
 * constant for the gradient: ∂L/∂s_{t,a_t} = ∂L/∂g_t · g_t (1 - g_t), the centroids learn from the gate alone. They
 * start orthogonal with length 0.1, as in the authors' code. The probabilities that measures read are softmax(s). */
#ifndef TGR_ROUTING_BASE_H
#define TGR_ROUTING_BASE_H

#include "base/random.h"
#include "routing/routing.h"

tgr_status tgr_base_layer_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_base_layer_initialise(tgr_routing *routing);
void tgr_base_layer_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens);
void tgr_base_layer_route(tgr_routing *routing, const tgr_random *random);
void tgr_base_layer_backward(tgr_routing *routing);

#endif
