/* SPDX-License-Identifier: MIT */
/* Steps and evaluations in one call: the same bytes as the calls of a host's loop one by one, and what a failure leaves
 * behind. */
#include <math.h>

#include "loss/loss.h"
#include "optimizer/optimizer.h"
#include "teacher_support.h"

enum { CLASSES = 5, STEPS = 4 };

/* Guidance begins after the first step of four and ends before the last. */
#define GUIDED "total_steps=4 guidance_start=0.25 guidance_end=0.75 lr=0.01 importance_weight=0.1 "

static const int32_t labels[4 * BATCH] = {4, 0, 2, 1, 3, 0, 0, 4, 2, 2, 1, 3, 3, 1, 0, 4, 2, 2, 0, 1};

typedef struct subject {
    test_scene scene;
    tgr_optimizer *optimizer;
} subject;

static subject subject_make(int threads, int with_teacher, const char *more) {
    subject s = {.scene = test_scene_make(threads, "", more)};
    if (!with_teacher) {
        tgr_loss_free(s.scene.loss);
        assert_status(TGR_OK, tgr_loss_create(&s.scene.loss, s.scene.student, NULL));
    }
    assert_status(TGR_OK, tgr_optimizer_create(&s.optimizer, tgr_model_config(s.scene.student),
                                               tgr_model_parameters(s.scene.student)));
    return s;
}

static void subject_free(subject *s) {
    tgr_optimizer_free(s->optimizer);
    test_scene_free(&s->scene);
}

static void check_same_parameters(const tgr_parameters *a, const tgr_parameters *b) {
    const size_t bytes = (size_t)a->floats * sizeof(float);
    assert_same_bytes(a->values, b->values, bytes);
    assert_same_bytes(a->gradients, b->gradients, bytes);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->micro, b->micro);
}

static void check_same(const subject *a, const subject *b) {
    const size_t bytes = (size_t)tgr_model_parameters(a->scene.student)->floats * sizeof(float);
    check_same_parameters(tgr_model_parameters(a->scene.student), tgr_model_parameters(b->scene.student));
    check_same_parameters(tgr_teacher_parameters(a->scene.teacher), tgr_teacher_parameters(b->scene.teacher));
    assert_same_bytes(a->optimizer->first_moment, b->optimizer->first_moment, bytes);
}

/* A forward pass to backward, the long way: model first, as hosts may have it. */
static double pass_by_hand(subject *s, const tgr_batch *batch) {
    test_scene *scene = &s->scene;
    double total = NAN;
    assert_status(TGR_OK, tgr_model_forward(scene->student, TGR_TRAIN, batch->images, batch->count));
    if (scene->loss->teacher != NULL && batch->ids != NULL)
        assert_status(TGR_OK,
                      tgr_teacher_forward_cached(scene->teacher, TGR_TRAIN, batch->images, batch->ids, batch->count));
    else if (scene->loss->teacher != NULL)
        assert_status(TGR_OK, tgr_teacher_forward(scene->teacher, TGR_TRAIN, batch->images, batch->count));
    if (batch->labels != NULL)
        assert_status(TGR_OK, tgr_loss_compute(scene->loss, batch->labels, &total));
    else
        assert_status(TGR_OK, tgr_loss_compute_soft(scene->loss, batch->targets, &total));
    assert_status(TGR_OK, tgr_loss_backward(scene->loss));
    return total;
}

static void update_by_hand(subject *s) {
    assert_status(TGR_OK, tgr_optimizer_step(s->optimizer));
    if (s->scene.loss->teacher != NULL) assert_status(TGR_OK, tgr_teacher_step(s->scene.teacher));
}

static tgr_batch batch_of(const subject *s, int64_t first, int64_t count) {
    return (tgr_batch){.struct_size = sizeof(tgr_batch),
                       .count = count,
                       .images = s->scene.images + first * IMAGE,
                       .labels = labels + first};
}

