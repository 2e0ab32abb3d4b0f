/* SPDX-License-Identifier: MIT */
/* The router of one MoE layer, which outlives its passes, and one pass through it. */
#ifndef TGR_ROUTING_ROUTER_H
#define TGR_ROUTING_ROUTER_H

#include "base/config.h"
#include "base/context.h"
#include "base/parameters.h"
#include "base/random.h"
#include "layers/linear.h"
#include "routing/routing.h"

struct tgr_method; /* routing/method.h */

/* The sizes that a layer is made for. */
typedef struct tgr_layer_shape {
    int64_t dim;
    int64_t sequence;      /* tokens of one image; 0 where the whole batch is one (a layer on its own) */
    int64_t prefix_tokens; /* tokens of an image before its patches */
    int64_t patch_dim;     /* numbers of a raw patch, 0 where there are none */
} tgr_layer_shape;

/* What a layer reads in one pass. */
typedef struct tgr_layer_input {
    const float *x;       /* [T, dim], image by image */
    const float *patches; /* [T, patch_dim], zero for prefix tokens; NULL unless the method reads_patches */
} tgr_layer_input;

/* The options of the router, read from the config once. */
typedef struct tgr_router_options {
    int method; /* tgr_method_index */
    int64_t experts, top_k;
    double capacity_factor[2]; /* by tgr_mode; 0 is dropless */
    int batch_prioritized, renormalize, task_gradient;
    double noise; /* deviation times E */
    double importance_weight, load_weight, switch_weight, z_weight, init_std;
} tgr_router_options;

typedef struct tgr_layer_router {
    tgr_router_options options;
    tgr_layer_shape shape;
    const struct tgr_method *method;
    const tgr_compute *compute;
    tgr_parameters *parameters; /* of the network */
    tgr_linear linear;          /* W [E, dim] of linear_router.h, where the method has one */
    void *own;                  /* the method's own struct: see method.h */
    const float *override;      /* [override_tokens, E] probabilities to route by in evaluation, or NULL */
    int64_t override_tokens;
} tgr_layer_router;

/* One batch's forward and backward through a layer. */
typedef struct tgr_routing_pass {
    tgr_mode mode;
    int64_t tokens;        /* T */
    int64_t sequence;      /* tokens of an image: token t is at position t % sequence */
    uint64_t step;         /* optimizer steps taken before it */
    tgr_random random;     /* this layer's random numbers in this pass; noise uses the indices t·E + e */
    const float *override; /* [T, E] probabilities to route by, or NULL: the router's in evaluation */
} tgr_routing_pass;

/* Reads the router's options. Fails when the method has no experts, or is not implemented, or top_k exceeds experts. */
tgr_status tgr_router_options_read(tgr_router_options *options, const tgr_config *config);
/* Makes a router and declares its method's tensors, each called "<prefix>router.…". On failure some may have been
 * added. */
tgr_status tgr_layer_router_open(tgr_layer_router *router, const tgr_router_options *options,
                                 const tgr_layer_shape *shape, tgr_parameters *parameters, const tgr_config *config,
                                 const char *prefix);
void tgr_layer_router_close(tgr_layer_router *router);
/* Adds the tensor "<prefix><name>". For methods. */
tgr_status tgr_layer_router_add(tgr_layer_router *router, int64_t *index, const char *prefix, const char *name,
                                unsigned flags, int ndim, const int64_t *dims);
/* The most slots that the experts compute of a batch of up to `tokens` tokens in TGR_EVAL, or in either mode for
 * TGR_TRAIN; negative when there are too many. */
int64_t tgr_layer_router_most_slots(const tgr_layer_router *router, tgr_mode mode, int64_t tokens);

#endif
