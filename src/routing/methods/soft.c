/* SPDX-License-Identifier: MIT */
/* Soft MoE (Puigcerver et al., ICLR 2024, arXiv 2308.00951): no token is assigned anywhere. An expert computes S slots
 * of each image, a slot being a mixture of the image's tokens, and a token gets a mixture of all slots' outputs;
 * everything is differentiable, and images do not affect each other. For an image X [N, dim], with unit vectors by rows
 * (similarity.h):
 *
 *     L = scale · unit(X) · unit(Φ)ᵀ               [N, E·S]
 *     D = softmax of L by columns: over the tokens (dispatch)
 *     C = softmax of L by rows: over all slots     (combine)
 *     X̃ = Dᵀ·X                                     [E·S, dim], rows e·S … e·S + S - 1 for expert e
 *     Y = C·Ỹ,  Ỹ = experts(X̃)                     [N, dim]
 *
 *     dC = dY·Ỹᵀ,  dỸ = Cᵀ·dY,  dDᵀ = dX̃·Xᵀ,  dX = D·dX̃ + the part from dL, the sum of both softmaxes' gradients
 *
 * Φ [E·S, dim] and the single scale are learned. S is soft_slots, or ceil(N / E), which costs as much as one expert per
 * token. Slots of an expert are stored image by image, so first_slot[e] = e · images · S.
 *
 * There is no choice to record; the closest to it is p_{t,e} = Σ_s C_{t,eS+s}, the share of expert e in what token t
 * gets; logits are log Σ_s exp L_{t,eS+s}, whose softmax p is; top-1 is the expert with the largest p, always kept. The
 * load is the number of slots that an expert computed, the same for all. slot_of_choice and token_of_slot have no
 * meaning. There is no router that a teacher could guide. */
#include <math.h>
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/parallel_rows.h"
#include "routing/each.h"
#include "routing/gates/similarity.h"
#include "routing/methods/parts.h"

typedef struct soft_own {
    int64_t scale;             /* tensor [1] */
    int64_t slots;             /* S */
    tgr_similarity similarity; /* of tokens with Φ; its count is E·S */
} soft_own;

typedef struct soft_work {
    tgr_similarity_work similarity; /* cosines [T, E·S]: L / scale */
    float *combine, *dcombine;      /* [T, E·S], C */
    float *dispatch, *ddispatch;    /* [images, E·S, N], Dᵀ */
    float *lse;                     /* [T], log Σ exp of each row of L */
    float *by_image;                /* [images, E·S, dim], the slots' rows, image by image, unlike the experts' */
    tgr_gemm *products;             /* [images] */
} soft_work;

/* E·S, slots of an image */
static int64_t image_slots(const tgr_layer_router *router) {
    return ((const soft_own *)router->own)->similarity.count;
}

static int64_t images_of(const tgr_routing_pass *pass) {
    return pass->tokens / pass->sequence;
}

static float scale_of(const tgr_layer_router *router) {
    return *tgr_value(router->parameters, ((const soft_own *)router->own)->scale);
}

/* A standalone layer, where N is not known, needs soft_slots. */
static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    soft_own *own = router->own;
    int64_t experts = router->options.experts, sequence = router->shape.sequence, one = 1;
    int64_t slots = tgr_option_i64(config, TGR_OPTION_SOFT_SLOTS);
    TGR_REQUIRE(slots > 0 || sequence > 0, TGR_ERROR_RANGE,
                "option 'soft_slots' is 0; without a model, whose images have a known number of tokens, method 'soft' "
                "needs a number above 0");
    if (slots == 0) slots = (sequence + experts - 1) / experts;
    own->slots = slots;
    own->similarity.count = experts * slots;
    /* Only the direction of a row of Φ matters: decay would only make it turn faster. */
    TGR_TRY(tgr_layer_router_add(router, &own->similarity.vectors, prefix, "router.phi", TGR_TENSOR_NO_DECAY, 2,
                                 (const int64_t[]){experts * slots, router->shape.dim}));
    return tgr_layer_router_add(router, &own->scale, prefix, "router.scale", TGR_TENSOR_NO_DECAY, 1, &one);
}

