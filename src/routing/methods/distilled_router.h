/* SPDX-License-Identifier: MIT */
/* StableMoE's distilled router (Dai et al., ACL 2022, arXiv 2204.08396, section 3.1): scores ŝ_t = Ê · D(X_t) from
 * features D(X_t) of the raw input X_t alone, so that nothing the backbone learns can change them.
 *
 * For text D is a word embedding. For an image's token t at position n = t mod sequence:
 *
 *     D(X_t) = W · patch_t + b + position_n        for a patch
 *     D(X_t) = prefix_n + position_n               for CLS and the distillation token
 *
 * Every layer has its own D. Ê starts like the centroids; D starts with features of deviation about one if the pixels'
 * is one, so that it learns in the short time before it is frozen. */
#ifndef TGR_ROUTING_METHODS_DISTILLED_ROUTER_H
#define TGR_ROUTING_METHODS_DISTILLED_ROUTER_H

#include "routing/work.h"

#define TGR_STABLE_GAIN 0.1 /* gain of the orthogonal initial values of centroids */

typedef struct tgr_distilled_router {
    tgr_linear embedding;     /* W [width, patch_dim], b [width] */
    tgr_linear centroids;     /* Ê [E, width] */
    int64_t position, prefix; /* tensors [sequence, width], [prefix tokens, width] */
} tgr_distilled_router;

typedef struct tgr_distilled_work {
    float *features;  /* [T, width], D(X) */
    float *dfeatures; /* [T, width] */
    float *dscores;   /* [T, E], gradient with respect to ŝ */
    float *dplaces;   /* [sequence, width], dfeatures summed over images */
    float *partial;   /* for that sum */
} tgr_distilled_work;

/* Adds "<prefix>router.patch.weight" [width, patch_dim], "<prefix>router.patch.bias" [width], "<prefix>router.position"
 * [sequence, width], "<prefix>router.prefix" [prefix tokens, width] and "<prefix>router.distilled" [E, width], which
 * are frozen from step `frozen_from` on. */
tgr_status tgr_distilled_router_declare(tgr_distilled_router *distilled, tgr_layer_router *router, const char *prefix,
                                        int64_t width, uint64_t frozen_from);
void tgr_distilled_router_initialise(const tgr_distilled_router *distilled, tgr_layer_router *router);
void tgr_distilled_router_plan(const tgr_distilled_router *distilled, const tgr_layer_router *router, int64_t tokens,
                               tgr_arena *arena, tgr_distilled_work *work);
/* patches [T, patch_dim] → scores [T, E], ŝ */
void tgr_distilled_router_score(const tgr_distilled_router *distilled, const tgr_layer_router *router,
                                const tgr_routing_pass *pass, const float *patches, tgr_distilled_work *work,
                                float *scores);
/* weight · mean_t CE(ŝ_t, choice of t), from scores [T, E]; its gradient is left in distilled_work->dscores. */
double tgr_distilled_router_imitate(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *scores,
                                    const tgr_choices *choices, double weight, tgr_routing_work *work,
                                    tgr_distilled_work *distilled_work);
/* Adds to the gradients of its tensors, from work->dscores. */
void tgr_distilled_router_backward(const tgr_distilled_router *distilled, tgr_layer_router *router,
                                   const tgr_routing_pass *pass, const float *patches, tgr_distilled_work *work);

#endif
