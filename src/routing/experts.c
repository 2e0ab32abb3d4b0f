/* SPDX-License-Identifier: MIT */
/* The experts' FFNs and slots. */
#include "routing/experts.h"

#include <stdio.h>

tgr_status tgr_experts_declare(tgr_experts *experts, tgr_parameters *parameters, const char *prefix, int64_t count,
                               int64_t dim, int64_t hidden, tgr_precision precision) {
    char name[TGR_NAME_BYTES];
    experts->count = count;
    snprintf(name, sizeof name, "%sexperts", prefix);
    return tgr_ffn_declare(&experts->ffn, parameters, name, count, dim, hidden, precision);
}

void tgr_experts_initialise(tgr_experts *experts, double deviation) {
    tgr_ffn_initialise(&experts->ffn, deviation);
}

void tgr_experts_plan_kept(tgr_experts *experts, tgr_arena *arena, int64_t slots) {
    tgr_ffn_plan_kept(&experts->ffn, arena, slots);
    experts->slots_out = tgr_arena_floats(arena, slots, experts->ffn.fc2.outputs);
}

void tgr_experts_plan_work(tgr_experts *experts, tgr_mode mode, tgr_arena *arena, int64_t slots) {
    experts->slots_in = tgr_arena_floats(arena, slots, experts->ffn.fc1.inputs);
    tgr_ffn_plan_work(&experts->ffn, mode, arena, slots);
}

void tgr_experts_forward(tgr_experts *experts, const int64_t *first_slot) {
    tgr_ffn_forward(&experts->ffn, first_slot, experts->slots_in, experts->slots_out, 0);
}

void tgr_experts_backward(tgr_experts *experts, const int64_t *first_slot, int want_dx) {
    float *dx = want_dx ? experts->slots_in : NULL;
    tgr_ffn_backward(&experts->ffn, first_slot, experts->slots_in, experts->slots_out, dx, 0, NULL);
}
