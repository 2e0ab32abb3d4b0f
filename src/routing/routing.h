/* SPDX-License-Identifier: MIT */
/* What a router decided for one batch: the record that methods fill, experts follow, and teachers and measures read.
 *
 * T tokens, E experts, K choices per token. A "choice" is one (token, k) pair; a "slot" is a place in an expert's
 * input, slots of expert e being first_slot[e] … first_slot[e + 1] - 1. A dropped choice has no slot. */
#ifndef TGR_ROUTING_ROUTING_H
#define TGR_ROUTING_ROUTING_H

#include "base/config.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "tgrmoe/routing.h"

#define TGR_MAX_TERMS 8

struct tgr_method; /* routing/method.h */

/* What a layer is made for. */
typedef struct tgr_layer_shape {
    int64_t dim;
    int64_t sequence;      /* tokens of one image; 0 where the whole batch is one (a layer on its own) */
    int64_t prefix_tokens; /* tokens of an image before its patches */
    int64_t patch_dim;     /* numbers of a raw patch, 0 where there are none */
} tgr_layer_shape;

/* What a layer reads in one pass. It must stay until backward in TGR_TRAIN. */
typedef struct tgr_layer_input {
    const float *x;       /* [T, dim], image by image */
    int64_t tokens;       /* T, a multiple of the sequence */
    const float *patches; /* [T, patch_dim], zero for prefix tokens; NULL unless the method reads_patches */
} tgr_layer_input;

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
    const struct tgr_method *method;
    const struct tgr_compute *compute;
    tgr_parameters *parameters; /* of the network, with `step` and `micro` */
    tgr_layer_shape shape;
    int64_t router_weight; /* tensor [E, dim] of linear_router.h, where the method has one */

    tgr_layer_input input; /* of the last batch */
    int64_t tokens;        /* T of the last batch, 0 before */
    int64_t sequence;      /* tokens of an image of the last batch: token t stands at t % sequence */
    tgr_mode mode;         /* of the last batch */
    int again;             /* the pass runs once more for its backward: see method.h */

    float *logits;                   /* [T, E], without noise */
    float *probabilities;            /* [T, E], softmax(logits) */
    const float *gate_logits;        /* [T, E]: noisy_logits, or logits where there is no noise */
    const float *gate_probabilities; /* [T, E]: noisy_probabilities, probabilities or override */
    int32_t *choices;                /* [T, K], experts, largest gate first */
    float *gates;                    /* [T, K] */
    uint8_t *kept;                   /* [T, K] */
    int64_t *load;                   /* [E], tokens computed by each expert */

    int32_t *slot_of_choice; /* [T, K], -1 when dropped */
    int32_t *token_of_slot;  /* [most slots], ascending within an expert */
    int64_t *first_slot;     /* [E + 1] */
    int64_t slots;           /* first_slot[E] */

    /* Where the method weighs_slots (see slot_dispatch.h): */
    float *gate_of_slot;          /* [most slots] */
    float *slot_gates_gradient;   /* [most slots]: the task's */
    int64_t *first_slot_of_token; /* [T + 1] */
    int32_t *slots_of_token;      /* [most slots]: token by token, ascending */

    float *logits_gradient;  /* [T, E]: auxiliary losses and guidance add to it after a forward in TGR_TRAIN */
    float *gates_gradient;   /* [T, K]: the task's, 0 where dropped */
    const float *override;   /* [T, E] probabilities to route by in evaluation, or NULL */
    int64_t override_tokens; /* T of override: a pass of another T must not run with it */

    tgr_term terms[TGR_MAX_TERMS];
    int64_t term_count;

    float *noisy_logits, *noisy_probabilities; /* [T, E], where there is noise */
    double *partial;                           /* [token blocks, E], see token_sum.h */
    double *sums, *factors;                    /* [E], for auxiliary losses */
    uint32_t *priority;                        /* [T], sort keys */
    int32_t *order, *order_before;             /* [T], tokens by priority, and room to sort them */
    int64_t *cursor;                           /* [E], the next slot to fill */
    void *method_state;                        /* of tgr_routing_keep, NULL without */
    size_t method_state_bytes;
};

/* Reads the router's options. Fails when the method has no experts, or is not there yet, or top_k
 * exceeds experts. */
tgr_status tgr_router_options_read(tgr_router_options *options, const tgr_config *config);
/* The most slots that the experts compute of a batch of up to `tokens` tokens in TGR_EVAL, or in either mode for
 * TGR_TRAIN; negative when there are too many. */
int64_t tgr_routing_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens);
/* Takes the buffers for up to `tokens` tokens from the arena: for passes in TGR_EVAL, or in either mode for TGR_TRAIN.
 */
void tgr_routing_plan(tgr_routing *routing, tgr_mode mode, tgr_arena *arena, int64_t tokens);
/* Adds the tensor "<prefix><name>". */
tgr_status tgr_routing_declare(tgr_routing *routing, int64_t *index, const char *prefix, const char *name,
                               unsigned flags, int ndim, const int64_t *dims);
/* Makes routing->method_state, `bytes` zeroed bytes that are freed with the layer. To be called once, by declare. */
tgr_status tgr_routing_keep(tgr_routing *routing, size_t bytes);
/* Appends an auxiliary loss; `name` lives as long as the library. */
void tgr_routing_add_term(tgr_routing *routing, const char *name, double value);

/* Adds weight · KL(teacher ‖ p), mean over tokens, to logits_gradient: (p - teacher) · weight / T (in TGR_TRAIN only).
 * The KL (without the weight) goes to *divergence, unless NULL. `teacher` is [T, E]. Terms with teacher probability 0
 * count 0. */
void tgr_routing_guide(tgr_routing *routing, const float *teacher, double weight, double *divergence);

#endif
