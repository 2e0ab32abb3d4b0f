/* SPDX-License-Identifier: MIT */
/* The standalone teacher router, on a host's features. */
#include "tgrmoe/teacher.h"

#include "base/assert.h"
#include "base/config.h"
#include "base/context.h"
#include "base/initialise.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "base/status.h"
#include "base/struct.h"
#include "teacher/objective.h"

#define DIM_MOST     65536
#define EXPERTS_MOST 4096

struct tgr_teacher_router {
    tgr_context *context;
    tgr_parameters *parameters;
    tgr_router_batch batch; /* tokens 0 before the first forward */
    tgr_values_mark mark;   /* of the weight that the last forward used */
    void *memory;           /* for probabilities, dlogits, partial */
    int64_t memory_bytes;
    int64_t capacity; /* tokens that the memory has room for */
};

/* On failure the caller frees the router. */
static tgr_status set_up(tgr_teacher_router *router, const tgr_config *config, int64_t dim, int64_t experts) {
    int64_t index = 0;
    TGR_TRY(tgr_parameters_create(&router->parameters, router->context));
    TGR_TRY(tgr_parameters_add(router->parameters, &index, "router.weight", 0, 2, (const int64_t[]){experts, dim}));
    TGR_TRY(tgr_parameters_seal(router->parameters));
    tgr_initialise_normal(router->parameters, index, tgr_option_f64(config, TGR_OPTION_ROUTER_INIT_STD));
    router->batch = (tgr_router_batch){.compute = &router->context->compute,
                                       .router = tgr_linear_of(router->parameters, dim, experts, index, TGR_NO_BIAS),
                                       .experts = experts,
                                       .load_weight = tgr_option_f64(config, TGR_OPTION_TEACHER_LOAD_WEIGHT),
                                       .entropy_weight = tgr_option_f64(config, TGR_OPTION_TEACHER_ENTROPY_WEIGHT)};
    return TGR_OK;
}

tgr_status tgr_teacher_router_create(tgr_teacher_router **out, tgr_context *context, const tgr_config *config,
                                     int64_t dim, int64_t experts) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE(dim >= 1 && dim <= DIM_MOST, TGR_ERROR_RANGE, "argument 'dim' is %lld; it must be 1 to %d",
                (long long)dim, DIM_MOST);
    TGR_REQUIRE(experts >= 1 && experts <= EXPERTS_MOST, TGR_ERROR_RANGE,
                "argument 'experts' is %lld; it must be 1 to %d", (long long)experts, EXPERTS_MOST);
    tgr_teacher_router *router = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&router, 1, sizeof *router));
    tgr_context_retain(context);
    router->context = context;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(set_up(router, config, dim, experts));
    *out = router;
done:
    if (status != TGR_OK) tgr_teacher_router_free(router);
    return status;
}

void tgr_teacher_router_free(tgr_teacher_router *router) {
    if (router == NULL) return;
    tgr_context *context = router->context;
    tgr_release(context, router->memory, (size_t)router->memory_bytes, 1);
    tgr_parameters_release(router->parameters);
    tgr_release(context, router, 1, sizeof *router);
    tgr_context_free(context);
}

static void plan(tgr_router_batch *batch, tgr_arena *arena, int64_t tokens) {
    batch->probabilities = tgr_arena_floats(arena, tokens, batch->experts);
    batch->dlogits = tgr_arena_floats(arena, tokens, batch->experts);
    batch->partial = tgr_arena_take(arena, tgr_objective_partial(tokens), batch->experts + 1, sizeof(double));
}

static tgr_status reserve(tgr_teacher_router *router, int64_t tokens) {
    if (tokens <= router->capacity) return TGR_OK;
    tgr_router_batch batch = router->batch;
    tgr_arena arena = {0};
    int64_t features;
    plan(&batch, &arena, tokens);
    TGR_REQUIRE(!arena.overflow && tgr_multiply(tokens, batch.router.inputs, &features), TGR_ERROR_OVERFLOW,
                "%lld tokens are too many to address", (long long)tokens);
    void *memory;
    TGR_TRY(tgr_allocate(router->context, &memory, (size_t)arena.used, 1));
    tgr_release(router->context, router->memory, (size_t)router->memory_bytes, 1);
    router->memory = memory;
    router->memory_bytes = arena.used;
    router->capacity = tokens;
    arena = (tgr_arena){.base = memory, .capacity = arena.used};
    plan(&router->batch, &arena, tokens);
    TGR_ASSERT(!arena.overflow && arena.used == router->memory_bytes);
    return TGR_OK;
}

tgr_status tgr_teacher_router_forward(tgr_teacher_router *router, const float *features, int64_t tokens,
                                      const float **probabilities) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    TGR_REQUIRE_ARGUMENT(features);
    TGR_REQUIRE(tokens >= 1, TGR_ERROR_RANGE, "argument 'tokens' is %lld; it must be at least 1", (long long)tokens);
    TGR_TRY(reserve(router, tokens));
    router->batch.tokens = tokens;
    router->batch.features = features;
    router->mark = tgr_parameters_mark(router->parameters);
    tgr_objective_route(&router->batch);
    if (probabilities != NULL) *probabilities = router->batch.probabilities;
    return TGR_OK;
}

tgr_status tgr_teacher_router_measure(const tgr_teacher_router *router, tgr_teacher_measures *measures) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    TGR_REQUIRE(router->batch.tokens > 0, TGR_ERROR_STATE, "there has been no forward pass yet");
    tgr_teacher_measures found = {0};
    tgr_objective_measure(&router->batch, &found.balance, &found.entropy);
    found.objective = router->batch.load_weight * found.balance + router->batch.entropy_weight * found.entropy;
    return TGR_STRUCT_WRITE(measures, &found, entropy);
}

tgr_status tgr_teacher_router_backward(tgr_teacher_router *router) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    TGR_REQUIRE(router->batch.tokens > 0, TGR_ERROR_STATE, "there has been no forward pass yet");
    TGR_REQUIRE(router->batch.features != NULL, TGR_ERROR_STATE, "this forward pass has had its backward already");
    TGR_REQUIRE(!tgr_parameters_changed(router->parameters, router->mark), TGR_ERROR_STATE,
                "the weight has changed since the forward pass; another one is needed");
    tgr_objective_differentiate(&router->batch);
    router->batch.features = NULL;
    router->parameters->micro++;
    return TGR_OK;
}

tgr_parameters *tgr_teacher_router_parameters(tgr_teacher_router *router) {
    return router != NULL ? router->parameters : NULL;
}
