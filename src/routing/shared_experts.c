/* SPDX-License-Identifier: MIT */
/* The shared experts as one FFN whose output is added to y. */
#include "routing/shared_experts.h"

#include <stdio.h>

#include "kernels/parallel_rows.h"

tgr_status tgr_shared_experts_declare(tgr_shared_experts *shared, tgr_parameters *parameters, const char *prefix,
                                      int64_t dim, int64_t hidden, tgr_precision precision) {
    char name[TGR_NAME_BYTES];
    shared->hidden = hidden;
    snprintf(name, sizeof name, "%sshared", prefix);
    return tgr_ffn_declare(&shared->ffn, parameters, name, 0, dim, hidden, precision);
}

void tgr_shared_experts_initialise(tgr_shared_experts *shared, double deviation) {
    tgr_ffn_initialise(&shared->ffn, deviation);
}

void tgr_shared_experts_plan_kept(tgr_shared_experts *shared, tgr_arena *arena, int64_t tokens) {
    tgr_ffn_plan_kept(&shared->ffn, arena, tokens);
}

void tgr_shared_experts_plan_work(tgr_shared_experts *shared, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    int64_t dim = shared->ffn.fc1.inputs, widest = shared->hidden > dim ? shared->hidden : dim;
    tgr_ffn_plan_work(&shared->ffn, mode, arena, tokens);
    shared->partial = tgr_arena_floats(arena, tgr_partial_floats(tokens, widest, 1), 1);
}

void tgr_shared_experts_forward(tgr_shared_experts *shared, int64_t tokens, const float *x, float *y) {
    tgr_ffn_forward(&shared->ffn, TGR_ALL_ROWS(tokens), x, y, 1);
}

void tgr_shared_experts_backward(tgr_shared_experts *shared, int64_t tokens, const float *x, const float *dy,
                                 float *dx) {
    tgr_ffn_backward(&shared->ffn, TGR_ALL_ROWS(tokens), x, dy, dx, 1, shared->partial);
}
