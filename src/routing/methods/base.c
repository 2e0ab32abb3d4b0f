/* SPDX-License-Identifier: MIT */
/* BASE layers (Lewis et al., ICML 2021, arXiv 2103.16716): token choice without balance losses, since in training the
 * loads are equal by construction.
 *
 *     s_{t,e} = E_e · x_t          centroids E [E, dim] in "router.weight", without softmax
 *     training:    a = the assignment with loads floor(T / E) or ceil(T / E) that makes Σ_t s_{t,a_t} largest
 *     evaluation:  a_t = argmax_e s_{t,e}, so that a token's expert does not depend on the others of its batch
 *     y_t = σ(s_{t,a_t}) · expert_{a_t}(x_t)
 *
 * K = 1, nothing is dropped. The assignment (balanced_assignment.h) is made in each pass, for each micro-batch by
 * itself, and is a constant for the gradient: ds_{t,a_t} = dg_t · g_t (1 - g_t); the centroids learn only through the
 * gate. They start orthogonal with length 0.1, as in the authors' code. The probabilities that measures read are
 * softmax(s). */
#include "base/initialise.h"
#include "base/status.h"
#include "routing/each.h"
#include "routing/gates/sigmoid_gate.h"
#include "routing/methods/parts.h"
#include "routing/slots/balanced_assignment.h"

#define MOST_EXPERTS  512 /* a search among experts takes O(E²) time */
#define CENTROID_GAIN 0.1

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    TGR_REQUIRE(router->options.experts <= MOST_EXPERTS, TGR_ERROR_RANGE,
                "option 'experts' is %lld; method 'base' allows at most %d", (long long)router->options.experts,
                MOST_EXPERTS);
    return tgr_linear_router_declare(router, config, prefix);
}

static void initialise(tgr_layer_router *router) {
    tgr_initialise_orthogonal(router->parameters, router->linear.weight, CENTROID_GAIN);
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    tgr_balanced_assignment_plan(work->own, arena, tokens, router->options.experts);
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    if (pass->mode == TGR_TRAIN)
        tgr_assign_balanced(work->own, pass->tokens, scores->logits, choices->experts);
    else
        tgr_choose_experts(router, pass, scores->logits, choices);
    tgr_sigmoid_gate(router, pass, scores->logits, choices);
}

typedef struct backward_job {
    int64_t experts;
    const tgr_choices *choices;
    const float *dgates; /* [T] */
    float *dlogits;      /* [T, E] */
} backward_job;

static void backward_token(const void *data, int64_t token) {
    const backward_job *job = data;
    float gate = job->choices->gates[token];
    job->dlogits[token * job->experts + job->choices->experts[token]] += job->dgates[token] * gate * (1 - gate);
}

static void route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    backward_job job = {.experts = router->options.experts, .choices = choices, .dgates = dgates, .dlogits = dlogits};
    (void)slots, (void)work;
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

const tgr_method tgr_method_base = {TGR_LINEAR_SCORES,
                                    TGR_TOKEN_CHOICE,
                                    .work_bytes = sizeof(tgr_balanced_assignment),
                                    .declare = declare,
                                    .initialise = initialise,
                                    .plan = plan,
                                    .route = route,
                                    .route_backward = route_backward};
