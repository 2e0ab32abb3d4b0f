/* SPDX-License-Identifier: MIT */
/* Cosines as one product with unit vectors, whose rows are then scaled by the tokens' lengths. */
#include "routing/gates/similarity.h"

#include <math.h>

#include "kernels/kernels.h"
#include "kernels/linear_products.h"
#include "routing/slots/token_sum.h"

#define EPSILON 1e-6 /* that of the authors of Soft MoE, added to the squared length */

void tgr_similarity_plan(const tgr_routing *routing, tgr_similarity *similarity, tgr_arena *arena, int64_t tokens) {
    similarity->cosines = tgr_arena_floats(arena, tokens, similarity->count);
    similarity->token_scale = tgr_arena_floats(arena, tokens, 1);
    similarity->vector_scale = tgr_arena_floats(arena, similarity->count, 1);
    similarity->unit_vectors = tgr_arena_floats(arena, similarity->count, routing->shape.dim);
    similarity->unit_vectors_gradient = tgr_arena_floats(arena, similarity->count, routing->shape.dim);
    similarity->token_shares = tgr_arena_floats(arena, tokens, 1);
}

typedef struct similarity_job {
    const tgr_routing *routing;
    const tgr_similarity *similarity;
    float *cosines_gradient; /* [T, count] */
    float *x_gradient;       /* [T, dim] */
} similarity_job;

static float unit_scale(const tgr_routing *routing, const float *vector) {
    return (float)(1 / sqrt(routing->compute->kernels->sum_squares(routing->shape.dim, vector) + EPSILON));
}

static void unit_vectors_task(void *data, int64_t block, int worker) {
    const similarity_job *job = data;
    const tgr_similarity *similarity = job->similarity;
    int64_t dim = job->routing->shape.dim, end = tgr_token_block_end(block, similarity->count);
    const float *vectors = tgr_value(job->routing->parameters, similarity->tensor);
    (void)worker;
    for (int64_t v = block * TGR_TOKEN_BLOCK; v < end; v++) {
        float scale = similarity->vector_scale[v] = unit_scale(job->routing, vectors + v * dim);
        for (int64_t i = v * dim; i < (v + 1) * dim; i++) similarity->unit_vectors[i] = scale * vectors[i];
    }
}

static void scale_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const tgr_similarity *similarity = ((const similarity_job *)user)->similarity;
    float *cosines = similarity->cosines + token * similarity->count;
    float scale = similarity->token_scale[token] = unit_scale(routing, routing->input.x + token * routing->shape.dim);
    (void)sum;
    for (int64_t v = 0; v < similarity->count; v++) cosines[v] *= scale;
}

void tgr_similarity_forward(const tgr_routing *routing, const tgr_similarity *similarity) {
    similarity_job job = {.routing = routing, .similarity = similarity};
    tgr_parallel(routing->compute, tgr_token_blocks(similarity->count), unit_vectors_task, &job);
    tgr_gemm products = tgr_linear_output(routing->tokens, routing->shape.dim, similarity->count, routing->input.x,
                                          similarity->unit_vectors, NULL, similarity->cosines);
    tgr_gemm_run(routing->compute, &products, 1);
    tgr_each_token(routing, scale_token, &job, 0, NULL);
}

/* With g the gradient of a token's cosines c: u = g·V̂ is that of x̂ = r·x, and dx = r·(u - ⟨x̂, u⟩·x̂), where ⟨x̂, u⟩ is
 * ⟨g, c⟩. So dx = (r·g)·V̂ - r²·⟨g, c⟩·x. */
static void token_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const similarity_job *job = user;
    const tgr_similarity *similarity = job->similarity;
    int64_t count = similarity->count;
    float *gradient = job->cosines_gradient + token * count, scale = similarity->token_scale[token];
    float along = routing->compute->kernels->dot(count, gradient, similarity->cosines + token * count);
    (void)sum;
    similarity->token_shares[token] = scale * scale * along;
    for (int64_t v = 0; v < count; v++) gradient[v] *= scale;
}

static void subtract_share(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const similarity_job *job = user;
    int64_t dim = routing->shape.dim;
    (void)sum;
    routing->compute->kernels->axpy(dim, -job->similarity->token_shares[token], routing->input.x + token * dim,
                                    job->x_gradient + token * dim);
}

/* dv = r·(g - ⟨v̂, g⟩·v̂) with g the gradient of v̂ */
static void vectors_backward_task(void *data, int64_t block, int worker) {
    const similarity_job *job = data;
    const tgr_similarity *similarity = job->similarity;
    const tgr_kernels *kernels = job->routing->compute->kernels;
    int64_t dim = job->routing->shape.dim, end = tgr_token_block_end(block, similarity->count);
    float *vectors_gradient = tgr_gradient(job->routing->parameters, similarity->tensor);
    (void)worker;
    for (int64_t v = block * TGR_TOKEN_BLOCK; v < end; v++) {
        const float *unit = similarity->unit_vectors + v * dim, *gradient = similarity->unit_vectors_gradient + v * dim;
        float scale = similarity->vector_scale[v], along = kernels->dot(dim, unit, gradient);
        kernels->axpy(dim, scale, gradient, vectors_gradient + v * dim);
        kernels->axpy(dim, -scale * along, unit, vectors_gradient + v * dim);
    }
}

void tgr_similarity_backward(const tgr_routing *routing, const tgr_similarity *similarity, float *cosines_gradient,
                             float *x_gradient, int accumulate) {
    similarity_job job = {
        .routing = routing, .similarity = similarity, .cosines_gradient = cosines_gradient, .x_gradient = x_gradient};
    int64_t tokens = routing->tokens, dim = routing->shape.dim, count = similarity->count;
    tgr_each_token(routing, token_backward, &job, 0, NULL);
    tgr_gemm products[] = {tgr_linear_weight_gradient(tokens, dim, count, routing->input.x, cosines_gradient,
                                                      similarity->unit_vectors_gradient),
                           tgr_linear_input_gradient(tokens, dim, count, cosines_gradient, similarity->unit_vectors,
                                                     x_gradient, accumulate)};
    products[0].accumulate = 0;
    tgr_gemm_run(routing->compute, products, x_gradient != NULL ? 2 : 1);
    tgr_parallel(routing->compute, tgr_token_blocks(count), vectors_backward_task, &job);
    if (x_gradient != NULL) tgr_each_token(routing, subtract_share, &job, 0, NULL);
}
