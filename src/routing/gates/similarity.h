/* SPDX-License-Identifier: MIT */
/* Cosines of tokens with learned vectors, and their way back. With r = 1 / sqrt(|v|² + ε), the unit vector of v is r·v.
 */
#ifndef TGR_ROUTING_SIMILARITY_H
#define TGR_ROUTING_SIMILARITY_H

#include "routing/routing.h"

typedef struct tgr_similarity {
    int64_t tensor; /* the learned vectors, [count, dim] */
    int64_t count;
    float *cosines;               /* [T, count] */
    float *token_scale;           /* [T], r of each token */
    float *vector_scale;          /* [count], r of each vector */
    float *unit_vectors;          /* [count, dim] */
    float *unit_vectors_gradient; /* [count, dim] */
    float *token_shares;          /* [T]: how much of a token its own gradient loses, on the way back */
} tgr_similarity;

void tgr_similarity_plan(const tgr_routing *routing, tgr_similarity *similarity, tgr_arena *arena, int64_t tokens);
/* cosines from routing->input */
void tgr_similarity_forward(const tgr_routing *routing, const tgr_similarity *similarity);
/* From the gradient of the cosines [T, count], which is overwritten: adds to the gradient of the vectors, and
 * x_gradient [T, dim] = or += its part, unless NULL. */
void tgr_similarity_backward(const tgr_routing *routing, const tgr_similarity *similarity, float *cosines_gradient,
                             float *x_gradient, int accumulate);

#endif
