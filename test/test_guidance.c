/* SPDX-License-Identifier: MIT */
/* Guidance in training: the window's edges, the KL and whom it reaches, what trains and what never changes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "teacher_support.h"

static const int32_t labels[BATCH] = {4, 0, 2, 2, 1};

/* Forward of both and the loss, without a task: what is left is guidance. */
static double distill_total(test_scene *s) {
    static const float nothing[BATCH * 5] = {0};
    double total = NAN;
    assert_status(TGR_OK, tgr_model_forward(s->student, TGR_TRAIN, s->images, BATCH));
    assert_status(TGR_OK, tgr_teacher_forward(s->teacher, TGR_TRAIN, s->images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute_own(s->loss, 0, nothing, NULL, &total));
    return total;
}

static tgr_status set_window(tgr_config *config, double start, double end, int64_t total) {
    TGR_TRY(tgr_config_set_f64(config, TGR_OPTION_GUIDANCE_START, start));
    TGR_TRY(tgr_config_set_f64(config, TGR_OPTION_GUIDANCE_END, end));
    return tgr_config_set_i64(config, TGR_OPTION_TOTAL_STEPS, total);
}

static void test_window_edges(void **unused) {
    (void)unused;
    static const struct {
        double start, end;
        int64_t total;
        uint64_t first, last; /* first ≤ step < last */
    } rows[] = {{0, 1, 10, 0, 10},
                {0, 1, 0, 0, UINT64_MAX},
                {0, 0.5, 10, 0, 5},
                {0, 0.5, 7, 0, 4}, /* 3 < 3.5 */
                {0.5, 1, 7, 4, 7},
                {0.5, 1, 1, 1, 1},
                {0, 0.5, 1, 0, 1},
                {0, 1.0 / 3, 7, 0, 3},
                {1.0 / 3, 2.0 / 3, 7, 3, 5},
                {1.0 / 3, 2.0 / 3, 9, 3, 6},
                {0.07, 0.57, 100, 7, 57}, /* neither product is whole in floating point */
                {0.29, 0.58, 100, 29, 58},
                {0.1, 0.3, 30, 3, 9},
                {0.5, 0.5, 10, 5, 5},
                {0, 0, 10, 0, 0},
                {1, 1, 10, 10, 10},
                {0.001, 0.999, 4294967295, 4294968, 4290672328},
                {0, 1, 4294967295, 0, 4294967295}};
    tgr_context *context = test_context(1, 1);
    tgr_window window;
    tgr_config *config = test_config(context, "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_status(TGR_OK, set_window(config, rows[i].start, rows[i].end, rows[i].total));
        assert_status(TGR_OK, tgr_window_read(&window, config));
        assert_int_equal(window.first, rows[i].first);
        assert_int_equal(window.end, rows[i].last);
    }
    for (int64_t whole = 1; whole <= 120; whole++) { /* a/b of k·b steps is step k·a, however a/b is rounded */
        for (int64_t part = 0; part <= whole; part++) {
            const int64_t times = 1 + (whole * 7919 + part * 104729) % 1000000;
            assert_status(TGR_OK, set_window(config, (double)part / (double)whole, 1, whole * times));
            assert_status(TGR_OK, tgr_window_read(&window, config));
            assert_int_equal(window.first, part * times);
            assert_status(TGR_OK, set_window(config, (double)part / (double)whole, 1, whole * times + 1));
            assert_status(TGR_OK, tgr_window_read(&window, config));
            assert_int_equal(window.first, part * times + (part > 0)); /* not whole: rounded up */
            if (part == whole) assert_int_equal(window.first, whole * times + 1);
        }
    }
    assert_status(TGR_OK, set_window(config, 0.6, 0.5, 10));
    assert_fails(TGR_ERROR_RANGE, "0.6", tgr_window_read(&window, config));
    assert_status(TGR_OK, set_window(config, 0, 0.5, 0));
    assert_fails(TGR_ERROR_RANGE, "total_steps", tgr_window_read(&window, config));
    assert_status(TGR_OK, set_window(config, 0.5, 1, 0));
    assert_fails(TGR_ERROR_RANGE, "total_steps", tgr_window_read(&window, config));
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_divergence_and_its_gradient(void **unused) {
    (void)unused;
    test_scene s = test_scene_make(2, "", "distill_weight=3");
    double total = distill_total(&s), expected = 0;
    FOR(i, LAYERS) {
        const tgr_routing *routing = tgr_moe_layer_routing(tgr_teacher_student_layer(s.teacher, i));
        const float *p = test_teacher_rows(s.teacher, i), *q = routing->scores.probabilities;
        FOR(j, routing->tokens * EXPERTS)
            expected += 3.0 / LAYERS * p[j] * log((double)p[j] / q[j]) / (double)routing->tokens;
    }
    assert_close(total, expected, 1e-6);
    assert_true(total > 0.05 && total == test_term(s.loss, "distill"));
    assert_true(test_term(s.loss, "teacher") > 0 && test_term(s.loss, "aux") == 0 && test_term(s.loss, "task") == 0);

    /* (weight / |S|) (q - p) / T at every logit: there is no task, so nothing else may be there. */
    FOR(i, LAYERS) { /* computing has added nothing yet */
        const tgr_routing *routing = tgr_moe_layer_routing(tgr_teacher_student_layer(s.teacher, i));
        FOR(j, routing->tokens * EXPERTS) assert_true(routing->losses.dlogits[j] == 0);
    }
    tgr_teacher_backward(s.teacher);
    int64_t unselected = 0;
    FOR(i, LAYERS) {
        const tgr_routing *routing = tgr_moe_layer_routing(tgr_teacher_student_layer(s.teacher, i));
        const float *p = test_teacher_rows(s.teacher, i);
        FOR(j, routing->tokens * EXPERTS) {
            double slope = 3.0 / LAYERS * ((double)routing->scores.probabilities[j] - p[j]) / (double)routing->tokens;
            assert_close(routing->losses.dlogits[j], slope, 1e-8);
            unselected += routing->choices.experts[j / EXPERTS] != j % EXPERTS && fabs(slope) > 1e-4;
        }
    }
    assert_true(unselected > LAYERS * BATCH);
    test_scene_free(&s);
}

/* Through the whole student, by finite differences: routers are reached, and all that feeds them. */
static void test_gradient_by_differences(void **unused) {
    (void)unused;
    static const char *const settings[] = {"", "teacher_layers=4 teacher_feature=block_output distillation_token=1"};
    for (int k = 0; k < 2; k++) {
        test_scene s = test_scene_make(2, "", settings[k]);
        tgr_parameters *parameters = test_model_parameters(s.student);
        (void)distill_total(&s);
        assert_status(TGR_OK, tgr_loss_backward(s.loss));
        FOR(i, parameters->tensor_count) {
            const tgr_tensor *tensor = &parameters->tensors[i];
            if (strstr(tensor->name, "router") == NULL && strstr(tensor->name, "blocks.0") == NULL) continue;
            test_random random = test_random_start((uint64_t)i);
            float *value = tgr_value(parameters, i), *way = test_random_floats(&random, tensor->count);
            float *kept = malloc((size_t)tensor->count * sizeof(float));
            assert_non_null(kept);
            memcpy(kept, value, (size_t)tensor->count * sizeof(float));
            double slope = 0, step = 1e-3 / sqrt((double)tensor->count), change = 0;
            FOR(j, tensor->count) slope += (double)tgr_gradient(parameters, i)[j] * way[j];
            for (int sign = -1; sign <= 1; sign += 2) {
                FOR(j, tensor->count) value[j] = (float)(kept[j] + sign * step * way[j]);
                change += sign * distill_total(&s);
            }
            memcpy(value, kept, (size_t)tensor->count * sizeof(float));
            if (!(fabs(change / (2 * step) - slope) <= 3e-3 + 3e-2 * fabs(slope)))
                print_error("in %s:\n", tensor->name);
            assert_close(change / (2 * step), slope, 3e-3 + 3e-2 * fabs(slope));
            if (strstr(tensor->name, "router") != NULL)
                FOR(e, EXPERTS) { /* every expert's row */
                    double norm = 0;
                    FOR(d, tensor->dims[1]) norm += fabs(tgr_gradient(parameters, i)[e * tensor->dims[1] + d]);
                    assert_true(norm > 1e-3);
                }
            free(way);
            free(kept);
        }
        test_scene_free(&s);
    }
}

/* One step of a training loop as a host writes it. */
static void train_step(test_scene *s, tgr_optimizer *optimizer, const float *images, double *total) {
    assert_status(TGR_OK, tgr_model_forward(s->student, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_teacher_forward(s->teacher, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s->loss, labels, total));
    assert_status(TGR_OK, tgr_loss_backward(s->loss));
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    assert_status(TGR_OK, tgr_teacher_step(s->teacher));
}

static tgr_optimizer *student_optimizer(test_scene *s) {
    tgr_optimizer *optimizer = NULL;
    const tgr_config *config = tgr_model_config(s->student);
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(s->student)));
    return optimizer;
}

static float *copy_of(const float *values, int64_t count) {
    float *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    return memcpy(copy, values, (size_t)count * sizeof *copy);
}

/* The backbone never changes; joint routers do and get better at their objective; frozen ones never do. */
static void test_what_trains(void **unused) {
    (void)unused;
    for (int frozen = 0; frozen < 2; frozen++) {
        test_scene s = test_scene_make(2, "", frozen ? "teacher_router=frozen lr=0.01" : "teacher_lr=0.02 lr=0.01");
        tgr_parameters *backbone = test_model_parameters(s.backbone), *routers = NULL;
        tgr_optimizer *optimizer = student_optimizer(&s);
        double rate = tgr_optimizer_learning_rate(tgr_teacher_router_optimizer(s.teacher));
        assert_true(rate == (frozen ? 0.01 : 0.02));
        routers = tgr_teacher_parameters(s.teacher);
        float *before = copy_of(backbone->values, backbone->floats), *first = copy_of(routers->values, routers->floats);
        double distill[2] = {0}, objective[2] = {0}, total = 0;
        uint64_t allocations[2] = {0};
        for (int step = 0; step < 60; step++) {
            train_step(&s, optimizer, s.images, &total);
            distill[step > 0] = test_term(s.loss, "distill");
            objective[step > 0] = test_term(s.loss, "teacher");
            assert_close(total, test_term(s.loss, "task") + test_term(s.loss, "distill"), 1e-9 * (1 + total));
            allocations[step > 0] = tgr_context_allocation_count(s.context);
        }
        assert_int_equal(allocations[0], allocations[1]);
        assert_true(distill[1] < 0.5 * distill[0]);
        assert_same_bytes(backbone->values, before, (size_t)backbone->floats * sizeof(float));
        FOR(j, backbone->floats) assert_true(backbone->gradients[j] == 0);
        assert_true(backbone->step == 0 && backbone->micro == 0);
        if (frozen) {
            assert_same_bytes(routers->values, first, (size_t)routers->floats * sizeof(float));
            assert_int_equal(routers->step, 0);
            FOR(j, routers->floats) assert_true(routers->gradients[j] == 0);
        } else {
            assert_true(objective[1] < 0.8 * objective[0]);
            FOR(i, LAYERS)
                assert_true(memcmp(tgr_value(routers, i), first + routers->tensors[i].offset,
                                   (size_t)routers->tensors[i].count * sizeof(float)) != 0);
            assert_int_equal(routers->step, 60);
        }
        free(before);
        free(first);
        tgr_optimizer_free(optimizer);
        test_scene_free(&s);
    }
}

/* The task's gradient never reaches the teacher routers: they move the same whatever the student is asked to learn. */
static void test_teacher_sees_no_task(void **unused) {
    (void)unused;
    float *gradients = NULL;
    for (int k = 0; k < 2; k++) {
        test_scene s = test_scene_make(1, "", k == 0 ? "" : "label_smoothing=0.5 distill_weight=0.1");
        tgr_parameters *routers = tgr_teacher_router_weights(s.teacher);
        assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, s.images, BATCH));
        assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
        assert_status(TGR_OK, tgr_loss_backward(s.loss));
        assert_int_equal(routers->micro, 1);
        if (k == 0) gradients = copy_of(routers->gradients, routers->floats);
        assert_same_bytes(routers->gradients, gradients, (size_t)routers->floats * sizeof(float));
        test_scene_free(&s);
    }
    free(gradients);
}

