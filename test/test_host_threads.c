/* SPDX-License-Identifier: MIT */
/* Handles in threads of the host's. What only reads a model's weights may do so all at once: each comes to the bytes
 * that it has alone. To be run with SANITIZE=thread, too. */
#include <pthread.h>

#include "teacher_support.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/exchange.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/session.h"

enum { STUDENTS = 2, STEPS = 30, MOST = 12, READERS = 6 };

static const char *const methods[STUDENTS] = {"", "guidance_end=1 teacher_cache_mb=1"};
static const int64_t batches[STUDENTS] = {1, MOST};

/* A student of a backbone that it has not to itself, and its run in a thread. Checks would end the wrong thread, so
 * failures are counted. */
typedef struct student {
    tgr_context *context;
    tgr_model *model;
    tgr_teacher *teacher;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    int64_t batch;
    float *images; /* [MOST, 3, 8, 8] */
    int failures;
} student;

static student start(tgr_model *backbone, tgr_context *shared, int index) {
    student s = {.context = shared != NULL ? shared : test_context(1, 3), .batch = batches[index]};
    s.model = test_model_with(s.context, STUDENT, methods[index]);
    assert_status(TGR_OK, tgr_teacher_create(&s.teacher, backbone, s.model));
    assert_status(TGR_OK, tgr_loss_create(&s.loss, s.model, s.teacher));
    assert_status(TGR_OK, tgr_optimizer_create(&s.optimizer, tgr_model_config(s.model), tgr_model_parameters(s.model)));
    s.images = test_images(s.model, MOST, (uint64_t)index);
    return s;
}

static void end(student *s, const tgr_context *shared) {
    free(s->images);
    tgr_optimizer_free(s->optimizer);
    tgr_loss_free(s->loss);
    tgr_teacher_free(s->teacher);
    tgr_model_free(s->model);
    if (s->context != shared) tgr_context_free(s->context);
}

static tgr_status step(student *s) {
    static const int32_t labels[MOST] = {0, 1, 2, 3, 4};
    static const int64_t ids[MOST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    tgr_status status = tgr_model_forward(s->model, TGR_TRAIN, s->images, s->batch);
    if (status == TGR_OK) status = tgr_teacher_forward_cached(s->teacher, TGR_TRAIN, s->images, ids, s->batch);
    if (status == TGR_OK) status = tgr_loss_compute(s->loss, labels, NULL);
    if (status == TGR_OK) status = tgr_loss_backward(s->loss);
    if (status == TGR_OK) status = tgr_optimizer_step(s->optimizer);
    if (status == TGR_OK) status = tgr_teacher_step(s->teacher);
    return status;
}

static void *run(void *user) {
    student *s = user;
    for (int i = 0; i < STEPS; i++) s->failures += step(s) != TGR_OK;
    return NULL;
}

static void check_same_weights(student *a, student *b) {
    const tgr_parameters *p = test_model_parameters(a->model), *q = test_model_parameters(b->model);
    assert_int_equal(a->failures + b->failures, 0);
    assert_same_bytes(p->values, q->values, (size_t)p->floats * sizeof(float));
    p = tgr_teacher_router_weights(a->teacher), q = tgr_teacher_router_weights(b->teacher);
    assert_same_bytes(p->values, q->values, (size_t)p->floats * sizeof(float));
}

/* Two students in two threads, one backbone; with a context each, or one for all. */
static void check_two_students(tgr_context *shared) {
    tgr_context *context = shared != NULL ? shared : test_context(1, 3);
    tgr_model *backbone = test_model_with(context, BACKBONE, "");
    student alone[STUDENTS], together[STUDENTS];
    pthread_t threads[STUDENTS];
    for (int i = 0; i < STUDENTS; i++) {
        alone[i] = start(backbone, shared, i);
        run(&alone[i]);
    }
    for (int i = 0; i < STUDENTS; i++) together[i] = start(backbone, shared, i);
    for (int i = 0; i < STUDENTS; i++) assert_int_equal(pthread_create(&threads[i], NULL, run, &together[i]), 0);
    for (int i = 0; i < STUDENTS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < STUDENTS; i++) {
        check_same_weights(&alone[i], &together[i]);
        end(&alone[i], shared);
        end(&together[i], shared);
    }
    tgr_model_free(backbone);
    if (shared == NULL) tgr_context_free(context);
}

static void test_two_students_of_one_backbone(void **state) {
    (void)state;
    check_two_students(NULL);
    for (int threads = 1; threads <= 2; threads++) {
        tgr_context *context = test_context(threads, 3);
        check_two_students(context);
        tgr_context_free(context);
    }
}

/* A teacher leaves the backbone handle as it was. */
static void test_backbone_keeps_its_pass(void **state) {
    (void)state;
    test_scene s = test_scene_make(1, "", "");
    float kept[3 * 5];
    assert_status(TGR_OK, tgr_model_forward(s.backbone, TGR_TRAIN, s.images, 3));
    memcpy(kept, test_logits(s.backbone), sizeof kept);
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images + IMAGE, 2 * BATCH));
    assert_int_equal(tgr_model_batch(s.backbone), 3);
    assert_same_bytes(test_logits(s.backbone), kept, sizeof kept);
    assert_status(TGR_OK, tgr_model_backward(s.backbone, kept, NULL));
    test_scene_free(&s);
}

