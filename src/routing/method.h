/* SPDX-License-Identifier: MIT */
/* What a routing method is: its steps, in the order of a pass.
 *
 *     forward    score  route  assign  losses  gather  (the experts)  observe  combine
 *     backward   combine_backward  gather  (the experts)  gather_backward  route_backward  score_backward  finish
 *
 * The arguments of a step are, in this order, the router and the pass, what it reads (const), the working memory, and
 * what it writes. T = pass->tokens, E = experts, K = top_k, S = slots->count. A step that is "or NULL" is omitted by
 * methods that do not need it; most methods of token choice have only a route of their own and share the rest
 * (methods/parts.h).
 *
 * A method is a constant. What it keeps as long as the layer lives, such as options of its own and the indices of its
 * tensors, is a struct behind router->own, filled by declare. What it needs from one step to a later one of the same
 * pass is a struct of buffers behind work->own, taken from the arena by plan: they are valid to the end of a forward,
 * and after a forward in TGR_TRAIN to the end of its backward.
 *
 * What it remembers from step to step is in tensors with the flag TGR_TENSOR_STATE, so that it is saved. No pass
 * changes them: what a batch adds is summed in their gradients, which finish does, and an optimizer step moves the
 * state by the sums (tgr_parameters_move_by). So gradients that are discarded take their batches with them, and a host
 * that averages gradients over machines averages these as well. Only score_backward and finish add to gradients: these
 * have a router that is not const. With option recompute a backward pass starts by running gather, (the experts) and
 * combine again, but never observe. */
#ifndef TGR_ROUTING_METHOD_H
#define TGR_ROUTING_METHOD_H

#include "routing/router.h"
#include "routing/work.h"

typedef struct tgr_method {
    /* Gates belong to slots, of which a token may have any number: see dispatch.h. There is no such router without
     * experts. */
    int weighs_slots;
    /* Slots hold mixtures of tokens, with weights that are learned: there is no such router without experts either, and
     * gather_backward is always called, with dx NULL if it is not wanted. */
    int mixes_tokens;
    /* input->patches is needed: there is no such layer without images. */
    int reads_patches;
    size_t own_bytes, work_bytes; /* of router->own and work->own; zeroed before declare */

    /* Fills router->own from the config and adds tensors called "<prefix>router.…" by tgr_layer_router_add. */
    tgr_status (*declare)(tgr_layer_router *router, const tgr_config *config, const char *prefix);
    /* Gives those tensors their first values, or NULL. */
    void (*initialise)(tgr_layer_router *router);
    /* The most slots of a batch of up to `tokens` tokens in TGR_EVAL, or in either mode for TGR_TRAIN; negative on
     * overflow; or NULL: T · K. Grows with tokens. */
    int64_t (*most_slots)(const tgr_layer_router *router, tgr_mode mode, int64_t tokens);
    /* Takes the buffers of work->own for up to `tokens` tokens, or NULL. */
    void (*plan)(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work);

    /* x [T, dim] → scores: logits, probabilities [T, E] */
    void (*score)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                  tgr_routing_work *work, tgr_scores *scores);
    /* scores → choices: experts, gates [T, K]. The gate_… of choices are the scores', or pass->override for
     * gate_probabilities, unless the method says otherwise here. */
    void (*route)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices);
    /* choices → slots: all fields except those for weighs_slots, or with weighs_slots those as well */
    void (*assign)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   tgr_routing_work *work, tgr_slots *slots);
    /* scores, choices → terms; in TGR_TRAIN also dlogits [T, E] += theirs. Or NULL. */
    void (*losses)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                   const tgr_choices *choices, tgr_routing_work *work, tgr_losses *losses);

    /* x [T, dim] → input [S, dim], the experts' */
    void (*gather)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots, const float *x,
                   tgr_routing_work *work, float *input);
    /* In TGR_TRAIN: notes in work->own what output [S, dim], the experts', says. Or NULL. */
    void (*observe)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                    const tgr_slots *slots, const float *output, tgr_routing_work *work);
    /* output [S, dim] → y [T, dim], overwritten */
    void (*combine)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                    const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y);

    /* dy [T, dim], output [S, dim] → dgates [T, K] or with weighs_slots [S], 0 where dropped; doutput [S, dim], which
     * may be output */
    void (*combine_backward)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                             const tgr_slots *slots, const float *dy, const float *output, tgr_routing_work *work,
                             float *dgates, float *doutput);
    /* dinput [S, dim] → dx [T, dim], overwritten */
    void (*gather_backward)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                            const float *x, const float *dinput, tgr_routing_work *work, float *dx);
    /* dgates → dlogits [T, E] += the task's. Not called when router_task_gradient is 0. Or NULL. */
    void (*route_backward)(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits);
    /* dlogits [T, E] → gradients of the method's tensors, and dx [T, dim] = or, to accumulate, +=; dx may be NULL */
    void (*score_backward)(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                           const float *dlogits, int accumulate, tgr_routing_work *work, float *dx);
    /* At the end: what this batch adds to the gradients of the state. Or NULL. */
    void (*finish)(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   const tgr_routing_work *work);
} tgr_method;

/* Each method's file defines its own: tgr_method_vmoe, tgr_method_switch, … */
#define TGR_DECLARE_METHOD(index, NAME, word, ...) extern const tgr_method tgr_method_##word;
TGR_METHOD_MAP(TGR_DECLARE_METHOD)
#undef TGR_DECLARE_METHOD

/* The method of that index, or NULL: "dense" has none. */
const tgr_method *tgr_method_of(int index);

#endif