static void initialise(tgr_layer_router *router) {
    const soft_own *own = router->own;
    tgr_initialise_truncated(router->parameters, own->similarity.vectors, 1 / sqrt((double)router->shape.dim));
    tgr_initialise_constant(router->parameters, own->scale, 1);
}

static int64_t most_slots(const tgr_layer_router *router, tgr_mode mode, int64_t tokens) {
    int64_t sequence = router->shape.sequence, slots;
    int64_t images = sequence > 0 ? tokens / sequence + (tokens % sequence != 0) : 1;
    (void)mode;
    return tgr_multiply(images, image_slots(router), &slots) ? slots : -1;
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    const soft_own *own = router->own;
    soft_work *buffers = work->own;
    int64_t count = image_slots(router), slots = most_slots(router, TGR_TRAIN, tokens);
    tgr_similarity_plan(&own->similarity, router->shape.dim, tokens, arena, &buffers->similarity);
    buffers->combine = tgr_arena_floats(arena, tokens, count);
    buffers->dcombine = tgr_arena_floats(arena, tokens, count);
    buffers->dispatch = tgr_arena_floats(arena, tokens, count);
    buffers->ddispatch = tgr_arena_floats(arena, tokens, count);
    buffers->lse = tgr_arena_floats(arena, tokens, 1);
    buffers->by_image = tgr_arena_floats(arena, slots, router->shape.dim);
    buffers->products = tgr_arena_take(arena, slots / count, 1, sizeof *buffers->products);
}

typedef struct score_job {
    const tgr_kernels *kernels;
    int64_t experts, expert_slots, image_tokens, image_slots;
    float scale;
    soft_work *buffers;
    tgr_scores *scores;
} score_job;

static score_job job_of(const tgr_layer_router *router, const tgr_routing_pass *pass, soft_work *buffers) {
    return (score_job){.kernels = router->compute->kernels,
                       .experts = router->options.experts,
                       .expert_slots = ((const soft_own *)router->own)->slots,
                       .image_tokens = pass->sequence,
                       .image_slots = image_slots(router),
                       .scale = scale_of(router),
                       .buffers = buffers};
}

/* p and logits of one token from its row of C. */
static void sum_shares(const void *data, int64_t token) {
    const score_job *job = data;
    const float *combine = job->buffers->combine + token * job->image_slots;
    for (int64_t i = token * job->experts; i < (token + 1) * job->experts; i++) {
        double share = *combine++;
        for (int64_t s = 1; s < job->expert_slots; s++) share += *combine++;
        job->scores->probabilities[i] = (float)share;
        job->scores->logits[i] = (float)(job->buffers->lse[token] + log(share));
    }
}

/* Cosines of one image [N, E·S] into dispatch [E·S, N]. */
static void transpose_task(void *data, int64_t image, int worker) {
    const score_job *job = data;
    int64_t tokens = job->image_tokens, slots = job->image_slots, first = image * tokens * slots;
    (void)worker;
    for (int64_t s = 0; s < slots; s++)
        for (int64_t t = 0; t < tokens; t++)
            job->buffers->dispatch[first + s * tokens + t] = job->buffers->similarity.cosines[first + t * slots + s];
}

/* L, C and D; logits and p */
static void score(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                  tgr_routing_work *work, tgr_scores *scores) {
    const soft_own *own = router->own;
    soft_work *buffers = work->own;
    score_job job = job_of(router, pass, buffers);
    int64_t images = images_of(pass);
    job.scores = scores;
    tgr_similarity_forward(&own->similarity, router, pass->tokens, input->x, &buffers->similarity);
    tgr_softmax_rows(router->compute, pass->tokens, job.image_slots, job.scale, buffers->similarity.cosines,
                     buffers->combine, buffers->lse);
    tgr_parallel(router->compute, images, transpose_task, &job);
    tgr_softmax_rows(router->compute, images * job.image_slots, pass->sequence, job.scale, buffers->dispatch,
                     buffers->dispatch, NULL);
    tgr_each(router->compute, pass->tokens, sum_shares, &job);
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    (void)work;
    tgr_choose_experts(router, pass, scores->probabilities, choices);
}

