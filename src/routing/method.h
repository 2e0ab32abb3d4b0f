/* SPDX-License-Identifier: MIT */
/* The interface behind which every routing method stands: one file each, one row in the table of methods.c.
 *
 * A forward pass through a layer calls, in this order: route, assign, gather, (the experts), combine, auxiliary; a
 * backward pass combine_backward, (the experts), gather_backward, backward. Most methods of token choice differ in
 * route and auxiliary alone and share the rest (capacity.h, dispatch.h). A function that is "or NULL" is left out by
 * methods that have no use for it.
 *
 * A method is a constant; what it needs to remember between passes is in tensors of its own (flag TGR_TENSOR_STATE when
 * they are not trained, so that they are saved), what it needs within one in buffers of its own. What is due after an
 * optimizer step, such as moving a bias by the loads, is done by `route` when it first sees the next step, from a
 * state tensor: the optimizer knows nothing of methods. */
#ifndef TGR_ROUTING_METHOD_H
#define TGR_ROUTING_METHOD_H

#include "base/random.h"
#include "routing/routing.h"

typedef struct tgr_method {
    int index; /* tgr_method_index */

    /* Adds tensors called "<prefix>router.…" and keeps their indices in routing->method_state, or NULL. */
    tgr_status (*declare)(tgr_routing *routing, tgr_parameters *parameters, const char *prefix, int64_t dim);
    /* Gives those tensors their first values, or NULL. */
    void (*initialise)(tgr_routing *routing, tgr_parameters *parameters);
    /* Frees method_state, or NULL. */
    void (*release)(tgr_routing *routing);
    /* Takes own buffers from the arena, or NULL. */
    void (*plan)(tgr_routing *routing, tgr_arena *arena, int64_t tokens);

    /* From logits and probabilities [T, E]: gate_logits, gate_probabilities, choices, gates. `random` draws the
     * training noise; its step is the training step. */
    void (*route)(tgr_routing *routing, const tgr_random *random);
    /* From choices and gates: kept, load and the slots. */
    void (*assign)(tgr_routing *routing);
    /* Appends terms, and in TGR_TRAIN adds their gradients to logits_gradient. */
    void (*auxiliary)(tgr_routing *routing);
    /* Adds to logits_gradient [T, E] what gates_gradient asks for. */
    void (*backward)(tgr_routing *routing);

    /* The experts' input [slots, dim] from x [T, dim]. */
    void (*gather)(const tgr_routing *routing, int64_t dim, const float *x, float *input);
    /* y [T, dim] from the experts' output [slots, dim]. */
    void (*combine)(const tgr_routing *routing, int64_t dim, const float *output, float *y);
    /* From y_gradient [T, dim]: gates_gradient, and `output` [slots, dim] is replaced by its gradient. */
    void (*combine_backward)(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output);
    /* x_gradient [T, dim] (overwritten) from input_gradient [slots, dim]. */
    void (*gather_backward)(const tgr_routing *routing, int64_t dim, const float *input_gradient, float *x_gradient);
} tgr_method;

/* The method of that index. Every index of TGR_METHOD_MAP has one, "dense" excepted (NULL). */
const tgr_method *tgr_method_find(int index);

#endif
