/* SPDX-License-Identifier: MIT */
/* The teacher's forward pass: features from the backbone or the cache, arranged as the student's tokens, then routed.
 *
 * A product's row does not depend on the other rows, so an image's features are the same bit for bit in any batch and
 * from the cache. Everything that can fail comes before the teacher is changed. */
#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "teacher/inside.h"

/* Floats of one feature of one image, in the backbone's tokens. */
static int64_t feature_floats(const tgr_teacher *teacher) {
    return teacher->backbone_tokens * teacher->dim;
}

static void plan(const tgr_teacher *teacher, tgr_teacher_buffers *buffers, tgr_arena *arena, int64_t images) {
    const tgr_layer_match *match = &teacher->match;
    int64_t tokens = 0, rows = 0; /* of the student, in the batch; backbone rows of all features */
    if (!tgr_multiply(images, teacher->tokens, &tokens) ||
        !tgr_multiply(match->features * images, teacher->backbone_tokens, &rows))
        arena->overflow = 1;
    buffers->capacity = images;
    buffers->features = tgr_arena_floats(arena, rows, teacher->dim);
    buffers->student_features = buffers->features;
    if (!teacher->same_tokens)
        buffers->student_features = tgr_arena_floats(arena, match->features * tokens, teacher->dim);
    buffers->probabilities = tgr_arena_floats(arena, match->layers * tokens, teacher->experts);
    buffers->dlogits = tgr_arena_floats(arena, tokens, teacher->experts);
    buffers->partial = tgr_arena_take(arena, tgr_objective_partial(tokens), teacher->experts + 1, sizeof(double));
    if (teacher->cache == NULL) return;
    buffers->missing_images = tgr_arena_floats(arena, images, teacher->image_floats);
    buffers->missing_features = tgr_arena_floats(arena, rows, teacher->dim);
    buffers->missing = tgr_arena_take(arena, images, 1, sizeof(int64_t));
}

/* The largest batch: its size times TGR_LIST_MAX layers still fits. */
#define IMAGES_MOST (INT64_MAX / TGR_LIST_MAX / 2)

static tgr_status make_buffers(const tgr_teacher *teacher, tgr_teacher_buffers *buffers, int64_t images) {
    tgr_arena arena = {.overflow = images > IMAGES_MOST};
    if (!arena.overflow) plan(teacher, buffers, &arena, images);
    TGR_REQUIRE(!arena.overflow, TGR_ERROR_OVERFLOW, "the features of %lld images are too many to address",
                (long long)images);
    TGR_TRY(tgr_allocate(teacher->context, &buffers->memory, (size_t)arena.used, 1));
    buffers->bytes = arena.used;
    arena = (tgr_arena){.base = buffers->memory, .capacity = arena.used};
    plan(teacher, buffers, &arena, images);
    TGR_ASSERT(!arena.overflow && arena.used == buffers->bytes);
    return TGR_OK;
}

void tgr_teacher_release_buffers(tgr_teacher *teacher, tgr_teacher_buffers *buffers) {
    tgr_release(teacher->context, buffers->memory, (size_t)buffers->bytes, 1);
}

/* The backbone's features of `batch` images into `features` [features, stride], each [batch, backbone tokens, dim]. */
static tgr_status run_backbone(const tgr_teacher *teacher, const float *images, int64_t batch, float *features,
                               int64_t stride) {
    const tgr_layer_match *match = &teacher->match;
    for (int64_t f = 0; f < match->features; f++)
        tgr_model_capture(teacher->twin, match->block_of_feature[f], teacher->feature, features + f * stride);
    const tgr_status status = tgr_model_run_twin(teacher->twin, images, batch);
    for (int64_t f = 0; f < match->features; f++)
        tgr_model_capture(teacher->twin, match->block_of_feature[f], teacher->feature, NULL);
    return status;
}

