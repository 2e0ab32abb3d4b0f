/* SPDX-License-Identifier: MIT */
/* The decisions for one batch, as values in the order in which they are made:
 *
 *     x → scores → choices → slots, losses
 *
 * T tokens, E experts, K choices of a token. A "choice" is one (token, k) pair; a "slot" is a row of an expert's input.
 * A dropped choice has no slot. A const pointer to one of these means that the arrays behind it are not written either.
 */
#ifndef TGR_ROUTING_ROUTING_H
#define TGR_ROUTING_ROUTING_H

#include "tgrmoe/routing.h"

#define TGR_MAX_TERMS 8

/* The router's score of each expert. */
typedef struct tgr_scores {
    float *logits;        /* [T, E], without noise */
    float *probabilities; /* [T, E], softmax(logits) */
} tgr_scores;

/* The experts that each token chooses. */
typedef struct tgr_choices {
    const float *gate_logits;        /* [T, E], the logits that decided: the scores', or those with noise */
    const float *gate_probabilities; /* [T, E], the same; or an oracle's */
    int32_t *experts;                /* [T, K], best first */
    float *gates;                    /* [T, K], the weights of their outputs */
} tgr_choices;

/* The slots that each token gets. Slots of expert e are first_slot[e] … first_slot[e + 1] - 1. */
typedef struct tgr_slots {
    uint8_t *kept;           /* [T, K], 1 where the choice has a slot, else 0 */
    int64_t *load;           /* [E], slots of each expert */
    int64_t *first_slot;     /* [E + 1] */
    int64_t count;           /* first_slot[E] */
    int32_t *slot_of_choice; /* [T, K], -1 where dropped */
    int32_t *token_of_slot;  /* [count], ascending within an expert */
    /* Where the method weighs_slots (dispatch.h): */
    float *gate_of_slot;          /* [count] */
    int64_t *first_slot_of_token; /* [T + 1], start of each token's slots in: */
    int32_t *slots_of_token;      /* [count], token by token, ascending */
} tgr_slots;

/* One auxiliary loss of a method, with its weight in it. */
typedef struct tgr_term {
    const char *name;
    double value;
} tgr_term;

/* What is trained in addition to the task. */
typedef struct tgr_losses {
    tgr_term terms[TGR_MAX_TERMS];
    int64_t term_count;
    float *dlogits; /* [T, E], in TGR_TRAIN: gradient of the terms, then a teacher's guidance is added, then the task */
} tgr_losses;

/* The record, which the public reads. */
struct tgr_routing {
    int64_t tokens; /* T of the last batch, 0 before */
    int64_t experts, top_k;
    tgr_scores scores;
    tgr_choices choices;
    tgr_slots slots;
    tgr_losses losses;
};

#endif
