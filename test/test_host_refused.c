/* SPDX-License-Identifier: MIT */
/* What a batch that is refused leaves behind, by method: nothing. And what a model is at each moment of a step, to whom
 * it is exported then: the one that its host has. */
#include <limits.h>

#include "tgrmoe/exchange.h"
#include "tgrmoe/session.h"
#include "training_support.h"

enum { GOOD_BEFORE = 2 * MICRO, GOOD_AFTER = 2 * MICRO };

static char *path;
static float images[BATCH * PIXELS];

/* How a batch goes wrong. */
typedef enum accident {
    NONE,
    BAD_IMAGES,          /* the loss is not finite: the host continues with its next batch */
    BAD_GRADIENT,        /* its own loss has a gradient that is not finite: the step is refused */
    BAD_SECOND_GRADIENT, /* the same, in the second micro-batch of a step */
    THROWN_AWAY,         /* the host itself throws the gradients away */
    ACCIDENTS
} accident;

static const char *const accident_names[] = {"none", "images", "gradient", "second gradient", "thrown away"};

/* A micro-batch whose loss is the host's, 0, with this gradient for each logit. */
static tgr_status train_with(training *t, const float *from, float slope) {
    float gradient[BATCH * CLASSES];
    for (int i = 0; i < BATCH * CLASSES; i++) gradient[i] = slope;
    tgr_status status = tgr_model_forward(t->model, TGR_TRAIN, from, BATCH);
    if (status == TGR_OK) status = tgr_loss_compute_own(t->loss, 0, gradient, NULL, NULL);
    if (status == TGR_OK) status = tgr_loss_backward(t->loss);
    return status;
}

static void happen(training *t, accident what) {
    float bad[BATCH * PIXELS];
    const int32_t labels[BATCH] = {0};
    switch (what) {
        case BAD_IMAGES:
            memcpy(bad, images, sizeof bad);
            bad[7] = NAN;
            assert_status(TGR_OK, tgr_model_forward(t->model, TGR_TRAIN, bad, BATCH));
            assert_status(TGR_ERROR_NONFINITE, tgr_loss_compute(t->loss, labels, NULL));
            break;
        case BAD_SECOND_GRADIENT:
            assert_status(TGR_OK, train_with(t, images, 0.1f));
            /* fall through */
        case BAD_GRADIENT:
            assert_status(TGR_OK, train_with(t, images, INFINITY));
            assert_status(TGR_ERROR_NONFINITE, tgr_optimizer_step(t->optimizer));
            break;
        case THROWN_AWAY:
            assert_status(TGR_OK, train_with(t, images, 0.1f));
            assert_status(TGR_OK, tgr_parameters_zero_gradients(test_model_parameters(t->model)));
            break;
        default:
            break;
    }
}

/* All that there is of a run, as a checkpoint has it; to be freed with free(). */
static char *snapshot(const training *t, size_t *size) {
    assert_status(TGR_OK, tgr_checkpoint_save(t->checkpoint, path));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static char *run(const char *method, const char *more, accident what, size_t *size) {
    training t;
    assert_status(TGR_OK, training_start(&t, test_context(2, 7), method, more));
    FOR(i, GOOD_BEFORE) assert_status(TGR_OK, train(&t, i));
    size_t before_size, after_size;
    char *before = snapshot(&t, &before_size);
    happen(&t, what);
    char *after = snapshot(&t, &after_size);
    if (before_size != after_size || memcmp(before, after, after_size) != 0)
        fail_msg("%s %s: after '%s' the checkpoint differs", method, more, accident_names[what]);
    FOR(i, GOOD_AFTER) assert_status(TGR_OK, train(&t, GOOD_BEFORE + i));
    free(before);
    free(after);
    char *bytes = snapshot(&t, size);
    training_end(&t);
    return bytes;
}

static void check_accidents(const char *method, const char *more) {
    size_t expected_size, size;
    char *expected = run(method, more, NONE, &expected_size);
    for (int what = BAD_IMAGES; what < ACCIDENTS; what++) {
        char *actual = run(method, more, (accident)what, &size);
        if (size != expected_size || memcmp(actual, expected, size) != 0)
            fail_msg("%s %s: a run with '%s' in it comes out otherwise", method, more, accident_names[what]);
        free(actual);
    }
    free(expected);
}

static void test_refused_batches_leave_nothing(void **state) {
    (void)state;
    each_method(check_accidents);
}

/* The logits in evaluation, by a session, which leaves a pass of the model's alone. */
static void evaluate(tgr_model *model, float logits[BATCH * CLASSES]) {
    tgr_session *session = NULL;
    const float *lent = NULL;
    assert_status(TGR_OK, tgr_session_create(&session, model, NULL));
    assert_status(TGR_OK, tgr_session_forward(session, images, BATCH));
    assert_status(TGR_OK, tgr_session_logits(session, &lent));
    memcpy(logits, lent, sizeof(float) * BATCH * CLASSES);
    tgr_session_free(session);
}

/* The model, and what another host gets that imports its export. */
static void check_export(training *t, const char *method, const char *more, const char *when) {
    float here[BATCH * CLASSES], there[BATCH * CLASSES];
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    tgr_config *config = NULL;
    tgr_model *imported = NULL;
    assert_status(TGR_OK, tgr_model_export(t->model, path, NULL));
    assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
    assert_status(TGR_OK, tgr_config_import(&config, context, file));
    assert_status(TGR_OK, tgr_model_create(&imported, context, config));
    assert_status(TGR_OK, tgr_model_import(imported, file, NULL));
    evaluate(t->model, here);
    evaluate(imported, there);
    if (memcmp(here, there, sizeof here) != 0) fail_msg("%s %s: exported %s, it is another model", method, more, when);
    tgr_safetensors_close(file);
    tgr_config_free(config);
    tgr_model_free(imported);
    tgr_context_free(context);
}

static void check_moments(const char *method, const char *more) {
    training t;
    float gradient[BATCH * CLASSES];
    for (int i = 0; i < BATCH * CLASSES; i++) gradient[i] = 0.1f;
    assert_status(TGR_OK, training_start(&t, test_context(1, 7), method, more));
    FOR(i, GOOD_BEFORE) assert_status(TGR_OK, train(&t, i));
    check_export(&t, method, more, "after a step");
    assert_status(TGR_OK, tgr_model_forward(t.model, TGR_TRAIN, images, BATCH));
    check_export(&t, method, more, "between forward and backward");
    assert_status(TGR_OK, tgr_model_backward(t.model, gradient, NULL));
    check_export(&t, method, more, "between backward and step");
    assert_status(TGR_OK, tgr_optimizer_step(t.optimizer));
    check_export(&t, method, more, "after the step");
    happen(&t, BAD_GRADIENT);
    check_export(&t, method, more, "after a refused step");
    training_end(&t);
}

static void test_exports_at_any_moment(void **state) {
    (void)state;
    each_method(check_moments);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_batches_leave_nothing),
        cmocka_unit_test(test_exports_at_any_moment),
    };
    test_random random = test_random_start(12);
    test_random_fill(&random, images, BATCH * PIXELS, -1, 1);
    path = test_file_create();
    const int failed = cmocka_run_group_tests_name("host_refused", tests, NULL, NULL);
    test_file_remove(path);
    return failed;
}
