/* SPDX-License-Identifier: MIT */
/* A gate whose temperature falls. */
#include "routing/methods/evomoe.h"

#include <math.h>

#include "base/status.h"
#include "base/step_share.h"
#include "kernels/parallel_rows.h"
#include "routing/gates/dense_gate.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/softmax_gate.h"

typedef struct evomoe_state {
    double start, end, threshold;
    uint64_t dense_steps; /* steps over which the temperature falls */
    float *q;             /* [T, E], softmax(l / τ) */
} evomoe_state;

tgr_status tgr_evomoe_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    double share = tgr_option_f64(config, TGR_OPTION_EVO_DENSE_SHARE);
    double start = tgr_option_f64(config, TGR_OPTION_EVO_TEMPERATURE_START);
    double end = tgr_option_f64(config, TGR_OPTION_EVO_TEMPERATURE_END);
    TGR_REQUIRE(total > 0 || share == 0, TGR_ERROR_RANGE,
                "option 'evo_dense_share' is %g of 'total_steps', which is 0; method 'evomoe' needs to know it", share);
    TGR_REQUIRE(start >= end, TGR_ERROR_RANGE,
                "option 'evo_temperature_start' is %g; at least 'evo_temperature_end', %g, is needed", start, end);
    TGR_TRY(tgr_routing_keep(routing, sizeof(evomoe_state)));
    *(evomoe_state *)routing->method_state =
        (evomoe_state){.start = start,
                       .end = end,
                       .threshold = tgr_option_f64(config, TGR_OPTION_EVO_THRESHOLD),
                       .dense_steps = tgr_step_of_share(share, total)};
    return tgr_linear_router_declare(routing, config, prefix);
}

void tgr_evomoe_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens) {
    evomoe_state *state = routing->method_state;
    state->q = tgr_arena_floats(arena, tokens, routing->options.experts);
}

static int is_dense(const tgr_routing *routing) {
    const evomoe_state *state = routing->method_state;
    return routing->mode == TGR_TRAIN && routing->parameters->step < state->dense_steps;
}

static double temperature(const tgr_routing *routing) {
    const evomoe_state *state = routing->method_state;
    if (!is_dense(routing)) return state->end;
    double done = (double)routing->parameters->step / (double)state->dense_steps;
    return state->start + (state->end - state->start) * done;
}

void tgr_evomoe_route(tgr_routing *routing, const tgr_random *random) {
    const evomoe_state *state = routing->method_state;
    (void)random;
    tgr_softmax_rows(routing->compute, routing->tokens, routing->options.experts, (float)(1 / temperature(routing)),
                     routing->logits, state->q, NULL);
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = state->q;
    if (routing->mode == TGR_EVAL && routing->override != NULL) routing->gate_probabilities = routing->override;
    tgr_choose_experts(routing);
}

void tgr_evomoe_assign(tgr_routing *routing) {
    const evomoe_state *state = routing->method_state;
    tgr_take_experts(routing, is_dense(routing) ? state->threshold : INFINITY);
}

/* The step is still that of the forward pass. */
void tgr_evomoe_backward(tgr_routing *routing) {
    tgr_dense_gate_backward(routing, temperature(routing));
}
