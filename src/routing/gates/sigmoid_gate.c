/* SPDX-License-Identifier: MIT */
/* The best expert and its sigmoid gate. */
#include "routing/gates/sigmoid_gate.h"

#include <math.h>

#include "routing/each.h"
#include "routing/gates/topk.h"

typedef struct gate_job {
    int64_t experts;
    const float *scores; /* [T, E] */
    tgr_choices *choices;
} gate_job;

static void choose(const void *data, int64_t token) {
    const gate_job *job = data;
    tgr_top_k(job->scores + token * job->experts, job->experts, 1, &job->choices->experts[token]);
}

void tgr_choose_best(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *logits,
                     tgr_choices *choices) {
    gate_job job = {.experts = router->options.experts, .scores = logits, .choices = choices};
    tgr_each(router->compute, pass->tokens, choose, &job);
}

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
