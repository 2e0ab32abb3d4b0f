/* SPDX-License-Identifier: MIT */
/* Slots as mixtures of tokens. */
#include "routing/methods/soft.h"

#include <math.h>
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/parallel_rows.h"
#include "routing/gates/similarity.h"
#include "routing/gates/topk.h"
#include "routing/slots/token_sum.h"

typedef struct soft_state {
    int64_t scale;             /* tensor [1] */
    int64_t slots;             /* S */
    tgr_similarity similarity; /* of tokens with Φ */
    float *combine;            /* [T, E·S] */
    float *dispatch;           /* [images, E·S, N]: Dᵀ */
    float *combine_gradient;   /* as combine */
    float *dispatch_gradient;  /* as dispatch */
    float *lse;                /* [T], log Σ exp of each row of L */
    float *mixed;              /* [images, E·S, dim]: slots image by image; after a forward their outputs */
    tgr_gemm *products;        /* [images] */
} soft_state;

static int64_t images_of(const tgr_routing *routing) {
    return routing->tokens / routing->sequence;
}

/* E·S, slots of an image */
static int64_t image_slots(const tgr_routing *routing) {
    return ((const soft_state *)routing->method_state)->similarity.count;
}

tgr_status tgr_soft_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    int64_t experts = routing->options.experts, sequence = routing->shape.sequence, one = 1;
    int64_t slots = tgr_option_i64(config, TGR_OPTION_SOFT_SLOTS);
    TGR_REQUIRE(slots > 0 || sequence > 0, TGR_ERROR_RANGE,
                "option 'soft_slots' is 0; without a model, whose images have a known number of tokens, method 'soft' "
                "needs a number above 0");
    if (slots == 0) slots = (sequence + experts - 1) / experts;
    TGR_TRY(tgr_routing_keep(routing, sizeof(soft_state)));
    soft_state *state = routing->method_state;
    state->slots = slots;
    state->similarity.count = experts * slots;
    /* Only the direction of a row of Φ matters: decay would do nothing but make it turn faster. */
    TGR_TRY(tgr_routing_declare(routing, &state->similarity.tensor, prefix, "router.phi", TGR_TENSOR_NO_DECAY, 2,
                                (const int64_t[]){experts * slots, routing->shape.dim}));
    return tgr_routing_declare(routing, &state->scale, prefix, "router.scale", TGR_TENSOR_NO_DECAY, 1, &one);
}

void tgr_soft_initialise(tgr_routing *routing) {
    const soft_state *state = routing->method_state;
    tgr_initialise_truncated(routing->parameters, state->similarity.tensor, 1 / sqrt((double)routing->shape.dim));
    tgr_initialise_constant(routing->parameters, state->scale, 1);
}

int64_t tgr_soft_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens) {
    int64_t sequence = routing->shape.sequence, slots;
    int64_t images = sequence > 0 ? tokens / sequence + (tokens % sequence != 0) : 1;
    (void)mode;
    return tgr_multiply(images, image_slots(routing), &slots) ? slots : -1;
}

void tgr_soft_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens) {
    soft_state *state = routing->method_state;
    int64_t count = image_slots(routing), slots = tgr_soft_most_slots(routing, TGR_TRAIN, tokens);
    tgr_similarity_plan(routing, &state->similarity, arena, tokens);
    state->combine = tgr_arena_floats(arena, tokens, count);
    state->dispatch = tgr_arena_floats(arena, tokens, count);
    state->combine_gradient = tgr_arena_floats(arena, tokens, count);
    state->dispatch_gradient = tgr_arena_floats(arena, tokens, count);
    state->lse = tgr_arena_floats(arena, tokens, 1);
    state->mixed = tgr_arena_floats(arena, slots, routing->shape.dim);
    state->products = tgr_arena_take(arena, slots / count, 1, sizeof *state->products);
}

static float scale_of(const tgr_routing *routing) {
    const soft_state *state = routing->method_state;
    return *tgr_value(routing->parameters, state->scale);
}

static void sum_slots(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const soft_state *state = user;
    const float *combine = state->combine + token * image_slots(routing);
    (void)sum;
    for (int64_t i = token * routing->options.experts; i < (token + 1) * routing->options.experts; i++) {
        double share = *combine++;
        for (int64_t s = 1; s < state->slots; s++) share += *combine++;
        routing->probabilities[i] = (float)share;
        routing->logits[i] = (float)(state->lse[token] + log(share));
    }
}

