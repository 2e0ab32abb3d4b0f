/* SPDX-License-Identifier: MIT */
/* Cosines as one product with unit vectors, whose rows are then scaled by the tokens' lengths. */
#include "routing/gates/similarity.h"

#include <math.h>

#include "kernels/kernels.h"
#include "kernels/linear_products.h"
#include "routing/each.h"

#define EPSILON 1e-6 /* as in the authors' code of Soft MoE; added to the squared length */

void tgr_similarity_plan(const tgr_similarity *similarity, int64_t dim, int64_t tokens, tgr_arena *arena,
                         tgr_similarity_work *work) {
    work->cosines = tgr_arena_floats(arena, tokens, similarity->count);
    work->token_scale = tgr_arena_floats(arena, tokens, 1);
    work->token_share = tgr_arena_floats(arena, tokens, 1);
    work->vector_scale = tgr_arena_floats(arena, similarity->count, 1);
    work->unit_vectors = tgr_arena_floats(arena, similarity->count, dim);
    work->dunit_vectors = tgr_arena_floats(arena, similarity->count, dim);
}

typedef struct similarity_job {
    const tgr_kernels *kernels;
    int64_t dim, count;
    const float *x;       /* [T, dim] */
    const float *vectors; /* [count, dim] */
    tgr_similarity_work *work;
    float *dcosines; /* [T, count] */
    float *dvectors; /* [count, dim] */
    float *dx;       /* [T, dim] */
} similarity_job;

static float unit_scale(const similarity_job *job, const float *vector) {
    return (float)(1 / sqrt(job->kernels->sum_squares(job->dim, vector) + EPSILON));
}

static void make_unit_vector(const void *data, int64_t v) {
    const similarity_job *job = data;
    float scale = unit_scale(job, job->vectors + v * job->dim);
    job->work->vector_scale[v] = scale;
    for (int64_t i = v * job->dim; i < (v + 1) * job->dim; i++) job->work->unit_vectors[i] = scale * job->vectors[i];
}

static void scale_token(const void *data, int64_t token) {
    const similarity_job *job = data;
    float *cosines = job->work->cosines + token * job->count, scale = unit_scale(job, job->x + token * job->dim);
    job->work->token_scale[token] = scale;
    for (int64_t v = 0; v < job->count; v++) cosines[v] *= scale;
}

void tgr_similarity_forward(const tgr_similarity *similarity, const tgr_layer_router *router, int64_t tokens,
                            const float *x, tgr_similarity_work *work) {
    int64_t dim = router->shape.dim, count = similarity->count;
    similarity_job job = {.kernels = router->compute->kernels,
                          .dim = dim,
                          .count = count,
                          .x = x,
                          .vectors = tgr_value(router->parameters, similarity->vectors),
                          .work = work};
    tgr_each(router->compute, count, make_unit_vector, &job);
    tgr_gemm products = tgr_product_y(tokens, dim, count, x, work->unit_vectors, NULL, work->cosines);
    tgr_gemm_run(router->compute, &products, 1);
    tgr_each(router->compute, tokens, scale_token, &job);
}

/* dcosines becomes r · g */
static void token_backward(const void *data, int64_t token) {
    const similarity_job *job = data;
    float *dcosines = job->dcosines + token * job->count, scale = job->work->token_scale[token];
    float along = job->kernels->dot(job->count, dcosines, job->work->cosines + token * job->count);
    job->work->token_share[token] = scale * scale * along;
    for (int64_t v = 0; v < job->count; v++) dcosines[v] *= scale;
}

static void subtract_share(const void *data, int64_t token) {
    const similarity_job *job = data;
    job->kernels->axpy(job->dim, -job->work->token_share[token], job->x + token * job->dim, job->dx + token * job->dim);
}

static void vector_backward(const void *data, int64_t v) {
    const similarity_job *job = data;
    const float *unit = job->work->unit_vectors + v * job->dim, *dunit = job->work->dunit_vectors + v * job->dim;
    float scale = job->work->vector_scale[v], along = job->kernels->dot(job->dim, unit, dunit);
    job->kernels->axpy(job->dim, scale, dunit, job->dvectors + v * job->dim);
    job->kernels->axpy(job->dim, -scale * along, unit, job->dvectors + v * job->dim);
}

void tgr_similarity_backward(const tgr_similarity *similarity, tgr_layer_router *router, int64_t tokens, const float *x,
                             float *dcosines, int accumulate, tgr_similarity_work *work, float *dx) {
    int64_t dim = router->shape.dim, count = similarity->count;
    similarity_job job = {.kernels = router->compute->kernels,
                          .dim = dim,
                          .count = count,
                          .x = x,
                          .work = work,
                          .dcosines = dcosines,
                          .dvectors = tgr_gradient(router->parameters, similarity->vectors),
                          .dx = dx};
    tgr_each(router->compute, tokens, token_backward, &job);
    tgr_gemm products[] = {tgr_product_dweight(tokens, dim, count, x, dcosines, work->dunit_vectors),
                           tgr_product_dx(tokens, dim, count, dcosines, work->unit_vectors, dx, accumulate)};
    products[0].accumulate = 0;
    tgr_gemm_run(router->compute, products, dx != NULL ? 2 : 1);
    tgr_each(router->compute, count, vector_backward, &job);
    if (dx != NULL) tgr_each(router->compute, tokens, subtract_share, &job);
}
