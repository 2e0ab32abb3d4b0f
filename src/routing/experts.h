/* SPDX-License-Identifier: MIT */
/* E experts, a group of FFNs each on its own slots. They know slots, not tokens or gates.
 *
 *                  forward, recompute    backward
 *     slots_in     x                     x, gathered again; becomes dx
 *     slots_out    y                     dy */
#ifndef TGR_ROUTING_EXPERTS_H
#define TGR_ROUTING_EXPERTS_H

#include "layers/ffn.h"

typedef struct tgr_experts {
    int64_t count;    /* E */
    tgr_ffn ffn;      /* of E groups */
    float *slots_in;  /* [slots, dim], free for others between passes */
    float *slots_out; /* [slots, dim], kept from forward to backward */
} tgr_experts;

/* Adds the tensors "<prefix>experts.…" for `count` experts of dim → hidden → dim. */
tgr_status tgr_experts_declare(tgr_experts *experts, tgr_parameters *parameters, const char *prefix, int64_t count,
                               int64_t dim, int64_t hidden, tgr_precision precision);
void tgr_experts_initialise(tgr_experts *experts, double deviation);
/* Buffers for up to `slots` rows. plan_kept comes first. */
void tgr_experts_plan_kept(tgr_experts *experts, tgr_arena *arena, int64_t slots);
void tgr_experts_plan_work(tgr_experts *experts, tgr_mode mode, tgr_arena *arena, int64_t slots);
/* slots_out from slots_in; rows first_slot[e] … first_slot[e + 1] - 1 are expert e's. */
void tgr_experts_forward(tgr_experts *experts, const int64_t *first_slot);
/* Adds to the gradients of the weights, except those of experts without a row; dx only if it is wanted. Once for each
 * forward. */
void tgr_experts_backward(tgr_experts *experts, const int64_t *first_slot, int want_dx);

#endif