static void test_a_step_is_the_loop(void **state) {
    (void)state;
    for (int with_teacher = 0; with_teacher < 2; with_teacher++) {
        FOR_THREADS(threads) {
            subject a = subject_make(threads, with_teacher, GUIDED), b = subject_make(threads, with_teacher, GUIDED);
            double distill = 0;
            FOR(step, STEPS) {
                const tgr_batch batch = batch_of(&b, step * BATCH, BATCH);
                double total = NAN, expected = pass_by_hand(&b, &batch);
                update_by_hand(&b);
                assert_status(TGR_OK, tgr_loss_step(a.scene.loss, a.optimizer, a.scene.images + step * BATCH * IMAGE,
                                                    batch.labels, BATCH, &total));
                assert_close(total, expected, 0);
                check_same(&a, &b);
                distill += test_term(a.scene.loss, "distill");
            }
            assert_int_equal(distill > 0, with_teacher);
            assert_int_equal(tgr_parameters_step_count(tgr_model_parameters(a.scene.student)), STEPS);
            subject_free(&a);
            subject_free(&b);
        }
    }
}

/* Three micro-batches, one of a different size; the last by tgr_loss_step. */
static void test_micro_batches_add_up(void **state) {
    (void)state;
    static const int64_t first[] = {0, 5, 7, 12};
    subject a = subject_make(2, 1, GUIDED "guidance_start=0"), b = subject_make(2, 1, GUIDED "guidance_start=0");
    for (int step = 0; step < 2; step++) {
        for (int i = 0; i < 3; i++) {
            const tgr_batch batch = batch_of(&b, first[i], first[i + 1] - first[i]);
            tgr_batch own = batch;
            own.images = a.scene.images + first[i] * IMAGE;
            double total = NAN, expected = pass_by_hand(&b, &batch);
            if (step == 1 && i == 2) {
                update_by_hand(&b);
                assert_status(TGR_OK,
                              tgr_loss_step(a.scene.loss, a.optimizer, own.images, own.labels, own.count, &total));
            } else {
                assert_status(TGR_OK, tgr_loss_accumulate(a.scene.loss, &own, &total));
            }
            assert_close(total, expected, 0);
            check_same(&a, &b);
        }
        if (step == 1) break;
        update_by_hand(&b);
        assert_status(TGR_OK, tgr_loss_update(a.scene.loss, a.optimizer));
        check_same(&a, &b);
    }
    subject_free(&a);
    subject_free(&b);
}

/* Mixed labels, and a teacher that sees an image once. */
static void test_soft_labels_and_ids(void **state) {
    (void)state;
    static const int64_t ids[BATCH] = {7, 8, 9, 10, 11};
    float targets[BATCH * CLASSES];
    for (int i = 0; i < BATCH * CLASSES; i++)
        targets[i] = i % CLASSES == labels[i / CLASSES]                   ? 0.75f
                     : i % CLASSES == (labels[i / CLASSES] + 1) % CLASSES ? 0.25f
                                                                          : 0;
    subject a = subject_make(1, 1, GUIDED "guidance_start=0 teacher_cache_mb=1");
    subject b = subject_make(1, 1, GUIDED "guidance_start=0");
    for (int step = 0; step < 2; step++) {
        tgr_batch batch = batch_of(&b, 0, BATCH);
        batch.labels = NULL;
        batch.targets = targets;
        double total = NAN, expected = pass_by_hand(&b, &batch);
        update_by_hand(&b);
        batch.images = a.scene.images;
        batch.ids = ids;
        const uint64_t passes = tgr_model_passes(a.scene.teacher->twin);
        assert_status(TGR_OK, tgr_loss_accumulate(a.scene.loss, &batch, &total));
        assert_int_equal(tgr_model_passes(a.scene.teacher->twin) - passes, step == 0);
        assert_status(TGR_OK, tgr_loss_update(a.scene.loss, a.optimizer));
        assert_close(total, expected, 0);
        check_same(&a, &b);
    }
    subject_free(&a);
    subject_free(&b);
}

