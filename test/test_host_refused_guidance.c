/* SPDX-License-Identifier: MIT */
/* What a batch that is refused leaves behind in a guided student and in its teacher routers: nothing, whether its host
 * steps the teacher then or not. */
#include "teacher_support.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/optimizer.h"

enum { STEPS = 3, MICRO = 2 };

typedef enum accident { NONE, BAD_GRADIENT, BAD_IMAGES, THROWN_AWAY, ACCIDENTS } accident;

typedef struct guided {
    test_scene scene;
    tgr_optimizer *optimizer;
} guided;

static const int32_t labels[BATCH] = {0, 1, 2, 3, 4};

static tgr_status pass(guided *g, const float *images, const float *slopes) {
    test_scene *s = &g->scene;
    tgr_status status = tgr_model_forward(s->student, TGR_TRAIN, images, BATCH);
    if (status == TGR_OK) status = tgr_teacher_forward(s->teacher, TGR_TRAIN, images, BATCH);
    if (status == TGR_OK && slopes == NULL) status = tgr_loss_compute(s->loss, labels, NULL);
    if (status == TGR_OK && slopes != NULL) status = tgr_loss_compute_own(s->loss, 0, slopes, NULL, NULL);
    if (status == TGR_OK) status = tgr_loss_backward(s->loss);
    return status;
}

static void step(guided *g, int64_t first) {
    FOR(i, MICRO) assert_status(TGR_OK, pass(g, g->scene.images + (first + i) % 4 * BATCH * IMAGE, NULL));
    assert_status(TGR_OK, tgr_optimizer_step(g->optimizer));
    assert_status(TGR_OK, tgr_teacher_step(g->scene.teacher));
}

static void happen(guided *g, accident what, int step_the_teacher) {
    float slopes[BATCH * 5], images[BATCH * IMAGE];
    for (int i = 0; i < BATCH * 5; i++) slopes[i] = what == BAD_GRADIENT ? INFINITY : 1;
    memcpy(images, g->scene.images, sizeof images);
    if (what == BAD_IMAGES) images[3] = INFINITY;
    if (what != NONE) assert_status(TGR_OK, pass(g, g->scene.images + BATCH * IMAGE, NULL));
    if (what == BAD_GRADIENT || what == THROWN_AWAY) assert_status(TGR_OK, pass(g, images, slopes));
    if (what == BAD_GRADIENT) assert_status(TGR_ERROR_NONFINITE, tgr_optimizer_step(g->optimizer));
    if (what == BAD_IMAGES) assert_status(TGR_ERROR_NONFINITE, pass(g, images, NULL));
    if (what == BAD_IMAGES || what == THROWN_AWAY)
        assert_status(TGR_OK, tgr_parameters_zero_gradients(test_model_parameters(g->scene.student)));
    if (step_the_teacher) assert_status(TGR_OK, tgr_teacher_step(g->scene.teacher));
}

/* Student and teacher routers, with what trains them, as a checkpoint has them after a run; to be freed with free(). */
static char *run(accident what, int step_the_teacher, size_t *size) {
    guided g = {.scene = test_scene_make(1, "", "lr=0.01 teacher_lr=0.02")};
    tgr_checkpoint *checkpoint = NULL;
    char *path = test_file_create();
    tgr_model *student = g.scene.student;
    assert_status(TGR_OK, tgr_optimizer_create(&g.optimizer, tgr_model_config(student), tgr_model_parameters(student)));
    FOR(i, STEPS) {
        if (i == 1) happen(&g, what, step_the_teacher);
        step(&g, i);
    }
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, g.scene.context));
    assert_status(TGR_OK, tgr_checkpoint_add_model(checkpoint, "student", g.scene.student));
    assert_status(TGR_OK, tgr_checkpoint_add_teacher(checkpoint, "teacher", g.scene.teacher));
    assert_status(TGR_OK, tgr_checkpoint_add_optimizer(checkpoint, "optimizer", g.optimizer));
    assert_status(TGR_OK, tgr_checkpoint_save(checkpoint, path));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    test_file_remove(path);
    tgr_checkpoint_free(checkpoint);
    tgr_optimizer_free(g.optimizer);
    test_scene_free(&g.scene);
    return bytes;
}

static void test_refused_batches_leave_nothing(void **state) {
    (void)state;
    size_t expected_size, size;
    char *expected = run(NONE, 0, &expected_size);
    for (int what = NONE; what < ACCIDENTS; what++) {
        for (int steps = 0; steps < 2; steps++) {
            char *actual = run((accident)what, steps, &size);
            if (size != expected_size || memcmp(actual, expected, size) != 0)
                fail_msg("accident %d, the teacher %s: the run comes out otherwise", what, steps ? "stepped" : "not");
            free(actual);
        }
    }
    free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused_batches_leave_nothing)};
    return cmocka_run_group_tests_name("host_refused_guidance", tests, NULL, NULL);
}
