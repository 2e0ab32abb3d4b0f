/* SPDX-License-Identifier: MIT */
/* E feed-forward networks, each on its own rows: Linear dim→hidden, GELU, Linear hidden→dim. They know slots, not
 * tokens or gates. */
#ifndef TGR_ROUTING_EXPERTS_H
#define TGR_ROUTING_EXPERTS_H

#include "base/context.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "kernels/gemm.h"

typedef struct tgr_experts {
    const tgr_compute *compute;
    tgr_parameters *parameters;
    int64_t count, dim, hidden;
    tgr_precision precision;
    int64_t fc1_weight, fc1_bias, fc2_weight, fc2_bias; /* indices of tensors, see moe_layer.h */
    /* Kept from forward to backward: */
    float *hidden_values; /* [slots, hidden], before GELU; backward makes them those after it */
    float *output;        /* [slots, dim]; the caller makes it its gradient */
    /* Within a forward or a backward: */
    float *input;       /* [slots, dim]; becomes its gradient */
    float *activation;  /* [slots, hidden], after GELU; in backward the gradient of what is before */
    tgr_gemm *products; /* [E] */
} tgr_experts;

/* Adds the tensors "<prefix>experts.…" for `count` experts of dim → hidden → dim. */
tgr_status tgr_experts_declare(tgr_experts *experts, tgr_parameters *parameters, const char *prefix, int64_t count,
                               int64_t dim, int64_t hidden, tgr_precision precision);
void tgr_experts_initialise(tgr_experts *experts, double deviation);
/* Takes buffers for up to `slots` rows from the arena: those that are kept, and those that others may use between a
 * forward and its backward. Without backward GELU is in place. */
void tgr_experts_plan_kept(tgr_experts *experts, tgr_arena *arena, int64_t slots);
void tgr_experts_plan_work(tgr_experts *experts, tgr_mode mode, tgr_arena *arena, int64_t slots);
/* output from input; rows first_slot[e] … first_slot[e + 1] - 1 are expert e's. */
void tgr_experts_forward(tgr_experts *experts, const int64_t *first_slot);
/* With the input of the forward in `input` again and the gradient of the output in `output`: adds to the gradients of
 * the weights (those of experts without a row are not touched), and leaves the gradient of the input in `input` if it
 * is wanted. Once for each forward. */
void tgr_experts_backward(tgr_experts *experts, const int64_t *first_slot, int want_input);

#endif
