/* SPDX-License-Identifier: MIT */
/* Creating and freeing a teacher, its getters, and the step of its routers. */
#include <stdio.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/initialise.h"
#include "base/status.h"
#include "teacher/inside.h"

#define MEBIBYTE (1024 * 1024)

static void read_sizes(tgr_teacher *teacher) {
    const tgr_dimensions *student = tgr_model_dimensions(teacher->student);
    const tgr_dimensions *backbone = tgr_model_dimensions(teacher->backbone);
    teacher->tokens = student->tokens;
    teacher->backbone_tokens = backbone->tokens;
    teacher->same_tokens = student->prefix_tokens == backbone->prefix_tokens;
    teacher->dim = backbone->dim;
    teacher->experts = tgr_moe_layer_routing(tgr_teacher_student_layer(teacher, 0))->experts;
    teacher->image_floats = student->channels * student->image_size * student->image_size;
}

static void read_options(tgr_teacher *teacher, const tgr_config *config) {
    teacher->feature = (tgr_feature)tgr_option_i64(config, TGR_OPTION_TEACHER_FEATURE);
    teacher->joint = tgr_option_i64(config, TGR_OPTION_TEACHER_ROUTER) == TGR_TEACHER_ROUTER_JOINT;
    teacher->distill_weight = tgr_option_f64(config, TGR_OPTION_DISTILL_WEIGHT);
    teacher->load_weight = tgr_option_f64(config, TGR_OPTION_TEACHER_LOAD_WEIGHT);
    teacher->entropy_weight = tgr_option_f64(config, TGR_OPTION_TEACHER_ENTROPY_WEIGHT);
}

static tgr_status make_token_map(tgr_teacher *teacher) {
    TGR_TRY(tgr_allocate(teacher->context, (void **)&teacher->token_map, (size_t)teacher->tokens,
                         sizeof *teacher->token_map));
    tgr_match_tokens(tgr_model_dimensions(teacher->student), tgr_model_dimensions(teacher->backbone),
                     teacher->token_map);
    return TGR_OK;
}

static tgr_status make_routers(tgr_teacher *teacher, const tgr_config *config) {
    TGR_TRY(tgr_parameters_create(&teacher->parameters, teacher->context));
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        char name[TGR_NAME_BYTES];
        int64_t index;
        snprintf(name, sizeof name, "layers.%lld.router.weight", (long long)i);
        TGR_TRY(tgr_parameters_add(teacher->parameters, &index, name, 0, 2,
                                   (const int64_t[]){teacher->experts, teacher->dim}));
        TGR_ASSERT(index == i); /* tensor i is R_i */
    }
    TGR_TRY(tgr_parameters_seal(teacher->parameters));
    for (int64_t i = 0; i < teacher->match.layers; i++)
        tgr_initialise_normal(teacher->parameters, i, tgr_option_f64(config, TGR_OPTION_ROUTER_INIT_STD));
    return TGR_OK;
}

/* The student's optimizer options, but with the learning rate of teacher_lr. */
static tgr_status make_optimizer(tgr_teacher *teacher, const tgr_config *config) {
    tgr_status status = TGR_OK;
    tgr_config *own = NULL;
    double rate = tgr_option_f64(config, TGR_OPTION_TEACHER_LR);
    TGR_TRY(tgr_config_copy(&own, config));
    if (rate > 0) TGR_TRY_DONE(tgr_config_set_f64(own, TGR_OPTION_LR, rate));
    TGR_TRY_DONE(tgr_optimizer_create(&teacher->optimizer, own, teacher->parameters));
done:
    tgr_config_free(own);
    return status;
}

static tgr_status make_cache(tgr_teacher *teacher, const tgr_config *config) {
    int64_t floats, mebibytes = tgr_option_i64(config, TGR_OPTION_TEACHER_CACHE_MB);
    if (mebibytes == 0) return TGR_OK;
    TGR_REQUIRE(tgr_multiply(teacher->match.features, teacher->backbone_tokens, &floats) &&
                    tgr_multiply(floats, teacher->dim, &floats),
                TGR_ERROR_OVERFLOW, "the teacher's features of one image are too many to address");
    TGR_TRY(tgr_feature_cache_create(&teacher->cache, teacher->context, floats, mebibytes * MEBIBYTE));
    if (tgr_feature_cache_capacity(teacher->cache) == 0)
        tgr_log(teacher->context, "teacher_cache_mb is %lld; the features of one image need more: nothing is cached",
                (long long)mebibytes);
    return TGR_OK;
}

/* On failure the caller frees the teacher. */
static tgr_status set_up(tgr_teacher *teacher) {
    const tgr_config *config = tgr_model_config(teacher->student);
    TGR_TRY(tgr_match_layers(&teacher->match, teacher->student, teacher->backbone));
    TGR_REQUIRE(tgr_option_is_used(config, TGR_OPTION_DISTILL_WEIGHT), TGR_ERROR_UNSUPPORTED,
                "argument 'student' has a method without a softmax router, which cannot be guided");
    TGR_TRY(tgr_match_images(tgr_model_dimensions(teacher->student), tgr_model_dimensions(teacher->backbone)));
    TGR_TRY(tgr_window_read(&teacher->window, config));
    TGR_TRY(tgr_model_twin(&teacher->twin, teacher->backbone, teacher->context));
    read_sizes(teacher);
    read_options(teacher, config);
    TGR_TRY(make_token_map(teacher));
    TGR_TRY(make_routers(teacher, config));
    TGR_TRY(make_optimizer(teacher, config));
    return make_cache(teacher, config);
}