static void assign(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   tgr_routing_work *work, tgr_slots *slots) {
    const soft_own *own = router->own;
    (void)choices, (void)work;
    memset(slots->kept, 1, (size_t)pass->tokens);
    tgr_assign_equally(router->options.experts, images_of(pass) * own->slots, slots);
}

typedef struct order_job {
    int64_t experts, images, piece; /* piece: floats of one expert's slots of one image */
    const float *from;
    float *to;
    int to_experts;
} order_job;

/* One image's rows between [images, E, S, dim] and [E, images, S, dim]. */
static void order_task(void *data, int64_t image, int worker) {
    const order_job *job = data;
    (void)worker;
    for (int64_t e = 0; e < job->experts; e++) {
        int64_t by_image = (image * job->experts + e) * job->piece, by_expert = (e * job->images + image) * job->piece;
        memcpy(job->to + (job->to_experts ? by_expert : by_image), job->from + (job->to_experts ? by_image : by_expert),
               (size_t)job->piece * sizeof(float));
    }
}

static void order(const tgr_layer_router *router, const tgr_routing_pass *pass, int to_experts, const float *from,
                  float *to) {
    const soft_own *own = router->own;
    order_job job = {.experts = router->options.experts,
                     .images = images_of(pass),
                     .piece = own->slots * router->shape.dim,
                     .from = from,
                     .to = to,
                     .to_experts = to_experts};
    tgr_parallel(router->compute, job.images, order_task, &job);
}

/* A matrix for each image, one after the other, or the transpose of what is stored. */
typedef struct matrices {
    const float *values;
    int transposed;
} matrices;

/* c [m, n] = a [m, k] · b [k, n] for every image */
static void multiply(const tgr_layer_router *router, const tgr_routing_pass *pass, int64_t m, int64_t n, int64_t k,
                     matrices a, matrices b, soft_work *buffers, float *c) {
    int64_t images = images_of(pass);
    for (int64_t image = 0; image < images; image++)
        buffers->products[image] = (tgr_gemm){.m = m,
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
    tgr_gemm_run(router->compute, buffers->products, images);
}

/* X̃ = Dᵀ·X */
static void gather(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots, const float *x,
                   tgr_routing_work *work, float *input) {
    soft_work *buffers = work->own;
    (void)slots;
    multiply(router, pass, image_slots(router), router->shape.dim, pass->sequence, (matrices){buffers->dispatch, 0},
             (matrices){x, 0}, buffers, buffers->by_image);
    order(router, pass, 1, buffers->by_image, input);
}

/* Y = C·Ỹ */
static void combine(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                    const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y) {
    soft_work *buffers = work->own;
    (void)choices, (void)slots;
    order(router, pass, 0, output, buffers->by_image);
    multiply(router, pass, pass->sequence, router->shape.dim, image_slots(router), (matrices){buffers->combine, 0},
             (matrices){buffers->by_image, 0}, buffers, y);
}

/* dC = dY·Ỹᵀ, dỸ = Cᵀ·dY */
static void combine_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                             const tgr_slots *slots, const float *dy, const float *output, tgr_routing_work *work,
                             float *dgates, float *doutput) {
    soft_work *buffers = work->own;
    int64_t tokens = pass->sequence, dim = router->shape.dim, all = image_slots(router);
    (void)choices, (void)slots, (void)dgates;
    order(router, pass, 0, output, buffers->by_image);
    multiply(router, pass, tokens, all, dim, (matrices){dy, 0}, (matrices){buffers->by_image, 1}, buffers,
             buffers->dcombine);
    multiply(router, pass, all, dim, tokens, (matrices){buffers->combine, 1}, (matrices){dy, 0}, buffers,
             buffers->by_image);
    order(router, pass, 1, buffers->by_image, doutput);
}

