/* SPDX-License-Identifier: MIT */
/* The distilled router: an embedding of patches and places, and a product with Ê. */
#include "routing/methods/stable_router.h"

#include <math.h>
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"
#include "routing/losses/balance.h"
#include "routing/slots/token_sum.h"

tgr_status tgr_distilled_router_declare(tgr_distilled_router *router, tgr_routing *routing, const char *prefix,
                                        int64_t width, uint64_t frozen_from) {
    const tgr_layer_shape *shape = &routing->shape;
    const struct {
        int64_t *index;
        const char *name;
        unsigned flags;
        int ndim;
        int64_t dims[2];
    } tensors[] = {
        {&router->patch_weight, "router.patch.weight", 0, 2, {width, shape->patch_dim}},
        {&router->patch_bias, "router.patch.bias", TGR_TENSOR_NO_DECAY, 1, {width}},
        {&router->position, "router.position", TGR_TENSOR_NO_DECAY, 2, {shape->sequence, width}},
        {&router->prefix, "router.prefix", TGR_TENSOR_NO_DECAY, 2, {shape->prefix_tokens, width}},
        {&router->centroids, "router.distilled", 0, 2, {routing->options.experts, width}},
    };
    router->width = width;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        TGR_TRY(tgr_routing_declare(routing, tensors[i].index, prefix, tensors[i].name, tensors[i].flags,
                                    tensors[i].ndim, tensors[i].dims));
        routing->parameters->tensors[*tensors[i].index].frozen_from = frozen_from;
    }
    return TGR_OK;
}

void tgr_distilled_router_initialise(const tgr_distilled_router *router, tgr_routing *routing) {
    tgr_parameters *parameters = routing->parameters;
    tgr_initialise_normal(parameters, router->patch_weight, 1 / sqrt((double)routing->shape.patch_dim));
    tgr_initialise_constant(parameters, router->patch_bias, 0);
    tgr_initialise_normal(parameters, router->position, 1);
    tgr_initialise_normal(parameters, router->prefix, 1);
    tgr_initialise_orthogonal(parameters, router->centroids, TGR_STABLE_GAIN);
}

void tgr_distilled_router_plan(tgr_distilled_router *router, const tgr_routing *routing, tgr_arena *arena,
                               int64_t tokens) {
    int64_t sequence = routing->shape.sequence, width = router->width;
    router->features = tgr_arena_floats(arena, tokens, width);
    router->features_gradient = tgr_arena_floats(arena, tokens, width);
    router->scores_gradient = tgr_arena_floats(arena, tokens, routing->options.experts);
    router->place_gradient = tgr_arena_floats(arena, sequence, width);
    router->partial = tgr_arena_floats(arena, tgr_partial_floats(tokens / sequence, sequence * width, 1), 1);
}

typedef struct place_job {
    const tgr_distilled_router *router;
    const tgr_routing *routing;
} place_job;

/* Puts the prefix tokens of one image in their place, and adds the positions. */
static void place_task(void *data, int64_t image, int worker) {
    const place_job *job = data;
    const tgr_parameters *parameters = job->routing->parameters;
    int64_t numbers = job->routing->shape.sequence * job->router->width;
    size_t prefix = (size_t)(job->routing->shape.prefix_tokens * job->router->width);
    float *features = job->router->features + image * numbers;
    (void)worker;
    memcpy(features, tgr_value(parameters, job->router->prefix), prefix * sizeof(float));
    job->routing->compute->kernels->add(numbers, tgr_value(parameters, job->router->position), features);
}

void tgr_distilled_router_score(const tgr_distilled_router *router, const tgr_routing *routing, float *scores) {
    int64_t tokens = routing->tokens, width = router->width;
    const tgr_parameters *parameters = routing->parameters;
    place_job job = {.router = router, .routing = routing};
    tgr_gemm embedding = tgr_linear_output(tokens, routing->shape.patch_dim, width, routing->input.patches,
                                           tgr_value(parameters, router->patch_weight),
                                           tgr_value(parameters, router->patch_bias), router->features);
    tgr_gemm product = tgr_linear_output(tokens, width, routing->options.experts, router->features,
                                         tgr_value(parameters, router->centroids), NULL, scores);
    tgr_gemm_run(routing->compute, &embedding, 1);
    tgr_parallel(routing->compute, tokens / routing->shape.sequence, place_task, &job);
    tgr_gemm_run(routing->compute, &product, 1);
}

typedef struct imitation {
    const float *scores; /* [T, E] */
    float *gradient;     /* [T, E] */
    double share;        /* weight / T */
} imitation;

/* -ln softmax(ŝ)_a, whose gradient is softmax(ŝ) - 1 at the choice a, and softmax(ŝ) elsewhere. */
static void imitate_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const imitation *job = user;
    int64_t experts = routing->options.experts, choice = routing->choices[token]; /* K is 1 */
    const float *scores = job->scores + token * experts;
    float *gradient = job->gradient + token * experts;
    double lse = tgr_log_sum_exp(scores, experts);
    *sum += lse - scores[choice];
    for (int64_t e = 0; e < experts; e++) gradient[e] = (float)(job->share * (exp(scores[e] - lse) - (e == choice)));
}

double tgr_distilled_router_imitate(const tgr_distilled_router *router, const tgr_routing *routing, const float *scores,
                                    double weight) {
    imitation job = {.scores = scores, .gradient = router->scores_gradient, .share = weight / (double)routing->tokens};
    double sum;
    tgr_each_token(routing, imitate_token, &job, 1, &sum);
    return job.share * sum;
}

/* The embedding's gradients other than W's, from features_gradient: sums over images first, then over places. */
static void place_backward(const tgr_distilled_router *router, const tgr_routing *routing) {
    const tgr_layer_shape *shape = &routing->shape;
    const tgr_kernels *kernels = routing->compute->kernels;
    int64_t width = router->width, numbers = shape->sequence * width, prefix = shape->prefix_tokens * width;
    float *sum = router->place_gradient;
    memset(sum, 0, (size_t)numbers * sizeof(float));
    tgr_column_sum(routing->compute, routing->tokens / shape->sequence, numbers, router->features_gradient, sum,
                   router->partial);
    kernels->add(numbers, sum, tgr_gradient(routing->parameters, router->position));
    kernels->add(prefix, sum, tgr_gradient(routing->parameters, router->prefix));
    kernels->column_sum(shape->sequence - shape->prefix_tokens, width, sum + prefix,
                        tgr_gradient(routing->parameters, router->patch_bias));
}

void tgr_distilled_router_backward(const tgr_distilled_router *router, const tgr_routing *routing) {
    int64_t tokens = routing->tokens, width = router->width, experts = routing->options.experts;
    const tgr_parameters *parameters = routing->parameters;
    tgr_gemm products[] = {
        tgr_linear_weight_gradient(tokens, width, experts, router->features, router->scores_gradient,
                                   tgr_gradient(parameters, router->centroids)),
        tgr_linear_input_gradient(tokens, width, experts, router->scores_gradient,
                                  tgr_value(parameters, router->centroids), router->features_gradient, 0)};
    /* Prefix tokens have patches of zeros and so no part in W's gradient. */
    tgr_gemm embedding =
        tgr_linear_weight_gradient(tokens, routing->shape.patch_dim, width, routing->input.patches,
                                   router->features_gradient, tgr_gradient(parameters, router->patch_weight));
    tgr_gemm_run(routing->compute, products, 2);
    tgr_gemm_run(routing->compute, &embedding, 1);
    place_backward(router, routing);
}
