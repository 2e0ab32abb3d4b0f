/* SPDX-License-Identifier: MIT */
/* The interface behind which every routing method stands: one file each, one row in the table of methods.c.
 *
 * A forward pass through a layer calls, in this order: score, route, assign, auxiliary, gather, (the experts), combine;
 * a backward pass combine_backward, gather once more, (the experts), gather_backward, backward, score_backward, finish.
 * Most methods of token choice differ in route and auxiliary alone and share the rest (linear_router.h, capacity.h,
 * dispatch.h). A function that is "or NULL" is left out by methods that have no use for it.
 *
 * A method is a constant. What it needs to remember between passes is in tensors of its own (flag TGR_TENSOR_STATE when
 * they are not trained, so that they are saved; frozen_from when they are until some step), whose indices it keeps in a
 * struct of its own, made by tgr_routing_keep; what it needs within one pass in buffers of its own, taken from the
 * arena by `plan`. What is due after an optimizer step, such as moving a bias by the loads, is done by `route` when it
 * first sees the next step (routing->parameters->step), from a state tensor: the optimizer knows nothing of methods.
 * Evaluation changes no tensor.
 *
 * With option recompute a backward pass starts with gather, (the experts) and combine once more, on the same input:
 * routing->again is set, they do what they did but for moving the state. */
#ifndef TGR_ROUTING_METHOD_H
#define TGR_ROUTING_METHOD_H

#include "base/random.h"
#include "routing/routing.h"

typedef struct tgr_method {
    int index;         /* tgr_method_index */
    int weighs_slots;  /* gates belong to slots (slot_dispatch.h): there is no such router without experts */
    int mixes_tokens;  /* slots hold mixtures of tokens, by weights that learn: the same, and gather_backward is always
                          called, with x_gradient NULL when that is not wanted */
    int reads_patches; /* routing->input.patches is wanted: there is no such layer without images */

    /* Adds tensors called "<prefix>router.…" by tgr_routing_declare; reads options of the method's own. */
    tgr_status (*declare)(tgr_routing *routing, const tgr_config *config, const char *prefix);
    /* Gives those tensors their first values, or NULL. */
    void (*initialise)(tgr_routing *routing);
    /* The most slots of a batch of up to `tokens` tokens in TGR_EVAL, or in either mode for TGR_TRAIN; negative on
     * overflow; or NULL: T · K. Grows with tokens. */
    int64_t (*most_slots)(const tgr_routing *routing, tgr_mode mode, int64_t tokens);
    /* Takes own buffers for up to `tokens` tokens from the arena, or NULL. They stay to the end of a forward pass, and
     * from a forward pass in TGR_TRAIN to the end of its backward. */
    void (*plan)(tgr_routing *routing, tgr_arena *arena, int64_t tokens);

    /* From routing->input: logits and probabilities [T, E]. */
    void (*score)(tgr_routing *routing);
    /* From logits and probabilities: gate_logits, gate_probabilities, choices, gates. `random` draws the training
     * noise; its step is the training step. */
    void (*route)(tgr_routing *routing, const tgr_random *random);
    /* From choices and gates: kept, load, slots, first_slot, token_of_slot and slot_of_choice, or, with weighs_slots,
     * gate_of_slot and what tgr_index_slots makes. */
    void (*assign)(tgr_routing *routing);
    /* Appends terms, and in TGR_TRAIN adds their gradients to logits_gradient. Or NULL. */
    void (*auxiliary)(tgr_routing *routing);

    /* The experts' input [slots, dim] from x [T, dim]. */
    void (*gather)(const tgr_routing *routing, int64_t dim, const float *x, float *input);
    /* y [T, dim] (overwritten) from the experts' output [slots, dim]. */
    void (*combine)(const tgr_routing *routing, int64_t dim, const float *output, float *y);
    /* From y_gradient [T, dim]: the gradient of the gates, and `output` [slots, dim] is replaced by its gradient. */
    void (*combine_backward)(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output);
    /* x_gradient [T, dim] (overwritten) from input_gradient [slots, dim]. */
    void (*gather_backward)(const tgr_routing *routing, int64_t dim, const float *input_gradient, float *x_gradient);
    /* Adds to logits_gradient [T, E] what the gradient of the gates asks for. Not called when router_task_gradient is
     * 0. Or NULL. */
    void (*backward)(tgr_routing *routing);
    /* From logits_gradient: gradients of the method's tensors, and x_gradient [T, dim] = or += its part, unless NULL.
     */
    void (*score_backward)(tgr_routing *routing, float *x_gradient, int accumulate);
    /* Once at the end of each backward pass, when parameters->micro does not count it yet: what this batch adds to the
     * state. Or NULL. */
    void (*finish)(tgr_routing *routing);
} tgr_method;

/* The method of that index, or NULL: "dense" has none. */
const tgr_method *tgr_method_of(int index);

#endif