void tgr_soft_score(tgr_routing *routing) {
    const soft_state *state = routing->method_state;
    tgr_similarity_forward(routing, &state->similarity);
    tgr_softmax_rows(routing->compute, routing->tokens, image_slots(routing), scale_of(routing),
                     state->similarity.cosines, state->combine, state->lse);
    tgr_each_token(routing, sum_slots, state, 0, NULL);
}

static void find_top1(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const float *p = routing->probabilities + token * routing->options.experts;
    (void)user, (void)sum;
    tgr_top_k(p, routing->options.experts, 1, &routing->choices[token]);
    routing->gates[token] = p[routing->choices[token]];
    routing->kept[token] = 1;
}

void tgr_soft_route(tgr_routing *routing, const tgr_random *random) {
    (void)random;
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = routing->probabilities;
    tgr_each_token(routing, find_top1, NULL, 0, NULL);
}

/* Between a matrix [N, E·S] of an image and one [E·S, N]. */
static void dispatch_scores_task(void *data, int64_t image, int worker) {
    const tgr_routing *routing = data;
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing), first = image * tokens * slots;
    (void)worker;
    for (int64_t s = 0; s < slots; s++)
        for (int64_t t = 0; t < tokens; t++)
            state->dispatch[first + s * tokens + t] = state->similarity.cosines[first + t * slots + s];
}

static void add_dispatch_gradient_task(void *data, int64_t image, int worker) {
    const tgr_routing *routing = data;
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing), first = image * tokens * slots;
    (void)worker;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t s = 0; s < slots; s++)
            state->combine_gradient[first + t * slots + s] += state->dispatch_gradient[first + s * tokens + t];
}

void tgr_soft_assign(tgr_routing *routing) {
    const soft_state *state = routing->method_state;
    int64_t images = images_of(routing), experts = routing->options.experts;
    for (int64_t e = 0; e < experts; e++) {
        routing->load[e] = images * state->slots;
        routing->first_slot[e] = e * images * state->slots;
    }
    routing->slots = routing->first_slot[experts] = experts * images * state->slots;
    tgr_parallel(routing->compute, images, dispatch_scores_task, routing);
    tgr_softmax_rows(routing->compute, images * image_slots(routing), routing->sequence, scale_of(routing),
                     state->dispatch, state->dispatch, NULL);
}

typedef struct copy_job {
    const tgr_routing *routing;
    int64_t dim;
    const float *from;
    float *to;
    int to_experts;
} copy_job;

/* One image's rows between [images, E, S, dim] and [E, images, S, dim]. */
static void copy_task(void *data, int64_t image, int worker) {
    const copy_job *job = data;
    const soft_state *state = job->routing->method_state;
    int64_t experts = job->routing->options.experts, images = images_of(job->routing), piece = state->slots * job->dim;
    (void)worker;
    for (int64_t e = 0; e < experts; e++) {
        int64_t by_image = (image * experts + e) * piece, by_expert = (e * images + image) * piece;
        memcpy(job->to + (job->to_experts ? by_expert : by_image), job->from + (job->to_experts ? by_image : by_expert),
               (size_t)piece * sizeof(float));
    }
}

static void copy_to_experts(const tgr_routing *routing, int64_t dim, const float *mixed, float *slots) {
    copy_job job = {.routing = routing, .dim = dim, .from = mixed, .to = slots, .to_experts = 1};
    tgr_parallel(routing->compute, images_of(routing), copy_task, &job);
}

static void copy_from_experts(const tgr_routing *routing, int64_t dim, const float *slots, float *mixed) {
    copy_job job = {.routing = routing, .dim = dim, .from = slots, .to = mixed};
    tgr_parallel(routing->compute, images_of(routing), copy_task, &job);
}

/* A matrix for each image, one after the other, or the transpose of what is stored. */
typedef struct matrices {
    const float *values;
    int transposed;
} matrices;

