/* SPDX-License-Identifier: MIT */
/* The table of routing methods.
 *
 * Switch is V-MoE's gate with K = 1, without noise, and with one loss, all by the option table. TGR-MoE routes as V-MoE
 * does. What sets it apart is the teacher's guidance, which comes from outside through tgr_routing_guide, and that its
 * balance losses have weight 0 by the option table. */
#include "routing/gates/dense_gate.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/softmax_gate.h"
#include "routing/losses/balance.h"
#include "routing/method.h"
#include "routing/methods/base.h"
#include "routing/methods/default.h"
#include "routing/methods/dense_train.h"
#include "routing/methods/evomoe.h"
#include "routing/methods/expert_choice.h"
#include "routing/methods/hash.h"
#include "routing/methods/loss_free.h"
#include "routing/methods/soft.h"
#include "routing/methods/stable.h"
#include "routing/slots/capacity.h"
#include "routing/slots/dispatch.h"
#include "routing/slots/slot_dispatch.h"

/* Token choice: capacity, gather, weighted sum. */
#define TOKEN_CHOICE                                                                        \
    .assign = tgr_assign_slots, .gather = tgr_gather_tokens, .combine = tgr_combine_tokens, \
    .combine_backward = tgr_combine_tokens_backward, .gather_backward = tgr_gather_tokens_backward

#define LINEAR_ROUTER                                                                 \
    .declare = tgr_linear_router_declare, .initialise = tgr_linear_router_initialise, \
    .score = tgr_linear_router_score, .score_backward = tgr_linear_router_backward

#define SOFTMAX_GATE .route = tgr_softmax_gate, .backward = tgr_softmax_gate_backward

/* Any number of experts for each token. */
#define DENSE_GATE                                                                                                    \
    .weighs_slots = 1, .most_slots = tgr_dense_most_slots, .gather = tgr_gather_tokens, .combine = tgr_combine_slots, \
    .combine_backward = tgr_combine_slots_backward, .gather_backward = tgr_gather_slots_backward

static const tgr_method methods[] = {
    {.index = TGR_METHOD_VMOE, LINEAR_ROUTER, SOFTMAX_GATE, TOKEN_CHOICE, .auxiliary = tgr_balance_losses},
    {.index = TGR_METHOD_TGR, LINEAR_ROUTER, SOFTMAX_GATE, TOKEN_CHOICE, .auxiliary = tgr_balance_losses},
    {.index = TGR_METHOD_SWITCH, LINEAR_ROUTER, SOFTMAX_GATE, TOKEN_CHOICE, .auxiliary = tgr_balance_losses},
    {.index = TGR_METHOD_STABLE,
     TOKEN_CHOICE,
     .reads_patches = 1,
     .declare = tgr_stable_declare,
     .initialise = tgr_stable_initialise,
     .plan = tgr_stable_plan,
     .score = tgr_stable_score,
     .route = tgr_stable_route,
     .auxiliary = tgr_stable_losses,
     .backward = tgr_stable_gate_backward,
     .score_backward = tgr_stable_score_backward},
    {.index = TGR_METHOD_DEFAULT,
     .declare = tgr_default_declare,
     .initialise = tgr_linear_router_initialise,
     .plan = tgr_default_plan,
     .score = tgr_linear_router_score,
     .route = tgr_default_route,
     .assign = tgr_assign_slots,
     .auxiliary = tgr_balance_losses,
     .gather = tgr_gather_tokens,
     .combine = tgr_default_combine,
     .combine_backward = tgr_default_combine_backward,
     .gather_backward = tgr_gather_tokens_backward,
     .backward = tgr_default_backward,
     .score_backward = tgr_linear_router_backward},
    {.index = TGR_METHOD_EXPERT_CHOICE,
     .weighs_slots = 1,
     .declare = tgr_expert_choice_declare,
     .initialise = tgr_linear_router_initialise,
     .most_slots = tgr_expert_choice_most_slots,
     .score = tgr_linear_router_score,
     .route = tgr_expert_choice_route,
     .assign = tgr_expert_choice_assign,
     .auxiliary = tgr_balance_losses,
     .gather = tgr_gather_tokens,
     .combine = tgr_combine_slots,
     .combine_backward = tgr_combine_slots_backward,
     .gather_backward = tgr_gather_slots_backward,
     .backward = tgr_expert_choice_backward,
     .score_backward = tgr_linear_router_backward},
    {.index = TGR_METHOD_SOFT,
     .mixes_tokens = 1,
     .declare = tgr_soft_declare,
     .initialise = tgr_soft_initialise,
     .most_slots = tgr_soft_most_slots,
     .plan = tgr_soft_plan,
     .score = tgr_soft_score,
     .route = tgr_soft_route,
     .assign = tgr_soft_assign,
     .gather = tgr_soft_gather,
     .combine = tgr_soft_combine,
     .combine_backward = tgr_soft_combine_backward,
     .gather_backward = tgr_soft_gather_backward,
     .score_backward = tgr_soft_score_backward},
    {.index = TGR_METHOD_HASH,
     TOKEN_CHOICE,
     .declare = tgr_hash_declare,
     .initialise = tgr_hash_initialise,
     .score = tgr_hash_score,
     .route = tgr_hash_route,
     .score_backward = tgr_hash_score_backward},
    {.index = TGR_METHOD_BASE,
     TOKEN_CHOICE,
     .declare = tgr_base_layer_declare,
     .initialise = tgr_base_layer_initialise,
     .plan = tgr_base_layer_plan,
     .score = tgr_linear_router_score,
     .route = tgr_base_layer_route,
     .backward = tgr_base_layer_backward,
     .score_backward = tgr_linear_router_backward},
    {.index = TGR_METHOD_LOSS_FREE,
     TOKEN_CHOICE,
     .declare = tgr_loss_free_declare,
     .initialise = tgr_linear_router_initialise,
     .plan = tgr_loss_free_plan,
     .score = tgr_linear_router_score,
     .route = tgr_loss_free_route,
     .auxiliary = tgr_balance_losses,
     .backward = tgr_softmax_gate_backward,
     .score_backward = tgr_linear_router_backward,
     .finish = tgr_loss_free_finish},
    {.index = TGR_METHOD_DENSE_TRAIN,
     DENSE_GATE,
     .declare = tgr_dense_train_declare,
     .initialise = tgr_linear_router_initialise,
     .score = tgr_linear_router_score,
     .route = tgr_softmax_gate,
     .assign = tgr_dense_train_assign,
     .auxiliary = tgr_dense_train_losses,
     .backward = tgr_dense_train_backward,
     .score_backward = tgr_linear_router_backward},
    {.index = TGR_METHOD_EVOMOE,
     DENSE_GATE,
     .declare = tgr_evomoe_declare,
     .initialise = tgr_linear_router_initialise,
     .plan = tgr_evomoe_plan,
     .score = tgr_linear_router_score,
     .route = tgr_evomoe_route,
     .assign = tgr_evomoe_assign,
     .auxiliary = tgr_balance_losses,
     .backward = tgr_evomoe_backward,
     .score_backward = tgr_linear_router_backward},
};

const tgr_method *tgr_method_find(int index) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].index == index) return &methods[i];
    return NULL;
}
