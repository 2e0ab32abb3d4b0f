/* SPDX-License-Identifier: MIT */
/* What the tests of teacher and guidance share: a dense backbone, a sparse student of another width, a teacher. */
#ifndef TGR_TEST_TEACHER_SUPPORT_H
#define TGR_TEST_TEACHER_SUPPORT_H

#include <stdio.h>

#include "model_support.h"
#include "teacher/inside.h"
#include "tgrmoe/loss.h"

enum { LAYERS = 2, EXPERTS = 4, WIDTH = 24, PATCHES = 4, BATCH = 5, IMAGE = 3 * 8 * 8 };

#define BACKBONE "image_size=8 patch_size=4 classes=5 embed_dim=24 depth=4 heads=2 method=dense "
#define STUDENT                                                                                             \
    "image_size=8 patch_size=4 classes=5 embed_dim=16 depth=4 heads=2 method=tgr experts=4 moe_blocks=2,4 " \
    "router_noise=0 "

typedef struct test_scene {
    tgr_context *context;
    tgr_model *backbone, *student;
    tgr_teacher *teacher;
    tgr_loss *loss;
    float *images; /* [4 · BATCH, 3, 8, 8] */
} test_scene;

static inline tgr_model *test_model_with(tgr_context *context, const char *options, const char *more) {
    char text[512];
    snprintf(text, sizeof text, "%s%s", options, more);
    return test_model(context, text);
}

/* Teacher routers that prefer some expert, not nearly uniform as fresh ones. */
static inline void test_teacher_enliven(tgr_teacher *teacher) {
    tgr_parameters *parameters = tgr_teacher_router_weights(teacher);
    test_random random = test_random_start(21);
    FOR(i, parameters->tensor_count)
        test_random_fill(&random, tgr_value(parameters, i), parameters->tensors[i].count, -0.6, 0.6);
}

/* The models have `backbone_more` and `student_more` options on top of the usual ones. */
static inline test_scene test_scene_make(int threads, const char *backbone_more, const char *student_more) {
    test_scene s = {.context = test_context(threads, 3)};
    s.backbone = test_model_with(s.context, BACKBONE, backbone_more);
    s.student = test_model_with(s.context, STUDENT, student_more);
    assert_status(TGR_OK, tgr_teacher_create(&s.teacher, s.backbone, s.student));
    test_teacher_enliven(s.teacher);
    assert_status(TGR_OK, tgr_loss_create(&s.loss, s.student, s.teacher));
    s.images = test_images(s.student, 4 * BATCH, 6);
    return s;
}

static inline void test_scene_free(test_scene *s) {
    free(s->images);
    tgr_loss_free(s->loss);
    tgr_teacher_free(s->teacher);
    tgr_model_free(s->student);
    tgr_model_free(s->backbone);
    tgr_context_free(s->context);
}

static inline const float *test_teacher_rows(const tgr_teacher *teacher, int64_t layer) {
    const float *probabilities = NULL;
    assert_status(TGR_OK, tgr_teacher_probabilities(teacher, layer, &probabilities));
    return probabilities;
}

static inline double test_term(const tgr_loss *loss, const char *name) {
    double value = NAN;
    assert_status(TGR_OK, tgr_loss_term_value(loss, name, &value));
    return value;
}

#endif
