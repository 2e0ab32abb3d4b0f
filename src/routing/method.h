/* SPDX-License-Identifier: MIT */
/* The interface behind which every routing method stands: one file each, one row in the table of methods.c.
 *
 * A layer's forward pass asks the method to `route` (fill choices and gates from the logits), then builds the dispatch
 * plan under the capacity, runs the experts, combines, and asks for the method's `auxiliary` losses. Its backward pass
 * hands the method the gradient of the gates and gets that of the logits. A method that does without some of this
 * leaves the function NULL; one that has parameters or state of its own declares them. */
#ifndef TGR_ROUTING_METHOD_H
#define TGR_ROUTING_METHOD_H

#include "base/random.h"
#include "routing/routing.h"

typedef struct tgr_method {
    int index; /* tgr_method_index */
    /* From logits [T, E]: gate_logits, gate_probabilities, choices, gates. `random` draws the training noise. */
    void (*route)(tgr_routing *routing, const tgr_random *random);
    /* Appends terms and adds their gradients to logits_gradient (only when routing->mode is TGR_TRAIN). */
    void (*auxiliary)(tgr_routing *routing);
    /* Adds to logits_gradient what gates_gradient [T, K] (0 where dropped) asks for. */
    void (*backward)(tgr_routing *routing, const float *gates_gradient);
} tgr_method;

/* The method of that index. Every index of TGR_METHOD_MAP has one, "dense" excepted (NULL). */
const tgr_method *tgr_method_find(int index);

#endif
