/* SPDX-License-Identifier: MIT */
/* StableMoE's distilled router (Dai et al., ACL 2022, arXiv 2204.08396, section 3.1): scores ŝ_t = Ê · D(X_t) from
 * features D(X_t) of the raw input X_t alone, so that nothing that the backbone learns can move them.
 *
 * For text D is a word embedding. For an image's token t at place n = t mod sequence:
 *
 *     D(X_t) = W · patch_t + b + position_n        for a patch
 *     D(X_t) = prefix_n + position_n               for CLS and the distillation token
 *
 * Every layer has a D of its own. Ê begins as the centroids do; D with features of deviation about one where pixels
 * have it, so that it learns within the short time before it is frozen. */
#ifndef TGR_ROUTING_STABLE_ROUTER_H
#define TGR_ROUTING_STABLE_ROUTER_H

#include "routing/routing.h"

#define TGR_STABLE_GAIN 0.1 /* of the orthogonal first values of centroids */

typedef struct tgr_distilled_router {
    int64_t width;
    /* Tensors: W [width, patch_dim], b [width], [sequence, width], [prefix tokens, width], Ê [E, width]. */
    int64_t patch_weight, patch_bias, position, prefix, centroids;
    float *features;          /* [T, width], D(X) */
    float *features_gradient; /* [T, width] */
    float *scores_gradient;   /* [T, E] */
    float *place_gradient;    /* [sequence, width], features_gradient summed over images */
    float *partial;           /* for that sum */
} tgr_distilled_router;

/* Adds its tensors, which stand still from the step `frozen_from` on. */
tgr_status tgr_distilled_router_declare(tgr_distilled_router *router, tgr_routing *routing, const char *prefix,
                                        int64_t width, uint64_t frozen_from);
void tgr_distilled_router_initialise(const tgr_distilled_router *router, tgr_routing *routing);
void tgr_distilled_router_plan(tgr_distilled_router *router, const tgr_routing *routing, tgr_arena *arena,
                               int64_t tokens);
/* scores [T, E] = ŝ of routing->input.patches */
void tgr_distilled_router_score(const tgr_distilled_router *router, const tgr_routing *routing, float *scores);
/* weight · mean_t CE(ŝ_t, choice of t) from scores [T, E]; scores_gradient is its gradient. */
double tgr_distilled_router_imitate(const tgr_distilled_router *router, const tgr_routing *routing, const float *scores,
                                    double weight);
/* Adds to the gradients of its tensors what scores_gradient asks for. */
void tgr_distilled_router_backward(const tgr_distilled_router *router, const tgr_routing *routing);

#endif
