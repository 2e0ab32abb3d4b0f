/* SPDX-License-Identifier: MIT */
/* Hash layers (Roller et al., NeurIPS 2021, arXiv 2106.04426): the expert of a token follows from what the token is,
 * and is never learnt. The identity of an image's token is its position: h(t) = table[t mod sequence], y = E_h(t)(x),
 * without a gate. The table is drawn once, balanced: a random order of positions, dealt to the experts in turn.
 *
 * There are no logits: they are 0, and the probabilities 1 for the expert of the table. Top-1 is that expert. */
#ifndef TGR_ROUTING_HASH_H
#define TGR_ROUTING_HASH_H

#include "base/random.h"
#include "routing/routing.h"

/* Adds the state "<prefix>router.hash" [sequence]. Fails in a layer on its own, where tokens have no positions. */
tgr_status tgr_hash_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_hash_initialise(tgr_routing *routing);
void tgr_hash_score(tgr_routing *routing);
void tgr_hash_route(tgr_routing *routing, const tgr_random *random);
/* Nothing to learn: x_gradient gets no part. */
void tgr_hash_score_backward(tgr_routing *routing, float *x_gradient, int accumulate);

#endif