/* c [m, n] = a [m, k] · b [k, n] for every image */
static void multiply(const tgr_routing *routing, int64_t m, int64_t n, int64_t k, matrices a, matrices b, float *c) {
    const soft_state *state = routing->method_state;
    int64_t images = images_of(routing);
    for (int64_t image = 0; image < images; image++)
        state->products[image] = (tgr_gemm){.m = m,
                                            .n = n,
                                            .k = k,
                                            .a = a.values + image * m * k,
                                            .a_row = a.transposed ? 1 : k,
                                            .a_col = a.transposed ? m : 1,
                                            .b = b.values + image * k * n,
                                            .b_row = b.transposed ? 1 : n,
                                            .b_col = b.transposed ? k : 1,
                                            .c = c + image * m * n,
                                            .c_row = n};
    tgr_gemm_run(routing->compute, state->products, images);
}

/* X̃ = Dᵀ·X */
void tgr_soft_gather(const tgr_routing *routing, int64_t dim, const float *x, float *input) {
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing);
    multiply(routing, slots, dim, tokens, (matrices){state->dispatch, 0}, (matrices){x, 0}, state->mixed);
    copy_to_experts(routing, dim, state->mixed, input);
}

/* Y = C·Ỹ, Ỹ the experts' output */
void tgr_soft_combine(const tgr_routing *routing, int64_t dim, const float *output, float *y) {
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing);
    copy_from_experts(routing, dim, output, state->mixed);
    multiply(routing, tokens, dim, slots, (matrices){state->combine, 0}, (matrices){state->mixed, 0}, y);
}

/* dC = dY·Ỹᵀ, dỸ = Cᵀ·dY */
void tgr_soft_combine_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output) {
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing);
    multiply(routing, tokens, slots, dim, (matrices){y_gradient, 0}, (matrices){state->mixed, 1},
             state->combine_gradient);
    multiply(routing, slots, dim, tokens, (matrices){state->combine, 1}, (matrices){y_gradient, 0}, state->mixed);
    copy_to_experts(routing, dim, state->mixed, output);
}

/* dDᵀ = dX̃·Xᵀ, dX = D·dX̃ */
void tgr_soft_gather_backward(const tgr_routing *routing, int64_t dim, const float *input_gradient, float *x_gradient) {
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing);
    copy_from_experts(routing, dim, input_gradient, state->mixed);
    multiply(routing, slots, tokens, dim, (matrices){state->mixed, 0}, (matrices){routing->input.x, 1},
             state->dispatch_gradient);
    if (x_gradient == NULL) return;
    multiply(routing, tokens, dim, slots, (matrices){state->dispatch, 1}, (matrices){state->mixed, 0}, x_gradient);
}

static void combine_backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const soft_state *state = user;
    int64_t slots = image_slots(routing), first = token * slots;
    (void)sum;
    routing->compute->kernels->softmax_backward(1, slots, 1.0f, state->combine + first, state->combine_gradient + first,
                                                state->combine_gradient + first);
}

static void dispatch_backward_task(void *data, int64_t image, int worker) {
    const tgr_routing *routing = data;
    const soft_state *state = routing->method_state;
    int64_t tokens = routing->sequence, slots = image_slots(routing), first = image * slots * tokens;
    (void)worker;
    routing->compute->kernels->softmax_backward(slots, tokens, 1.0f, state->dispatch + first,
                                                state->dispatch_gradient + first, state->dispatch_gradient + first);
}

/* From dL to the gradient of the cosines, L / scale; and to that of the scale. */
static void scale_backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const soft_state *state = user;
    int64_t slots = image_slots(routing);
    const float *cosines = state->similarity.cosines + token * slots;
    float *gradient = state->combine_gradient + token * slots, scale = scale_of(routing);
    for (int64_t s = 0; s < slots; s++) {
        *sum += (double)gradient[s] * cosines[s];
        gradient[s] *= scale;
    }
}

/* dL is the sum of the ways back through both softmaxes; it replaces combine_gradient. */
void tgr_soft_score_backward(tgr_routing *routing, float *x_gradient, int accumulate) {
    const soft_state *state = routing->method_state;
    double scale_gradient;
    tgr_each_token(routing, combine_backward_token, state, 0, NULL);
    tgr_parallel(routing->compute, images_of(routing), dispatch_backward_task, routing);
    tgr_parallel(routing->compute, images_of(routing), add_dispatch_gradient_task, routing);
    tgr_each_token(routing, scale_backward_token, state, 1, &scale_gradient);
    *tgr_gradient(routing->parameters, state->scale) += (float)scale_gradient;
    tgr_similarity_backward(routing, &state->similarity, state->combine_gradient, x_gradient, accumulate);
}