/* Window [2, 4) of 8 steps, with one image batch a step. */
static void test_window_in_training(void **unused) {
    (void)unused;
    test_scene s = test_scene_make(1, "", "total_steps=8 guidance_start=0.25 guidance_end=0.5 lr=0.01");
    tgr_optimizer *optimizer = student_optimizer(&s);
    tgr_parameters *routers = tgr_teacher_router_weights(s.teacher);
    const float *p = NULL;
    for (int step = 0; step < 9; step++) {
        const int inside = step >= 2 && step < 4;
        double total = 0;
        float *before = copy_of(routers->values, routers->floats);
        int active = tgr_teacher_is_active(s.teacher);
        assert_int_equal(active, inside);
        /* In evaluation it runs at any step, and is part of an evaluation's loss, not of training's. */
        assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, BATCH));
        assert_status(TGR_OK, tgr_teacher_probabilities(s.teacher, 0, &p));
        assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
        assert_true(test_term(s.loss, "distill") > 0);
        train_step(&s, optimizer, s.images, &total);
        assert_int_equal(test_term(s.loss, "distill") > 0, inside);
        assert_int_equal(test_term(s.loss, "teacher") > 0, inside);
        if (!inside) assert_fails(TGR_ERROR_STATE, "window", tgr_teacher_probabilities(s.teacher, 0, &p));
        /* The last step inside counts, although the student is outside by the time of tgr_teacher_step. */
        assert_int_equal(memcmp(before, routers->values, (size_t)routers->floats * sizeof(float)) != 0, inside);
        if (inside) assert_int_equal(routers->step, step + 1); /* where the student is in the schedule */
        free(before);
    }
    assert_int_equal(routers->step, 4);
    tgr_optimizer_free(optimizer);
    test_scene_free(&s);
}

