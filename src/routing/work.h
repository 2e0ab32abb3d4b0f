/* SPDX-License-Identifier: MIT */
/* The working memory of one layer's router: everything that is not a value of routing.h. */
#ifndef TGR_ROUTING_WORK_H
#define TGR_ROUTING_WORK_H

#include "base/memory.h"
#include "routing/router.h"

typedef struct tgr_routing_work {
    /* Kept from one function to a later one: */
    float *noisy_logits, *noisy_probabilities; /* [T, E], where there is noise */
    float *dgates;                             /* [T, K], or [most slots] where the method weighs_slots */
    void *own;                                 /* the method's: see method.h */
    /* Within a step: */
    double *partial;               /* [tgr_each_blocks(T), E], see each.h */
    double *sums, *factors;        /* [E], of auxiliary losses */
    uint32_t *priority;            /* [T], sort keys; this and what follows are capacity.c's */
    int32_t *order, *order_before; /* [T], tokens by priority, and room to sort them */
    int64_t *next_slot;            /* [E] */
} tgr_routing_work;

/* Takes the record's buffers and the working memory for up to `tokens` tokens from the arena: for passes in TGR_EVAL,
 * or in either mode for TGR_TRAIN. Everything but the method's own. */
void tgr_routing_plan(const tgr_layer_router *router, tgr_mode mode, tgr_arena *arena, int64_t tokens,
                      tgr_routing *routing, tgr_routing_work *work);

#endif
