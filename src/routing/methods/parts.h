/* SPDX-License-Identifier: MIT */
/* Groups of steps that methods share, for the definition of a tgr_method. */
#ifndef TGR_ROUTING_METHODS_PARTS_H
#define TGR_ROUTING_METHODS_PARTS_H

#include "routing/gates/dense_gate.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/softmax_gate.h"
#include "routing/losses/balance.h"
#include "routing/method.h"
#include "routing/slots/capacity.h"
#include "routing/slots/dispatch.h"

/* l = W x, p = softmax(l) */
#define TGR_LINEAR_SCORES .score = tgr_linear_router_score, .score_backward = tgr_linear_router_backward
/* The same with W as the method's only tensor. */
#define TGR_LINEAR_ROUTER \
    .declare = tgr_linear_router_declare, .initialise = tgr_linear_router_initialise, TGR_LINEAR_SCORES

/* The K largest of softmax(l + ε), with their probabilities for gates. */
#define TGR_SOFTMAX_GATE .route = tgr_softmax_gate, .route_backward = tgr_softmax_gate_backward

/* A token chooses K experts, within their capacity. */
#define TGR_TOKEN_SLOTS \
    .assign = tgr_assign_slots, .gather = tgr_gather_tokens, .gather_backward = tgr_gather_tokens_backward
/* The same, and a token gets the sum of their outputs weighted by its gates. */
#define TGR_TOKEN_CHOICE TGR_TOKEN_SLOTS, .combine = tgr_combine_tokens, .combine_backward = tgr_combine_tokens_backward

/* A token has any number of experts, and gets the sum of their outputs weighted by the gates of its slots. */
#define TGR_SLOT_GATES                                                            \
    .weighs_slots = 1, .gather = tgr_gather_tokens, .combine = tgr_combine_slots, \
    .combine_backward = tgr_combine_slots_backward, .gather_backward = tgr_gather_slots_backward

#endif