/* All that may read one model at once, each in a thread, over and over, each with what it comes to alone. */
typedef struct reader {
    tgr_model *model; /* dense */
    float *images;    /* [BATCH, 3, 8, 8] */
    float *expected;  /* logits [BATCH, classes] */
    int failures;
} reader;

static int differ(const float *a, const float *b, size_t count) {
    return memcmp(a, b, count * sizeof(float)) != 0;
}

static int read_by_session(const reader *r, tgr_context *context) {
    tgr_session *session = NULL;
    const float *logits = NULL;
    tgr_status status = tgr_session_create(&session, r->model, context);
    if (status == TGR_OK) status = tgr_session_forward(session, r->images, BATCH);
    if (status == TGR_OK) status = tgr_session_logits(session, &logits);
    const int failed = status != TGR_OK || differ(logits, r->expected, BATCH * 5);
    tgr_session_free(session);
    return failed;
}

static void *run_session(void *user) {
    reader *r = user;
    for (int i = 0; i < STEPS; i++) r->failures += read_by_session(r, NULL);
    return NULL;
}

/* The model's own handle, in evaluation. */
static void *run_model(void *user) {
    reader *r = user;
    for (int i = 0; i < STEPS; i++) {
        const float *logits = NULL;
        tgr_status status = tgr_model_forward(r->model, TGR_EVAL, r->images, BATCH);
        if (status == TGR_OK) status = tgr_model_logits(r->model, &logits);
        r->failures += status != TGR_OK || differ(logits, r->expected, BATCH * 5);
    }
    return NULL;
}

/* A file holds the weights if a model loaded from it has the same logits. */
static int check_file(const reader *r, tgr_status status, int is_export, const char *path) {
    tgr_context *context = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    tgr_model *loaded = NULL;
    tgr_safetensors *file = NULL;
    tgr_config *config = NULL;
    if (status == TGR_OK) status = tgr_context_create(&context, &options);
    if (status == TGR_OK && !is_export) status = tgr_model_load(&loaded, context, path, "model");
    if (status == TGR_OK && is_export) {
        status = tgr_safetensors_open(&file, context, path);
        if (status == TGR_OK) status = tgr_config_import(&config, context, file);
        if (status == TGR_OK) status = tgr_model_create(&loaded, context, config);
        if (status == TGR_OK) status = tgr_model_import(loaded, file, NULL);
    }
    reader copy = *r;
    copy.model = loaded;
    const int failed = status != TGR_OK || read_by_session(&copy, context);
    tgr_config_free(config);
    tgr_safetensors_close(file);
    tgr_model_free(loaded);
    tgr_context_free(context);
    return failed;
}

static void *run_export(void *user) {
    reader *r = user;
    char *path = test_file_create();
    for (int i = 0; i < STEPS / 5; i++) r->failures += check_file(r, tgr_model_export(r->model, path, NULL), 1, path);
    test_file_remove(path);
    return NULL;
}

static void *run_save(void *user) {
    reader *r = user;
    char *path = test_file_create();
    tgr_checkpoint *checkpoint = NULL;
    tgr_context *context = NULL;
    tgr_status status = tgr_context_create(&context, NULL);
    if (status == TGR_OK) status = tgr_checkpoint_create(&checkpoint, context);
    if (status == TGR_OK) status = tgr_checkpoint_add_model(checkpoint, "model", r->model);
    r->failures += status != TGR_OK;
    for (int i = 0; i < STEPS / 5 && status == TGR_OK; i++)
        r->failures += check_file(r, tgr_checkpoint_save(checkpoint, path), 0, path);
    tgr_checkpoint_free(checkpoint);
    tgr_context_free(context);
    test_file_remove(path);
    return NULL;
}

/* A student whose backbone the model is. Its result is compared elsewhere. */
static void *run_student(void *user) {
    reader *r = user;
    student s = start(r->model, NULL, 1);
    run(&s);
    r->failures += s.failures;
    end(&s, NULL);
    return NULL;
}

static void test_readers_of_one_model(void **state) {
    (void)state;
    static void *(*const readings[READERS])(void *user) = {run_session, run_session, run_model,
                                                           run_export,  run_save,    run_student};
    tgr_context *context = test_context(2, 3);
    tgr_model *model = test_model_with(context, BACKBONE, "");
    float *images = test_images(model, BATCH, 9), expected[BATCH * 5];
    reader readers[READERS];
    pthread_t threads[READERS];
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, BATCH));
    memcpy(expected, test_logits(model), sizeof expected);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){model, images, expected, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, readings[i], &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < READERS; i++)
        if (readers[i].failures) fail_msg("reader %d: %d failures", i, readers[i].failures);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_students_of_one_backbone),
        cmocka_unit_test(test_backbone_keeps_its_pass),
        cmocka_unit_test(test_readers_of_one_model),
    };
    return cmocka_run_group_tests_name("host_threads", tests, NULL, NULL);
}
