/* SPDX-License-Identifier: MIT */
/* One MoE layer in a larger network: its parameters are in the network's table, its buffers in the network's arena. The
 * standalone router and MoE layer and the blocks of a model all use it.
 *
 *     y_t = Σ over the slots of token t: gate · expert(x_t), + the shared experts' outputs */
#ifndef TGR_ROUTING_MOE_LAYER_H
#define TGR_ROUTING_MOE_LAYER_H

#include "base/memory.h"
#include "routing/router.h"

typedef struct tgr_moe_layer tgr_moe_layer;

/* Adds the tensors of the method, mostly "<prefix>router.weight" [E, dim], to `parameters`, which must outlive the
 * layer, and with_experts also "<prefix>experts.fc1.weight" [E, hidden, dim], "<prefix>experts.fc1.bias" [E, hidden],
 * "<prefix>experts.fc2.weight" [E, dim, hidden], "<prefix>experts.fc2.bias" [E, dim], and those of shared_experts.h.
 * `layer` (below 4096) keys the random numbers of this layer. Checks the routing options against each other. On failure
 * some tensors may have been added. */
tgr_status tgr_moe_layer_create(tgr_moe_layer **out, tgr_context *context, const tgr_config *config,
                                tgr_parameters *parameters, const char *prefix, const tgr_layer_shape *shape,
                                uint32_t layer, int with_experts);
void tgr_moe_layer_free(tgr_moe_layer *layer);
/* Draws fresh weights, after the parameters are sealed: truncated normals, biases 0. */
void tgr_moe_layer_initialise(tgr_moe_layer *layer);
/* The tokens of an image from now on (0: the whole batch is one). The layer must then be planned again. */
void tgr_moe_layer_set_sequence(tgr_moe_layer *layer, int64_t sequence);
/* Whether the layer reads the raw patches of its input. */
int tgr_moe_layer_wants_patches(const tgr_moe_layer *layer);
/* Trained numbers of one expert. */
int64_t tgr_moe_layer_expert_size(const tgr_moe_layer *layer);

/* Takes the layer's buffers for up to `tokens` tokens from the arena: for passes in TGR_EVAL, or in either mode for
 * TGR_TRAIN. After an arena that only counts, the layer has no buffers until it is planned again. `plan` takes those
 * that are read from outside after a pass; those of `plan_kept` may share memory with another layer's in TGR_EVAL, and
 * in TGR_TRAIN if tgr_moe_layer_recompute refills them; those of `plan_work`, planned last, may be used by others
 * between passes. */
void tgr_moe_layer_plan(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens);
void tgr_moe_layer_plan_kept(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens);
void tgr_moe_layer_plan_work(tgr_moe_layer *layer, tgr_mode mode, tgr_arena *arena, int64_t tokens);

/* x [tokens, dim] → y [tokens, dim], overwritten; and the routing. tokens is a multiple of the sequence. Without
 * experts y is not touched. */
void tgr_moe_layer_forward(tgr_moe_layer *layer, tgr_mode mode, int64_t tokens, const tgr_layer_input *input, float *y);
/* Runs the experts again after a forward in TGR_TRAIN, with its routing and the same input, and restores all that
 * backward reads of them. */
void tgr_moe_layer_recompute(tgr_moe_layer *layer, const tgr_layer_input *input, float *y);
/* dy [tokens, dim] → dx [tokens, dim], overwritten (NULL when not wanted); adds to the gradients of all tensors. Once
 * for each forward, with the same input. */
void tgr_moe_layer_backward(tgr_moe_layer *layer, const tgr_layer_input *input, const float *dy, float *dx);
/* The same for a layer without experts, from dgates [tokens, K]; those of dropped choices are ignored. */
void tgr_moe_layer_backward_from_gates(tgr_moe_layer *layer, const tgr_layer_input *input, const float *dgates,
                                       float *dx);

/* What was decided for the last batch. */
const tgr_routing *tgr_moe_layer_routing(const tgr_moe_layer *layer);
/* The divergence of a teacher's probabilities [tokens, E] from the router's of the last batch: see losses/guidance.h.
 */
double tgr_moe_layer_divergence(tgr_moe_layer *layer, const float *teacher);
/* After a forward in TGR_TRAIN: adds weight · that divergence to what its backward differentiates. */
void tgr_moe_layer_guide(tgr_moe_layer *layer, const float *teacher, double weight);
/* Makes the layer route by these probabilities [tokens, E] in TGR_EVAL instead of its own; they remain the caller's;
 * NULL ends it. Until then, passes in TGR_EVAL must have that many tokens. */
void tgr_moe_layer_set_override(tgr_moe_layer *layer, const float *probabilities, int64_t tokens);
/* Those set, or NULL, and their number of tokens. */
const float *tgr_moe_layer_override(const tgr_moe_layer *layer, int64_t *tokens);

#endif