static void test_evaluation(void **state) {
    (void)state;
    subject s = subject_make(2, 0, "label_smoothing=0.1 importance_weight=0.1");
    const tgr_parameters *parameters = tgr_model_parameters(s.scene.student);
    for (int64_t count = 1; count <= 4 * BATCH; count += 6) {
        double total = NAN, expected = NAN;
        int64_t correct = -1, right = 0;
        assert_status(TGR_OK, tgr_loss_evaluate(s.scene.loss, s.scene.images, labels, count, &total, &correct));
        assert_status(TGR_OK, tgr_model_forward(s.scene.student, TGR_EVAL, s.scene.images, count));
        assert_status(TGR_OK, tgr_loss_compute(s.scene.loss, labels, &expected));
        const float *logits = test_logits(s.scene.student);
        FOR(i, count) {
            int larger = 0;
            for (int c = 0; c < CLASSES; c++) larger += logits[i * CLASSES + c] > logits[i * CLASSES + labels[i]];
            right += larger == 0;
        }
        assert_close(total, expected, 0);
        assert_int_equal(correct, right);
        assert_int_equal(tgr_model_batch(s.scene.student), count);
    }
    assert_status(TGR_OK, tgr_loss_evaluate(s.scene.loss, s.scene.images, labels, 2, NULL, NULL));
    assert_int_equal(parameters->micro, 0);
    assert_int_equal(parameters->step, 0);
    subject_free(&s);
}

/* Of equal logits the first is the answer. */
static void test_ties_go_to_the_first(void **state) {
    (void)state;
    subject s = subject_make(1, 0, "");
    tgr_parameters *parameters = tgr_model_parameters(s.scene.student);
    static const char *const names[] = {"head.weight", "head.bias"};
    int64_t correct = -1;
    for (int i = 0; i < 2; i++) {
        const int64_t index = tgr_parameters_find(parameters, names[i]);
        memset(tgr_value(parameters, index), 0, (size_t)parameters->tensors[index].count * sizeof(float));
    }
    assert_status(TGR_OK, tgr_loss_evaluate(s.scene.loss, s.scene.images, labels, 4 * BATCH, NULL, &correct));
    assert_int_equal(correct, 5); /* labels that are 0 */
    subject_free(&s);
}

static void check_cleared(const tgr_parameters *parameters) {
    assert_int_equal(parameters->micro, 0);
    FOR(i, parameters->floats) assert_true(parameters->gradients[i] == 0);
}

/* A bad batch is as if it had never been: the good ones after it give the same bytes. */
static void test_a_bad_batch_is_forgotten(void **state) {
    (void)state;
    subject a = subject_make(1, 1, GUIDED "guidance_start=0"), b = subject_make(1, 1, GUIDED "guidance_start=0");
    float *bad = test_images(a.scene.student, BATCH, 8);
    bad[3 * IMAGE] = NAN;
    const tgr_batch good = batch_of(&a, 0, BATCH);
    tgr_batch not_finite = good;
    not_finite.images = bad;
    double total = 42;
    assert_status(TGR_OK, tgr_loss_accumulate(a.scene.loss, &good, NULL)); /* goes with the bad one */
    assert_true(tgr_teacher_parameters(a.scene.teacher)->micro == 1);
    assert_fails(TGR_ERROR_NONFINITE, "the term", tgr_loss_accumulate(a.scene.loss, &not_finite, &total));
    check_cleared(tgr_model_parameters(a.scene.student));
    check_cleared(tgr_teacher_parameters(a.scene.teacher));
    assert_fails(TGR_ERROR_NONFINITE, "the term", tgr_loss_step(a.scene.loss, a.optimizer, bad, labels, BATCH, &total));
    assert_close(total, 42, 0);
    check_same(&a, &b);
    assert_fails(TGR_ERROR_STATE, "no backward", tgr_loss_update(a.scene.loss, a.optimizer));
    assert_status(TGR_OK, tgr_loss_step(a.scene.loss, a.optimizer, a.scene.images, labels, BATCH, NULL));
    assert_status(TGR_OK, tgr_loss_step(b.scene.loss, b.optimizer, b.scene.images, labels, BATCH, NULL));
    check_same(&a, &b);
    free(bad);
    subject_free(&a);
    subject_free(&b);
}

