/* SPDX-License-Identifier: MIT */
/* The distilled router: an embedding of patches and positions, and a product with Ê. */
#include "routing/methods/distilled_router.h"

#include <math.h>
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/parallel_rows.h"
#include "routing/each.h"
#include "routing/losses/parts.h"

tgr_status tgr_distilled_router_declare(tgr_distilled_router *distilled, tgr_layer_router *router, const char *prefix,
                                        int64_t width, uint64_t frozen_from) {
    const tgr_layer_shape *shape = &router->shape;
    int64_t experts = router->options.experts, weight, bias, centroids;
    const struct {
        int64_t *index;
        const char *name;
        unsigned flags;
        int ndim;
        int64_t dims[2];
    } tensors[] = {
        {&weight, "router.patch.weight", 0, 2, {width, shape->patch_dim}},
        {&bias, "router.patch.bias", TGR_TENSOR_NO_DECAY, 1, {width}},
        {&distilled->position, "router.position", TGR_TENSOR_NO_DECAY, 2, {shape->sequence, width}},
        {&distilled->prefix, "router.prefix", TGR_TENSOR_NO_DECAY, 2, {shape->prefix_tokens, width}},
        {&centroids, "router.distilled", 0, 2, {experts, width}},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        TGR_TRY(tgr_layer_router_add(router, tensors[i].index, prefix, tensors[i].name, tensors[i].flags,
                                     tensors[i].ndim, tensors[i].dims));
        router->parameters->tensors[*tensors[i].index].frozen_from = frozen_from;
    }
    distilled->embedding = tgr_linear_of(router->parameters, shape->patch_dim, width, weight, bias);
    distilled->centroids = tgr_linear_of(router->parameters, width, experts, centroids, TGR_NO_BIAS);
    return TGR_OK;
}

void tgr_distilled_router_initialise(const tgr_distilled_router *distilled, tgr_layer_router *router) {
    tgr_parameters *parameters = router->parameters;
    tgr_initialise_normal(parameters, distilled->embedding.weight, 1 / sqrt((double)router->shape.patch_dim));
    tgr_initialise_constant(parameters, distilled->embedding.bias, 0);
    tgr_initialise_normal(parameters, distilled->position, 1);
    tgr_initialise_normal(parameters, distilled->prefix, 1);
    tgr_initialise_orthogonal(parameters, distilled->centroids.weight, TGR_STABLE_GAIN);
}

void tgr_distilled_router_plan(const tgr_distilled_router *distilled, const tgr_layer_router *router, int64_t tokens,
                               tgr_arena *arena, tgr_distilled_work *work) {
    int64_t sequence = router->shape.sequence, width = distilled->embedding.outputs;
    work->features = tgr_arena_floats(arena, tokens, width);
    work->dfeatures = tgr_arena_floats(arena, tokens, width);
    work->dscores = tgr_arena_floats(arena, tokens, router->options.experts);
    work->dplaces = tgr_arena_floats(arena, sequence, width);
    work->partial = tgr_arena_floats(arena, tgr_partial_floats(tokens / sequence, sequence * width, 1), 1);
}

typedef struct place_job {
    const tgr_kernels *kernels;
    int64_t image_floats, prefix_floats;
    const float *position, *prefix; /* [sequence, width], [prefix tokens, width] */
    float *features;                /* [T, width] */
} place_job;

/* Fills in the prefix tokens of one image, and adds the positions. */
static void place_task(void *data, int64_t image, int worker) {
    const place_job *job = data;
    float *features = job->features + image * job->image_floats;
    (void)worker;
    memcpy(features, job->prefix, (size_t)job->prefix_floats * sizeof(float));
    job->kernels->add(job->image_floats, job->position, features);
}

