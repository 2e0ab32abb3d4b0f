/* SPDX-License-Identifier: MIT */
/* A teacher router R on one batch: p = softmax(W h), its own objective and that objective's gradient.
 *
 * The objective (Kada et al., CVPR 2026): load_weight · CV²(Imp) + entropy_weight · H with Imp_e = mean_t p_te, CV² =
 * var / mean² (population variance) and H = -mean_t Σ_e p_te log p_te: balanced over experts, confident about tokens.
 */
#ifndef TGR_TEACHER_OBJECTIVE_H
#define TGR_TEACHER_OBJECTIVE_H

#include <stdint.h>

#include "base/memory.h"
#include "layers/linear.h"

struct tgr_compute;

typedef struct tgr_router_batch {
    const struct tgr_compute *compute;
    tgr_linear router; /* weight W [experts, dim], no bias */
    int64_t tokens, experts;
    double load_weight, entropy_weight;
    const float *features; /* [tokens, dim] */
    float *probabilities;  /* [tokens, experts] */
    float *dlogits;        /* [tokens, experts], scratch */
    double *partial;       /* tgr_objective_partial(tokens) rows of experts + 1: sums by block of tokens */
} tgr_router_batch;

/* Rows of `partial` needed for `tokens` tokens. */
int64_t tgr_objective_partial(int64_t tokens);
/* Fills probabilities. */
void tgr_objective_route(const tgr_router_batch *batch);
/* CV²(Imp) and H of the probabilities, without their weights. */
void tgr_objective_measure(const tgr_router_batch *batch, double *balance, double *entropy);
/* Adds the objective's gradient to that of W. */
void tgr_objective_differentiate(const tgr_router_batch *batch);

#endif