/* Copies one image's features [features, feature floats], each a stride from the next. */
static void copy_image(const tgr_teacher *teacher, float *to, int64_t to_stride, const float *from,
                       int64_t from_stride) {
    size_t bytes = (size_t)feature_floats(teacher) * sizeof(float);
    for (int64_t f = 0; f < teacher->match.features; f++) memcpy(to + f * to_stride, from + f * from_stride, bytes);
}

static int64_t find_missing(const tgr_teacher *teacher, const int64_t *ids, int64_t batch, int64_t *missing) {
    int64_t count = 0;
    for (int64_t b = 0; b < batch; b++)
        if (tgr_feature_cache_find(teacher->cache, ids[b]) == NULL) missing[count++] = b;
    return count;
}

/* Features of weights that the backbone has no more are of no use. */
static void forget_other_weights(tgr_teacher *teacher) {
    const tgr_parameters *weights = tgr_teacher_backbone_weights(teacher);
    if (tgr_parameters_changed(weights, teacher->cache_mark)) tgr_feature_cache_clear(teacher->cache);
    teacher->cache_mark = tgr_parameters_mark(weights);
}

/* Runs the backbone on the images that the cache lacks, takes the others from the cache, and adds the new ones to it.
 */
static tgr_status run_cached(tgr_teacher *teacher, const tgr_teacher_buffers *buffers, const float *images,
                             const int64_t *ids, int64_t batch) {
    const int64_t size = feature_floats(teacher), stride = buffers->capacity * size;
    forget_other_weights(teacher);
    const int64_t count = find_missing(teacher, ids, batch, buffers->missing);
    TGR_ASSERT(batch <= buffers->capacity);
    TGR_TRY(tgr_feature_cache_reserve(teacher->cache, count));
    for (int64_t m = 0; m < count; m++)
        memcpy(buffers->missing_images + m * teacher->image_floats,
               images + buffers->missing[m] * teacher->image_floats, (size_t)teacher->image_floats * sizeof(float));
    if (count > 0) TGR_TRY(run_backbone(teacher, buffers->missing_images, count, buffers->missing_features, stride));

    for (int64_t b = 0; b < batch; b++) {
        const float *entry = tgr_feature_cache_find(teacher->cache, ids[b]);
        if (entry != NULL) copy_image(teacher, buffers->features + b * size, stride, entry, size);
    }
    for (int64_t m = 0; m < count; m++) {
        const float *new_features = buffers->missing_features + m * size;
        float *entry = tgr_feature_cache_insert(teacher->cache, ids[buffers->missing[m]]);
        copy_image(teacher, buffers->features + buffers->missing[m] * size, stride, new_features, stride);
        if (entry != NULL) copy_image(teacher, entry, size, new_features, stride);
    }
    return TGR_OK;
}

/* From the backbone's tokens to the student's. */
static void map_tokens(const tgr_teacher *teacher, const tgr_teacher_buffers *buffers, int64_t batch) {
    const int64_t dim = teacher->dim;
    if (teacher->same_tokens) return;
    for (int64_t f = 0; f < teacher->match.features; f++) {
        for (int64_t b = 0; b < batch; b++) {
            const float *from = buffers->features + (f * buffers->capacity + b) * feature_floats(teacher);
            float *to = buffers->student_features + (f * buffers->capacity + b) * teacher->tokens * dim;
            for (int64_t n = 0; n < teacher->tokens; n++)
                memcpy(to + n * dim, from + teacher->token_map[n] * dim, (size_t)dim * sizeof(float));
        }
    }
}

tgr_router_batch tgr_teacher_view(const tgr_teacher *teacher, const tgr_teacher_buffers *buffers, int64_t layer,
                                  int64_t images) {
    TGR_ASSERT(layer >= 0 && layer < teacher->match.layers && images >= 1 && images <= buffers->capacity);
    int64_t rows = buffers->capacity * teacher->tokens; /* of one layer's piece */
    return (tgr_router_batch){
        .compute = &teacher->context->compute,
        .router = tgr_linear_of(teacher->parameters, teacher->dim, teacher->experts, layer, TGR_NO_BIAS),
        .tokens = images * teacher->tokens,
        .experts = teacher->experts,
        .load_weight = teacher->load_weight,
        .entropy_weight = teacher->entropy_weight,
        .features = buffers->student_features + teacher->match.feature_of_layer[layer] * rows * teacher->dim,
        .probabilities = buffers->probabilities + layer * rows * teacher->experts,
        .dlogits = buffers->dlogits,
        .partial = buffers->partial};
}