tgr_status tgr_teacher_create(tgr_teacher **out, tgr_model *backbone, tgr_model *student) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(backbone);
    TGR_REQUIRE_ARGUMENT(student);
    TGR_REQUIRE(backbone != student, TGR_ERROR_ARGUMENT, "arguments 'backbone' and 'student' are the same model");
    tgr_context *context = tgr_model_context(student);
    tgr_teacher *teacher = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&teacher, 1, sizeof *teacher));
    atomic_init(&teacher->references, 1);
    tgr_context_retain(context);
    teacher->context = context;
    tgr_model_retain(backbone);
    teacher->backbone = backbone;
    tgr_model_retain(student);
    teacher->student = student;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(set_up(teacher));
    *out = teacher;
done:
    if (status != TGR_OK) tgr_teacher_free(teacher);
    return status;
}

void tgr_teacher_retain(tgr_teacher *teacher) {
    int before = atomic_fetch_add(&teacher->references, 1);
    TGR_ASSERT(before > 0);
}

void tgr_teacher_free(tgr_teacher *teacher) {
    if (teacher == NULL || atomic_fetch_sub(&teacher->references, 1) != 1) return;
    tgr_context *context = teacher->context;
    tgr_oracle_end(teacher);
    tgr_teacher_release_buffers(teacher, &teacher->buffers);
    tgr_feature_cache_free(teacher->cache);
    tgr_optimizer_free(teacher->optimizer);
    tgr_parameters_release(teacher->parameters);
    tgr_release(context, teacher->token_map, (size_t)teacher->tokens, sizeof *teacher->token_map);
    tgr_model_free(teacher->student);
    tgr_model_free(teacher->twin);
    tgr_model_free(teacher->backbone);
    tgr_release(context, teacher, 1, sizeof *teacher);
    tgr_context_free(context);
}

tgr_model *tgr_teacher_student(const tgr_teacher *teacher) {
    return teacher->student;
}
tgr_parameters *tgr_teacher_router_weights(const tgr_teacher *teacher) {
    return teacher->parameters;
}
tgr_optimizer *tgr_teacher_router_optimizer(const tgr_teacher *teacher) {
    return teacher->optimizer;
}
const tgr_parameters *tgr_teacher_backbone_weights(const tgr_teacher *teacher) {
    return tgr_model_parameters(teacher->backbone);
}
void tgr_teacher_mark(tgr_teacher *teacher) {
    teacher->mark = tgr_parameters_mark(teacher->parameters);
    teacher->backbone_mark = tgr_parameters_mark(tgr_teacher_backbone_weights(teacher));
}
int64_t tgr_teacher_batch(const tgr_teacher *teacher) {
    int replaced = tgr_parameters_replaced(teacher->parameters, teacher->mark) ||
                   tgr_parameters_replaced(tgr_teacher_backbone_weights(teacher), teacher->backbone_mark);
    return replaced ? 0 : teacher->batch;
}
tgr_mode tgr_teacher_mode(const tgr_teacher *teacher) {
    return teacher->mode;
}
int tgr_teacher_can_backward(const tgr_teacher *teacher) {
    return teacher->can_backward && !tgr_parameters_changed(teacher->parameters, teacher->mark) &&
           !tgr_parameters_changed(tgr_teacher_backbone_weights(teacher), teacher->backbone_mark);
}
uint64_t tgr_teacher_passes(const tgr_teacher *teacher) {
    return teacher->passes;
}

tgr_status tgr_teacher_probabilities(const tgr_teacher *teacher, int64_t index, const float **probabilities) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(teacher);
    TGR_REQUIRE_ARGUMENT(probabilities);
    TGR_REQUIRE(index >= 0 && index < teacher->match.layers, TGR_ERROR_RANGE,
                "argument 'index' is %lld; there are %lld MoE layers", (long long)index,
                (long long)teacher->match.layers);
    TGR_REQUIRE(tgr_teacher_batch(teacher) > 0, TGR_ERROR_STATE,
                "the teacher has not run; a forward in TGR_TRAIN outside the guidance window does not count");
    *probabilities = tgr_teacher_view(teacher, &teacher->buffers, index, teacher->batch).probabilities;
    return TGR_OK;
}

tgr_parameters *tgr_teacher_parameters(tgr_teacher *teacher) {
    return teacher != NULL ? teacher->parameters : NULL;
}

/* Depends on the gradients, not on the window: the student's step may just have left it. */
tgr_status tgr_teacher_step(tgr_teacher *teacher) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(teacher);
    tgr_teacher_drop_discarded(teacher);
    if (!teacher->joint || teacher->parameters->micro == 0) return TGR_OK;
    return tgr_optimizer_step(teacher->optimizer);
}