static void test_what_the_loss_demands(void **unused) {
    (void)unused;
    test_scene s = test_scene_make(1, "", "");
    double total = 42;
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "tgr_teacher_forward", tgr_loss_compute(s.loss, labels, &total));
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_loss_compute(s.loss, labels, &total));
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH - 1));
    assert_fails(TGR_ERROR_SHAPE, "student's batch has 5 images, the teacher's 4",
                 tgr_loss_compute(s.loss, labels, &total));
    assert_true(total == 42);
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, BATCH)); /* between the two */
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_loss_backward(s.loss));
    assert_int_equal(test_model_parameters(s.student)->micro, 0);
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "guidance has changed", tgr_loss_backward(s.loss)); /* a pass of other numbers */
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, s.images, BATCH)); /* the teacher's is used up */
    assert_fails(TGR_ERROR_STATE, "tgr_teacher_forward", tgr_loss_compute(s.loss, labels, &total));
    /* In evaluation the teacher may be absent, stale in mode or of another batch: there is no guidance then. */
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
    assert_true(test_term(s.loss, "distill") == 0 && total == test_term(s.loss, "task"));
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, BATCH + 1));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
    assert_true(test_term(s.loss, "distill") == 0);

    tgr_loss *loss = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "another student", tgr_loss_create(&loss, s.backbone, s.teacher));
    /* A teacher that is broken is told by its term. */
    tgr_value(tgr_teacher_router_weights(s.teacher), 1)[3] = NAN;
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, s.images, BATCH));
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_NONFINITE, "'distill'", tgr_loss_compute(s.loss, labels, &total));
    test_scene_free(&s);
}