/* Losses are finite, a gradient is not: the teacher's gradients go with the model's. */
static void test_a_bad_gradient_is_forgotten(void **state) {
    (void)state;
    subject a = subject_make(1, 1, GUIDED "guidance_start=0"), b = subject_make(1, 1, GUIDED "guidance_start=0");
    const tgr_batch batch = batch_of(&a, 0, BATCH);
    assert_status(TGR_OK, tgr_loss_accumulate(a.scene.loss, &batch, NULL));
    tgr_gradient(tgr_model_parameters(a.scene.student), 0)[0] = INFINITY;
    assert_fails(TGR_ERROR_NONFINITE, "norm is inf", tgr_loss_update(a.scene.loss, a.optimizer));
    check_same(&a, &b);
    subject_free(&a);
    subject_free(&b);
}

/* What is wrong with the arguments is found before anything runs. */
static void test_bad_arguments_change_nothing(void **state) {
    (void)state;
    subject s = subject_make(1, 1, GUIDED "guidance_start=0"), other = subject_make(1, 0, "");
    tgr_loss *loss = s.scene.loss;
    tgr_optimizer *optimizer = s.optimizer;
    const float *images = s.scene.images;
    const int32_t wrong[BATCH] = {0, 1, 5, 0, 0};
    static const int64_t ids[BATCH] = {0, 1, 2, 3, -1};
    const tgr_batch good = batch_of(&s, 0, BATCH);
    tgr_batch bad;
    double total = 42;
    int64_t correct = 42;
    assert_status(TGR_OK, tgr_loss_accumulate(loss, &good, NULL));
    const tgr_parameters *parameters = tgr_model_parameters(s.scene.student);
    const size_t bytes = (size_t)parameters->floats * sizeof(float);
    float *gradients = malloc(bytes);
    assert_non_null(gradients);
    memcpy(gradients, parameters->gradients, bytes);
    const uint64_t passes = tgr_model_passes(s.scene.student);

    assert_fails(TGR_ERROR_ARGUMENT, "'loss'", tgr_loss_step(NULL, optimizer, images, labels, BATCH, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "'optimizer'", tgr_loss_step(loss, NULL, images, labels, BATCH, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "other parameters",
                 tgr_loss_step(loss, other.optimizer, images, labels, BATCH, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "'images'", tgr_loss_step(loss, optimizer, NULL, labels, BATCH, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "'labels'", tgr_loss_step(loss, optimizer, images, NULL, BATCH, &total));
    assert_fails(TGR_ERROR_RANGE, "'batch' is 0", tgr_loss_step(loss, optimizer, images, labels, 0, &total));
    assert_fails(TGR_ERROR_OVERFLOW, "images", tgr_loss_step(loss, optimizer, images, labels, INT64_MAX, &total));
    assert_fails(TGR_ERROR_OVERFLOW, "images", tgr_loss_evaluate(loss, images, labels, INT64_MAX, &total, NULL));
    assert_fails(TGR_ERROR_RANGE, "labels[2] is 5", tgr_loss_step(loss, optimizer, images, wrong, BATCH, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "'loss'", tgr_loss_accumulate(NULL, &good, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "'batch'", tgr_loss_accumulate(loss, NULL, &total));
    bad = good, bad.images = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "'batch->images'", tgr_loss_accumulate(loss, &bad, &total));
    bad = good, bad.count = -1;
    assert_fails(TGR_ERROR_RANGE, "'batch->count' is -1", tgr_loss_accumulate(loss, &bad, &total));
    bad = good, bad.labels = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "both NULL", tgr_loss_accumulate(loss, &bad, &total));
    bad = good, bad.targets = images;
    assert_fails(TGR_ERROR_ARGUMENT, "both given", tgr_loss_accumulate(loss, &bad, &total));
    bad.labels = NULL;
    assert_fails(TGR_ERROR_RANGE, "targets[0]", tgr_loss_accumulate(loss, &bad, &total));
    bad = good, bad.ids = ids;
    assert_fails(TGR_ERROR_RANGE, "ids[4] is -1", tgr_loss_accumulate(loss, &bad, &total));
    bad = good, bad.struct_size = 8;
    assert_fails(TGR_ERROR_RANGE, "struct_size", tgr_loss_accumulate(loss, &bad, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "'loss'", tgr_loss_update(NULL, optimizer));
    assert_fails(TGR_ERROR_ARGUMENT, "'optimizer'", tgr_loss_update(loss, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "other parameters", tgr_loss_update(loss, other.optimizer));
    assert_fails(TGR_ERROR_ARGUMENT, "'loss'", tgr_loss_evaluate(NULL, images, labels, 1, &total, &correct));
    assert_fails(TGR_ERROR_ARGUMENT, "'images'", tgr_loss_evaluate(loss, NULL, labels, 1, &total, &correct));
    assert_fails(TGR_ERROR_ARGUMENT, "'labels'", tgr_loss_evaluate(loss, images, NULL, 1, &total, &correct));
    assert_fails(TGR_ERROR_RANGE, "'batch' is -3", tgr_loss_evaluate(loss, images, labels, -3, &total, &correct));
    assert_fails(TGR_ERROR_RANGE, "labels[2] is 5", tgr_loss_evaluate(loss, images, wrong, 3, &total, &correct));
    assert_true(total == 42 && correct == 42);
    assert_int_equal(tgr_model_passes(s.scene.student), passes);
    assert_int_equal(parameters->micro, 1);
    assert_same_bytes(parameters->gradients, gradients, bytes);
    free(gradients);
    subject_free(&s);
    subject_free(&other);
}

static void test_a_model_without_a_head_needs_an_own_loss(void **state) {
    (void)state;
    subject s = subject_make(1, 1, "classes=0");
    double total = 42;
    assert_fails(TGR_ERROR_STATE, "classes is 0",
                 tgr_loss_step(s.scene.loss, s.optimizer, s.scene.images, labels, BATCH, &total));
    assert_fails(TGR_ERROR_STATE, "classes is 0",
                 tgr_loss_evaluate(s.scene.loss, s.scene.images, labels, BATCH, &total, NULL));
    assert_close(total, 42, 0);
    subject_free(&s);
}

/* Without memory for a larger batch, gradients summed so far stay, and a smaller one can follow. */
static tgr_status step_with_little_memory(const tgr_allocator *allocator, void *user) {
    subject s = {0};
    (void)user;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&s.scene.context, allocator));
    TGR_TRY_DONE(test_model_create(&s.scene.backbone, s.scene.context, BACKBONE));
    TGR_TRY_DONE(test_model_create(&s.scene.student, s.scene.context, STUDENT));
    TGR_TRY_DONE(tgr_teacher_create(&s.scene.teacher, s.scene.backbone, s.scene.student));
    TGR_TRY_DONE(tgr_loss_create(&s.scene.loss, s.scene.student, s.scene.teacher));
    tgr_parameters *parameters = tgr_model_parameters(s.scene.student);
    TGR_TRY_DONE(tgr_optimizer_create(&s.optimizer, tgr_model_config(s.scene.student), parameters));
    s.scene.images = test_images(s.scene.student, BATCH, 6);
    for (int64_t count = 1; count <= BATCH; count += 2) {
        const tgr_batch batch = batch_of(&s, 0, count);
        const int64_t micro = tgr_parameters_micro_count(parameters);
        status = tgr_loss_accumulate(s.scene.loss, &batch, NULL);
        assert_int_equal(tgr_parameters_micro_count(parameters), micro + (status == TGR_OK));
        TGR_TRY_DONE(status);
    }
    TGR_TRY_DONE(tgr_loss_update(s.scene.loss, s.optimizer));
    const int64_t before = tgr_context_allocation_count(s.scene.context);
    assert_status(TGR_OK, tgr_loss_step(s.scene.loss, s.optimizer, s.scene.images, labels, BATCH, NULL));
    assert_int_equal(tgr_context_allocation_count(s.scene.context), before); /* no more memory is needed */
done:
    subject_free(&s);
    return status;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    assert_true(test_each_allocation_failing(step_with_little_memory, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_is_the_loop),
        cmocka_unit_test(test_micro_batches_add_up),
        cmocka_unit_test(test_soft_labels_and_ids),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_ties_go_to_the_first),
        cmocka_unit_test(test_a_bad_batch_is_forgotten),
        cmocka_unit_test(test_a_bad_gradient_is_forgotten),
        cmocka_unit_test(test_bad_arguments_change_nothing),
        cmocka_unit_test(test_a_model_without_a_head_needs_an_own_loss),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("loss_step", tests, NULL, NULL);
}
