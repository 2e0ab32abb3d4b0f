/* SPDX-License-Identifier: MIT */
/**
 * @file routing.h
 * Routers and MoE layers on a host's own float32 buffers; and reading what routers decided, for every kind of layer.
 *
 * A batch is `tokens` rows of `dim` numbers. E experts, K experts per token. The logits l = W x have no bias and stay
 * float32; p = softmax(l) without noise, gates = the K largest of softmax(l + noise), not renormalised unless the
 * option `renormalize` says so. Ties go to the lower expert.
 */
#ifndef TGRMOE_ROUTING_H
#define TGRMOE_ROUTING_H

#include "tgrmoe/options.h"
#include "tgrmoe/parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What was decided for the last batch. The arrays belong to the layer and are valid until its next forward pass.
 *  Before the first one `tokens` is 0 and the arrays are NULL.
 *
 *  Where experts choose tokens (expert-choice), the one choice recorded is the expert with the largest probability
 *  among those that took the token or, if none did, the router's first, dropped. Where tokens are mixed (soft),
 *  probabilities are the experts' shares in what a token gets, and the choice is the largest. Logits and probabilities
 *  are those of the one of StableMoE's two routers that chose. */
typedef struct tgr_routing_view {
    size_t struct_size;         /**< sizeof(tgr_routing_view), set by the caller */
    int64_t tokens;             /**< T, of the last batch */
    int64_t experts;            /**< E */
    int64_t top_k;              /**< K, choices of a token */
    const float *logits;        /**< [T, E], the router's, without noise */
    const float *probabilities; /**< [T, E], their softmax */
    const int32_t *choices;     /**< [T, K], the experts of each token, best first */
    const float *gates;         /**< [T, K], the weights of their outputs */
    const uint8_t *kept;        /**< [T, K], 1 if the choice got a slot within the expert's capacity, 0 if dropped */
    const int64_t *load;        /**< [E], how many tokens each expert computed */
} tgr_routing_view;

/** Reads what was decided. */
TGR_API tgr_status tgr_routing_read(const tgr_routing *routing, tgr_routing_view *view);
/** The number of auxiliary terms of the last batch, in either mode: those whose weight is not 0. */
TGR_API int64_t tgr_routing_term_count(const tgr_routing *routing);
/** Term `index` in [0, tgr_routing_term_count()): its name ("importance", "load", "switch", "z"; StableMoE's, in
 *  training in its stage 1, "stable_balance" and "stable_distill"; dense training's "mi") and its value with its weight
 *  in it. Either output may be NULL. */
TGR_API tgr_status tgr_routing_term(const tgr_routing *routing, int64_t index, const char **name, double *value);

/** A router alone, for a host that runs its own experts. Reads experts, top_k, method and the router's options from the
 *  config. Parameter: "router.weight" [experts, dim], with most methods. Methods that need images or experts to route
 *  (stable, hash; expert-choice, soft, dense-train, evomoe) are TGR_ERROR_UNSUPPORTED.
 *  @param dim 1 to 65536. */
TGR_API tgr_status tgr_router_create(tgr_router **out, tgr_context *context, const tgr_config *config, int64_t dim);
TGR_API void tgr_router_free(tgr_router *router);
/** How many rows of a batch belong to one image or text, from the next batch on: its `tokens` must be a multiple. 0, as
 *  at first: the whole batch is one. It matters to methods that use a token's position, or the other tokens of its
 *  image. */
TGR_API tgr_status tgr_router_set_sequence(tgr_router *router, int64_t tokens_per_sequence);
/** Routes `x` [tokens, dim]; read the result by tgr_router_routing(). In TGR_TRAIN, `x` must stay until backward. */
TGR_API tgr_status tgr_router_forward(tgr_router *router, tgr_mode mode, const float *x, int64_t tokens);
/** From `gates_gradient` [tokens, top_k] (dropped choices are ignored) to `x_gradient` [tokens, dim] (overwritten; may
 *  be NULL; must not overlap gates_gradient or the forward's x), adding to the weight's gradient. Each backward needs a
 *  forward in TGR_TRAIN first; auxiliary terms and guidance are included. */
TGR_API tgr_status tgr_router_backward(tgr_router *router, const float *gates_gradient, float *x_gradient);
/** What it decided for the last batch; see tgr_routing_read(). */
TGR_API const tgr_routing *tgr_router_routing(const tgr_router *router);
TGR_API tgr_parameters *tgr_router_parameters(tgr_router *router);
/** Adds weight · KL(teacher ‖ p), mean over tokens, to what the next backward differentiates (methods: TGR-MoE), for
 *  `teacher` probabilities [tokens, experts]; reports the KL without the weight in `divergence` (may be NULL). */
TGR_API tgr_status tgr_router_guide(tgr_router *router, const float *teacher, double weight, double *divergence);

/** A whole MoE layer: router, experts (Linear dim→hidden, GELU, Linear hidden→dim; hidden = mlp_ratio·dim) and their
 *  weighted sum. No residual is added. Parameters: "router.weight" [experts, dim], "experts.fc1.weight" [experts,
 *  hidden, dim], "experts.fc1.bias" [experts, hidden], "experts.fc2.weight" [experts, dim, hidden], "experts.fc2.bias"
 *  [experts, dim], and with shared_experts s "shared.fc1.weight" [s*hidden, dim], "shared.fc1.bias" [s*hidden],
 *  "shared.fc2.weight" [dim, s*hidden], "shared.fc2.bias" [dim]. Methods that need images to route (stable, hash) are
 *  TGR_ERROR_UNSUPPORTED; soft needs soft_slots here, has "router.phi" [experts*soft_slots, dim] and "router.scale" [1]
 *  for router.weight, and mixes the tokens of each sequence. @param dim 1 to 65536. */
TGR_API tgr_status tgr_moe_create(tgr_moe **out, tgr_context *context, const tgr_config *config, int64_t dim);
TGR_API void tgr_moe_free(tgr_moe *moe);
/** See tgr_router_set_sequence(). */
TGR_API tgr_status tgr_moe_set_sequence(tgr_moe *moe, int64_t tokens_per_sequence);
/** y [tokens, dim] from x [tokens, dim]; they must not overlap. In TGR_TRAIN, `x` must stay until backward. */
TGR_API tgr_status tgr_moe_forward(tgr_moe *moe, tgr_mode mode, const float *x, int64_t tokens, float *y);
/** x_gradient [tokens, dim] (overwritten; may be NULL; must not overlap y_gradient or the forward's x) from y_gradient
 *  [tokens, dim], adding to the gradients of all parameters. Each backward needs a forward in TGR_TRAIN first;
 *  auxiliary terms and guidance are included. */
TGR_API tgr_status tgr_moe_backward(tgr_moe *moe, const float *y_gradient, float *x_gradient);
/** What its router decided for the last batch; see tgr_routing_read(). */
TGR_API const tgr_routing *tgr_moe_routing(const tgr_moe *moe);
TGR_API tgr_parameters *tgr_moe_parameters(tgr_moe *moe);
/** See tgr_router_guide(). */
TGR_API tgr_status tgr_moe_guide(tgr_moe *moe, const float *teacher, double weight, double *divergence);

#ifdef __cplusplus
}
#endif
#endif