/* Two halves accumulated are the mean of both; each guides and trains. */
static void test_accumulation(void **unused) {
    (void)unused;
    test_scene s = test_scene_make(1, "", "");
    tgr_parameters *routers = tgr_teacher_router_weights(s.teacher);
    float *gradients = calloc((size_t)routers->floats, sizeof *gradients);
    assert_non_null(gradients);
    for (int pass = 0; pass < 3; pass++) { /* first half, second half, then both */
        if (pass == 2) tgr_parameters_clear_gradients(routers);
        for (int half = pass == 2 ? 0 : pass; half <= (pass == 2 ? 1 : pass); half++) {
            const float *images = s.images + half * BATCH * IMAGE;
            assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, images, BATCH));
            assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, images, BATCH));
            assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
            assert_status(TGR_OK, tgr_loss_backward(s.loss));
        }
        if (pass == 2) break;
        FOR(j, routers->floats) gradients[j] += routers->gradients[j];
        tgr_parameters_clear_gradients(routers);
    }
    assert_int_equal(routers->micro, 2);
    assert_all_close(routers->gradients, gradients, routers->floats, 1e-9, 1e-6);
    free(gradients);
    test_scene_free(&s);
}

static void test_same_bytes_at_any_threads(void **unused) {
    (void)unused;
    float *student = NULL, *routers = NULL;
    FOR_THREADS(threads) {
        test_scene s = test_scene_make(threads, "", "router_noise=1 clip_norm=1");
        tgr_optimizer *optimizer = student_optimizer(&s);
        tgr_parameters *weights = test_model_parameters(s.student), *own = tgr_teacher_router_weights(s.teacher);
        for (int step = 0; step < 4; step++) train_step(&s, optimizer, s.images + step % 2 * BATCH * IMAGE, NULL);
        if (threads == 1) {
            student = copy_of(weights->values, weights->floats);
            routers = copy_of(own->values, own->floats);
        }
        assert_same_bytes(weights->values, student, (size_t)weights->floats * sizeof(float));
        assert_same_bytes(own->values, routers, (size_t)own->floats * sizeof(float));
        tgr_optimizer_free(optimizer);
        test_scene_free(&s);
    }
    free(student);
    free(routers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_edges),
        cmocka_unit_test(test_divergence_and_its_gradient),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_what_trains),
        cmocka_unit_test(test_teacher_sees_no_task),
        cmocka_unit_test(test_window_in_training),
        cmocka_unit_test(test_what_the_loss_demands),
        cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_same_bytes_at_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