static tgr_status fill(tgr_teacher *teacher, const tgr_teacher_buffers *buffers, const float *images,
                       const int64_t *ids, int64_t batch) {
    if (ids != NULL && teacher->cache != NULL)
        TGR_TRY(run_cached(teacher, buffers, images, ids, batch));
    else
        TGR_TRY(run_backbone(teacher, images, batch, buffers->features, buffers->capacity * feature_floats(teacher)));
    map_tokens(teacher, buffers, batch);
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        tgr_router_batch view = tgr_teacher_view(teacher, buffers, i, batch);
        tgr_objective_route(&view);
    }
    return TGR_OK;
}

/* Fills the present buffers, or larger ones that replace them if nothing fails. */
static tgr_status run(tgr_teacher *teacher, tgr_mode mode, const float *images, const int64_t *ids, int64_t batch) {
    if (mode == TGR_TRAIN && !tgr_teacher_is_active(teacher)) {
        teacher->batch = 0;
        teacher->can_backward = 0;
        teacher->passes++;
        return TGR_OK;
    }
    tgr_status status = TGR_OK;
    tgr_teacher_buffers buffers = teacher->buffers;
    int grows = batch > buffers.capacity;
    if (grows) TGR_TRY(make_buffers(teacher, &buffers, batch));
    TGR_TRY_DONE(fill(teacher, &buffers, images, ids, batch));
    if (grows) tgr_teacher_release_buffers(teacher, &teacher->buffers);
    teacher->buffers = buffers;
    teacher->batch = batch;
    teacher->mode = mode;
    teacher->can_backward = mode == TGR_TRAIN;
    teacher->passes++;
    tgr_teacher_mark(teacher);
    if (teacher->oracle) tgr_oracle_begin(teacher);
done:
    if (status != TGR_OK && grows) tgr_teacher_release_buffers(teacher, &buffers);
    return status;
}

static tgr_status check(const tgr_teacher *teacher, tgr_mode mode, const float *images, int64_t batch) {
    if (teacher == NULL || images == NULL)
        return tgr_fail(TGR_ERROR_ARGUMENT, "argument '%s' is NULL; a pointer is needed",
                        teacher == NULL ? "teacher" : "images");
    if (mode != TGR_EVAL && mode != TGR_TRAIN)
        return tgr_fail(TGR_ERROR_RANGE, "argument 'mode' is %d; it must be TGR_EVAL (%d) or TGR_TRAIN (%d)", (int)mode,
                        TGR_EVAL, TGR_TRAIN);
    if (batch < 1)
        return tgr_fail(TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    return TGR_OK;
}

tgr_status tgr_teacher_forward(tgr_teacher *teacher, tgr_mode mode, const float *images, int64_t batch) {
    TGR_ENTER;
    TGR_TRY(check(teacher, mode, images, batch));
    return run(teacher, mode, images, NULL, batch);
}

tgr_status tgr_teacher_forward_cached(tgr_teacher *teacher, tgr_mode mode, const float *images, const int64_t *ids,
                                      int64_t batch) {
    TGR_ENTER;
    TGR_TRY(check(teacher, mode, images, batch));
    TGR_REQUIRE_ARGUMENT(ids);
    for (int64_t b = 0; b < batch; b++)
        TGR_REQUIRE(ids[b] >= 0, TGR_ERROR_RANGE, "ids[%lld] is %lld; it must be at least 0", (long long)b,
                    (long long)ids[b]);
    return run(teacher, mode, images, ids, batch);
}
