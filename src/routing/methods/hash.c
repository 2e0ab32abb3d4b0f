/* SPDX-License-Identifier: MIT */
/* Hash layers (Roller et al., NeurIPS 2021, arXiv 2106.04426): a token's expert follows from the token's identity and
 * is never learned. The identity of an image's token is its position:
 *
 *     h(t) = table[t mod sequence],     y_t = expert_{h(t)}(x_t)     without a gate
 *
 * The table is drawn once, and is balanced: positions in a random order, dealt to the experts in turn. There are no
 * logits: they are 0, and the probability of the table's expert is 1. Top-1 is that expert. In a standalone layer
 * tokens have no positions. */
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "routing/each.h"
#include "routing/methods/parts.h"

typedef struct hash_own {
    int64_t table; /* state tensor [sequence], experts */
} hash_own;

static float *table_of(const tgr_layer_router *router) {
    const hash_own *own = router->own;
    return tgr_value(router->parameters, own->table);
}

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    hash_own *own = router->own;
    (void)config;
    TGR_REQUIRE(router->shape.sequence > 0, TGR_ERROR_UNSUPPORTED,
                "method 'hash' routes by a token's position in its image; it works only within a model");
    return tgr_layer_router_add(router, &own->table, prefix, "router.hash", TGR_TENSOR_STATE, 1,
                                &router->shape.sequence);
}

/* Dealing in turn and then shuffling (Fisher-Yates) is the same as dealing to shuffled positions. */
static void initialise(tgr_layer_router *router) {
    const hash_own *own = router->own;
    const tgr_random random = tgr_initialise_stream(router->parameters, own->table);
    float *table = table_of(router);
    for (int64_t i = 0; i < router->shape.sequence; i++) table[i] = (float)(i % router->options.experts);
    for (int64_t i = router->shape.sequence - 1; i > 0; i--) {
        int64_t other = (int64_t)(tgr_random_uniform(&random, (uint64_t)i) * (double)(i + 1));
        float swapped = table[i];
        table[i] = table[other];
        table[other] = swapped;
    }
}

typedef struct hash_job {
    int64_t sequence, experts;
    const float *table; /* [sequence] */
    tgr_scores *scores;
    tgr_choices *choices;
} hash_job;

static hash_job job_of(const tgr_layer_router *router, const tgr_routing_pass *pass) {
    return (hash_job){.sequence = pass->sequence, .experts = router->options.experts, .table = table_of(router)};
}

/* h(t). A table from elsewhere may hold anything: whatever is not an expert counts as the first. */
static int64_t expert_of(const hash_job *job, int64_t token) {
    float expert = job->table[token % job->sequence];
    return expert >= 0 && expert < (float)job->experts ? (int64_t)expert : 0;
}

static void score_token(const void *data, int64_t token) {
    const hash_job *job = data;
    float *probabilities = job->scores->probabilities + token * job->experts;
    memset(job->scores->logits + token * job->experts, 0, (size_t)job->experts * sizeof(float));
    memset(probabilities, 0, (size_t)job->experts * sizeof(float));
    probabilities[expert_of(job, token)] = 1;
}

static void score(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                  tgr_routing_work *work, tgr_scores *scores) {
    hash_job job = job_of(router, pass);
    (void)input, (void)work;
    job.scores = scores;
    tgr_each(router->compute, pass->tokens, score_token, &job);
}

/* K is 1 */
static void choose(const void *data, int64_t token) {
    const hash_job *job = data;
    job->choices->experts[token] = (int32_t)expert_of(job, token);
    job->choices->gates[token] = 1;
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    hash_job job = job_of(router, pass);
    (void)scores, (void)work;
    job.choices = choices;
    tgr_each(router->compute, pass->tokens, choose, &job);
}

/* Nothing is learned: dx gets no contribution. */
static void score_backward(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                           const float *dlogits, int accumulate, tgr_routing_work *work, float *dx) {
    (void)input, (void)dlogits, (void)work;
    if (dx == NULL || accumulate) return;
    memset(dx, 0, (size_t)(pass->tokens * router->shape.dim) * sizeof(float));
}

const tgr_method tgr_method_hash = {
    TGR_TOKEN_CHOICE, .own_bytes = sizeof(hash_own),   .declare = declare, .initialise = initialise, .score = score,
    .route = route,   .score_backward = score_backward};