/* dDᵀ = dX̃·Xᵀ, dX = D·dX̃ */
static void gather_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                            const float *x, const float *dinput, tgr_routing_work *work, float *dx) {
    soft_work *buffers = work->own;
    int64_t tokens = pass->sequence, dim = router->shape.dim, all = image_slots(router);
    (void)slots;
    order(router, pass, 0, dinput, buffers->by_image);
    multiply(router, pass, all, tokens, dim, (matrices){buffers->by_image, 0}, (matrices){x, 1}, buffers,
             buffers->ddispatch);
    if (dx == NULL) return;
    multiply(router, pass, tokens, dim, all, (matrices){buffers->dispatch, 1}, (matrices){buffers->by_image, 0},
             buffers, dx);
}

static void combine_softmax_backward(const void *data, int64_t token) {
    const score_job *job = data;
    float *dcombine = job->buffers->dcombine + token * job->image_slots;
    job->kernels->softmax_backward(1, job->image_slots, 1.0f, job->buffers->combine + token * job->image_slots,
                                   dcombine, dcombine);
}

static void dispatch_softmax_backward(void *data, int64_t image, int worker) {
    const score_job *job = data;
    int64_t tokens = job->image_tokens, slots = job->image_slots, first = image * slots * tokens;
    float *ddispatch = job->buffers->ddispatch + first, *dcombine = job->buffers->dcombine + first;
    (void)worker;
    job->kernels->softmax_backward(slots, tokens, 1.0f, job->buffers->dispatch + first, ddispatch, ddispatch);
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t s = 0; s < slots; s++) dcombine[t * slots + s] += ddispatch[s * tokens + t];
}

/* From dL to the gradient of the cosines, L / scale, and to that of the scale. */
static void scale_backward(const void *data, int64_t token, double *sum) {
    const score_job *job = data;
    const float *cosines = job->buffers->similarity.cosines + token * job->image_slots;
    float *dscores = job->buffers->dcombine + token * job->image_slots;
    for (int64_t s = 0; s < job->image_slots; s++) {
        *sum += (double)dscores[s] * cosines[s];
        dscores[s] *= job->scale;
    }
}

/* dL, into which dcombine is turned, is the sum of both softmaxes' gradients. */
static void score_backward(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                           const float *dlogits, int accumulate, tgr_routing_work *work, float *dx) {
    const soft_own *own = router->own;
    soft_work *buffers = work->own;
    score_job job = job_of(router, pass, buffers);
    double dscale;
    (void)dlogits;
    tgr_each(router->compute, pass->tokens, combine_softmax_backward, &job);
    tgr_parallel(router->compute, images_of(pass), dispatch_softmax_backward, &job);
    tgr_sum_each(router->compute, pass->tokens, scale_backward, &job, 1, work->partial, &dscale);
    *tgr_gradient(router->parameters, own->scale) += (float)dscale;
    tgr_similarity_backward(&own->similarity, router, pass->tokens, input->x, buffers->dcombine, accumulate,
                            &buffers->similarity, dx);
}

const tgr_method tgr_method_soft = {.mixes_tokens = 1,
                                    .own_bytes = sizeof(soft_own),
                                    .work_bytes = sizeof(soft_work),
                                    .declare = declare,
                                    .initialise = initialise,
                                    .most_slots = most_slots,
                                    .plan = plan,
                                    .score = score,
                                    .route = route,
                                    .assign = assign,
                                    .gather = gather,
                                    .combine = combine,
                                    .combine_backward = combine_backward,
                                    .gather_backward = gather_backward,
                                    .score_backward = score_backward};
