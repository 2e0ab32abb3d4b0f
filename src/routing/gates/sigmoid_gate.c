/* SPDX-License-Identifier: MIT */
/* g_t = 1 / (1 + exp(-s)) */
#include "routing/gates/sigmoid_gate.h"

#include <math.h>

#include "routing/each.h"

typedef struct gate_job {
    int64_t experts;
    const float *scores; /* [T, E] */
    tgr_choices *choices;
} gate_job;

static void open_gate(const void *data, int64_t token) {
    const gate_job *job = data;
    double score = job->scores[token * job->experts + job->choices->experts[token]];
    job->choices->gates[token] = (float)(1 / (1 + exp(-score)));
}

void tgr_sigmoid_gate(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *scores,
                      tgr_choices *choices) {
    gate_job job = {.experts = router->options.experts, .scores = scores, .choices = choices};
    tgr_each(router->compute, pass->tokens, open_gate, &job);
}
