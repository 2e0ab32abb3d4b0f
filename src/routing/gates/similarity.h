/* SPDX-License-Identifier: MIT */
/* Cosines of tokens with learned vectors:
 *
 *     x̂ = r_x · x,  v̂ = r_v · v,  r = 1 / sqrt(|·|² + ε)         c = X̂ · V̂ᵀ  [T, count]
 *
 * With g = dc [count] of a token, u = g · V̂ is dx̂, and dx = r_x · (u - ⟨x̂, u⟩ · x̂), where ⟨x̂, u⟩ is ⟨g, c⟩; so
 * dx = (r_x · g) · V̂ - r_x² · ⟨g, c⟩ · x, and likewise dv = r_v · (dv̂ - ⟨v̂, dv̂⟩ · v̂). */
#ifndef TGR_ROUTING_GATES_SIMILARITY_H
#define TGR_ROUTING_GATES_SIMILARITY_H

#include "base/memory.h"
#include "routing/router.h"

typedef struct tgr_similarity {
    int64_t vectors; /* tensor [count, dim] */
    int64_t count;
} tgr_similarity;

typedef struct tgr_similarity_work {
    float *cosines;       /* [T, count] */
    float *token_scale;   /* [T], r of each token */
    float *token_share;   /* [T], r² · ⟨g, c⟩ of each token, within backward */
    float *vector_scale;  /* [count], r of each vector */
    float *unit_vectors;  /* [count, dim], V̂ */
    float *dunit_vectors; /* [count, dim] */
} tgr_similarity_work;

void tgr_similarity_plan(const tgr_similarity *similarity, int64_t dim, int64_t tokens, tgr_arena *arena,
                         tgr_similarity_work *work);
/* work->cosines from x [T, dim] */
void tgr_similarity_forward(const tgr_similarity *similarity, const tgr_layer_router *router, int64_t tokens,
                            const float *x, tgr_similarity_work *work);
/* From dcosines [T, count], which is overwritten: adds to the gradient of the vectors, and dx [T, dim] = or += its
 * part, unless NULL. */
void tgr_similarity_backward(const tgr_similarity *similarity, tgr_layer_router *router, int64_t tokens, const float *x,
                             float *dcosines, int accumulate, tgr_similarity_work *work, float *dx);

#endif
