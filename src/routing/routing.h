/* SPDX-License-Identifier: MIT */
/* What a router decided for one batch: the record that methods fill, experts follow, and teachers and measures read.
 *
 * T tokens, E experts, K choices per token. A "choice" is one (token, k) pair; a "slot" is a place in an expert's
 * input, slots of expert e being first_slot[e] … first_slot[e + 1] - 1. A dropped choice has no slot. */
#ifndef TGR_ROUTING_ROUTING_H
#define TGR_ROUTING_ROUTING_H

#include "base/context.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "tgrmoe/routing.h"

#define TGR_MAX_TERMS 8

/* One auxiliary loss of a method, with its weight in it. */
typedef struct tgr_term {
    const char *name;
    double value;
} tgr_term;

/* The options of the router, read from the config once. */
typedef struct tgr_router_options {
    int method; /* tgr_method_index */
    int64_t experts, top_k;
    double capacity_factor[2]; /* by tgr_mode; 0 is dropless */
    int batch_prioritized, renormalize, task_gradient;
    double noise; /* deviation times E */
    double importance_weight, load_weight, switch_weight, z_weight, init_std;
} tgr_router_options;

struct tgr_routing {
    tgr_router_options options;
    const struct tgr_compute *compute;
    int64_t tokens; /* T of the last batch, 0 before */
    tgr_mode mode;  /* of the last batch */

    float *logits;             /* [T, E], without noise */
    float *probabilities;      /* [T, E], softmax(logits) */
    float *gate_logits;        /* [T, E], with noise; equal to logits where there is none */
    float *gate_probabilities; /* [T, E], softmax(gate_logits) */
    int32_t *choices;          /* [T, K], experts, largest gate first */
    float *gates;              /* [T, K] */
    uint8_t *kept;             /* [T, K] */
    int64_t *load;             /* [E], tokens computed by each expert */

    int32_t *slot_of_choice; /* [T, K], -1 when dropped */
    int32_t *token_of_slot;  /* [T · K] */
    int64_t *first_slot;     /* [E + 1] */
    int64_t slots;           /* first_slot[E] */

    float *logits_gradient; /* [T, E]: auxiliary losses and guidance add to it after a forward in TGR_TRAIN */
    const float *override;  /* [T, E] probabilities to route by in evaluation, or NULL */

    tgr_term terms[TGR_MAX_TERMS];
    int64_t term_count;
    double *partial; /* small sums by row block */
    int32_t *order;  /* [T], tokens by priority */
    void *method_state;
};

/* Adds weight · KL(teacher ‖ p), mean over tokens, to logits_gradient: (p - teacher) · weight / T. The KL (without the
 * weight) goes to *divergence. `teacher` is [T, E]. Terms with teacher probability 0 count 0. */
void tgr_routing_guide(tgr_routing *routing, const float *teacher, double weight, double *divergence);

#endif
