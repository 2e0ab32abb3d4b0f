/* SPDX-License-Identifier: MIT */
/* A standalone MoE layer with its own parameters and memory: the inside of tgr_router and tgr_moe. */
#ifndef TGR_ROUTING_HANDLES_STANDALONE_H
#define TGR_ROUTING_HANDLES_STANDALONE_H

#include "routing/moe_layer.h"

typedef struct tgr_standalone {
    tgr_context *context;
    tgr_parameters *parameters; /* retained */
    tgr_moe_layer *layer;
    tgr_layer_input input; /* the host's, of the last batch */
    int64_t dim;
    void *memory; /* the layer's buffers, for batches of up to `tokens` */
    int64_t memory_bytes, tokens;
    int64_t sequence,
        planned_sequence; /* tokens of one image (0: the whole batch is one): as requested, and as planned for */
    int can_be_guided;    /* the method has a softmax router */
    int can_backward;     /* a forward in TGR_TRAIN is waiting for its backward */
    tgr_values_mark mark; /* of the weights that the last forward used */
} tgr_standalone;

struct tgr_router {
    tgr_standalone inside;
};

struct tgr_moe {
    tgr_standalone inside;
};

/* These check the host's arguments. If opening fails, the standalone is closed; closing does not release the context,
 * in whose memory the standalone itself is. */
tgr_status tgr_standalone_open(tgr_standalone *standalone, tgr_context *context, const tgr_config *config, int64_t dim,
                               int with_experts);
void tgr_standalone_close(tgr_standalone *standalone);
/* Takes effect with the next batch. */
tgr_status tgr_standalone_set_sequence(tgr_standalone *standalone, int64_t tokens_per_sequence);
/* Checks mode, x and tokens, makes the memory large enough and stores x. On failure the last batch is still there. */
tgr_status tgr_standalone_prepare(tgr_standalone *standalone, tgr_mode mode, const float *x, int64_t tokens);
tgr_status tgr_standalone_check_backward(const tgr_standalone *standalone);
/* Fails if x_gradient [T, dim], which may be NULL, overlaps `gradient` [T, columns] or the x of the forward: both are
 * read while it is written. */
tgr_status tgr_standalone_check_buffers(const tgr_standalone *standalone, const char *name, const float *gradient,
                                        int64_t columns, const float *x_gradient);
/* Counts the backward pass that was made. */
void tgr_standalone_finish_backward(tgr_standalone *standalone);
tgr_status tgr_standalone_guide(tgr_standalone *standalone, const float *teacher, double weight, double *divergence);

#endif