void tgr_distilled_router_score(const tgr_distilled_router *distilled, const tgr_layer_router *router,
                                const tgr_routing_pass *pass, const float *patches, tgr_distilled_work *work,
                                float *scores) {
    int64_t tokens = pass->tokens, width = distilled->embedding.outputs;
    place_job job = {.kernels = router->compute->kernels,
                     .image_floats = pass->sequence * width,
                     .prefix_floats = router->shape.prefix_tokens * width,
                     .position = tgr_value(router->parameters, distilled->position),
                     .prefix = tgr_value(router->parameters, distilled->prefix),
                     .features = work->features};
    tgr_linear_forward(&distilled->embedding, tokens, patches, work->features, 0);
    tgr_parallel(router->compute, tokens / pass->sequence, place_task, &job);
    tgr_linear_forward(&distilled->centroids, tokens, work->features, scores, 0);
}

typedef struct imitation_job {
    int64_t experts;
    const float *scores; /* [T, E] */
    const tgr_choices *choices;
    double share;   /* weight / T */
    float *dscores; /* [T, E] */
} imitation_job;

/* -ln softmax(ŝ)_a, whose gradient is softmax(ŝ) - 1 at the choice a, and softmax(ŝ) elsewhere. */
static void imitate_token(const void *data, int64_t token, double *sum) {
    const imitation_job *job = data;
    int64_t choice = job->choices->experts[token]; /* K is 1 */
    const float *scores = job->scores + token * job->experts;
    float *dscores = job->dscores + token * job->experts;
    double lse = tgr_log_sum_exp(scores, job->experts);
    *sum += lse - scores[choice];
    for (int64_t e = 0; e < job->experts; e++)
        dscores[e] = (float)(job->share * (exp(scores[e] - lse) - (e == choice)));
}

double tgr_distilled_router_imitate(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *scores,
                                    const tgr_choices *choices, double weight, tgr_routing_work *work,
                                    tgr_distilled_work *distilled_work) {
    imitation_job job = {.experts = router->options.experts,
                         .scores = scores,
                         .choices = choices,
                         .share = weight / (double)pass->tokens,
                         .dscores = distilled_work->dscores};
    double sum;
    tgr_sum_each(router->compute, pass->tokens, imitate_token, &job, 1, work->partial, &sum);
    return job.share * sum;
}

/* The embedding's gradients other than W's, from dfeatures: summed first over images, then over positions. (W's needs
 * no such care: prefix tokens have patches of zeros.) */
static void place_backward(const tgr_distilled_router *distilled, tgr_layer_router *router,
                           const tgr_routing_pass *pass, tgr_distilled_work *work) {
    const tgr_kernels *kernels = router->compute->kernels;
    int64_t width = distilled->embedding.outputs, sequence = pass->sequence,
            prefix_tokens = router->shape.prefix_tokens;
    int64_t numbers = sequence * width, prefix = prefix_tokens * width;
    memset(work->dplaces, 0, (size_t)numbers * sizeof(float));
    tgr_column_sum(router->compute, pass->tokens / sequence, numbers, work->dfeatures, work->dplaces, work->partial);
    kernels->add(numbers, work->dplaces, tgr_gradient(router->parameters, distilled->position));
    kernels->add(prefix, work->dplaces, tgr_gradient(router->parameters, distilled->prefix));
    kernels->column_sum(sequence - prefix_tokens, width, work->dplaces + prefix,
                        tgr_gradient(router->parameters, distilled->embedding.bias));
}

void tgr_distilled_router_backward(const tgr_distilled_router *distilled, tgr_layer_router *router,
                                   const tgr_routing_pass *pass, const float *patches, tgr_distilled_work *work) {
    tgr_linear weight_alone = distilled->embedding; /* its bias has no part in prefix tokens: see place_backward */
    weight_alone.bias = TGR_NO_BIAS;
    tgr_linear_backward(&distilled->centroids, pass->tokens, work->features, work->dscores, work->dfeatures, 0, NULL);
    tgr_linear_backward(&weight_alone, pass->tokens, patches, work->dfeatures, NULL, 0, NULL);
    place_backward(distilled, router, pass, work);
}
