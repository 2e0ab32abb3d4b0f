/* SPDX-License-Identifier: MIT */
/* Cross-entropy against plain double precision, and the loss handle on small real models: terms, order of calls, own
 * losses, failures. Guidance is tested with the teacher. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/parameters.h"
#include "loss/cross_entropy.h"
#include "loss/loss.h"
#include "model_support.h"

enum { BATCH = 3, CLASSES = 5, IMAGE = 3 * 8 * 8, TOKENS = 5, DIM = 16 };

#define SIZES  "image_size=8 patch_size=4 classes=5 embed_dim=16 depth=2 heads=2 "
#define SPARSE "experts=4 moe_blocks=1,2 "

typedef struct scene {
    tgr_context *context;
    tgr_model *model;
    tgr_loss *loss;
    tgr_parameters *parameters;
    float *images; /* [BATCH, 3, 8, 8] */
} scene;

static scene scene_make(int threads, const char *settings) {
    scene s = {.context = test_context(threads, 11)};
    test_random random = test_random_start(4);
    char options[256];
    snprintf(options, sizeof options, SIZES "%s%s", strstr(settings, "method=") ? SPARSE : "", settings);
    assert_status(TGR_OK, test_model_create(&s.model, s.context, options));
    assert_status(TGR_OK, tgr_loss_create(&s.loss, s.model, NULL));
    s.parameters = tgr_model_parameters(s.model);
    s.images = test_random_floats(&random, BATCH * IMAGE);
    /* Weights that make a difference: logits of some size, routers that choose. */
    FOR(i, s.parameters->tensor_count)
        FOR(j, s.parameters->tensors[i].count)
            tgr_value(s.parameters, i)[j] += (float)test_random_uniform(&random, -0.2, 0.2);
    return s;
}

static void scene_free(scene *s) {
    free(s->images);
    tgr_loss_free(s->loss);
    tgr_model_free(s->model);
    tgr_context_free(s->context);
}

static double term(const tgr_loss *loss, const char *name) {
    double value = NAN;
    assert_status(TGR_OK, tgr_loss_term_value(loss, name, &value));
    return value;
}

static const int32_t labels[BATCH] = {4, 0, 2};

/* -Σ q log softmax(l), mean over rows, as the books have it. */
static double naive(const double *logits, const double *q, int64_t batch, int64_t classes) {
    double loss = 0;
    FOR(i, batch) {
        double most = logits[i * classes], sum = 0;
        FOR(c, classes) most = fmax(most, logits[i * classes + c]);
        FOR(c, classes) sum += exp(logits[i * classes + c] - most);
        FOR(c, classes) loss -= q[i * classes + c] * (logits[i * classes + c] - most - log(sum)) / (double)batch;
    }
    return loss;
}

static void check_cross_entropy(int64_t batch, int64_t classes, double smoothing, int soft, double size) {
    tgr_context *context = test_context(2, 1);
    test_random random = test_random_start((uint64_t)(batch * 31 + classes));
    int64_t count = batch * classes;
    float *logits = test_random_floats(&random, count), *targets = calloc((size_t)count, sizeof *targets);
    float *gradient = test_random_floats(&random, count), *expected = test_random_floats(&random, count);
    double *wide = calloc((size_t)count, sizeof *wide), *q = calloc((size_t)count, sizeof *q);
    double *rows = calloc((size_t)batch, sizeof *rows);
    int32_t *hard = calloc((size_t)batch, sizeof *hard);
    assert_true(targets && wide && q && rows && hard);
    FOR(i, batch) {
        hard[i] = (int32_t)test_random_integer(&random, 0, classes - 1);
        double share = test_random_uniform(&random, 0, 1);
        targets[i * classes + hard[i]] += (float)share; /* Mixup of two images, perhaps of one class */
        targets[i * classes + test_random_integer(&random, 0, classes - 1)] += (float)(1.0009 - share); /* about one */
        FOR(c, classes) {
            logits[i * classes + c] *= (float)size;
            wide[i * classes + c] = logits[i * classes + c];
            double target = soft ? (double)targets[i * classes + c] : c == hard[i];
            q[i * classes + c] = (1 - smoothing) * target + smoothing / (double)classes;
        }
    }
    tgr_cross_entropy task = {batch, classes, logits, soft ? NULL : hard, targets, smoothing, gradient, rows};
    assert_status(TGR_OK, tgr_cross_entropy_check(&task));
    double value = tgr_cross_entropy_run(&context->compute, &task), right = naive(wide, q, batch, classes);
    assert_close(value, right, 1e-12 * (1 + fabs(right)));
    const int smooth = count < 2000 && size < 1000;
    for (int64_t j = 0; j < count && smooth; j++) { /* central differences, in double */
        double kept = wide[j], step = 1e-4;
        wide[j] = kept + step;
        double up = naive(wide, q, batch, classes);
        wide[j] = kept - step;
        expected[j] = (float)((up - naive(wide, q, batch, classes)) / (2 * step));
        wide[j] = kept;
    }
    if (smooth) assert_all_close(gradient, expected, count, 1e-7, 1e-5);
    task.gradient = NULL;
    assert_true(tgr_cross_entropy_run(&context->compute, &task) == value);
    free(hard);
    free(rows);
    free(q);
    free(wide);
    free(expected);
    free(gradient);
    free(targets);
    free(logits);
    tgr_context_free(context);
}

static void test_cross_entropy(void **unused) {
    (void)unused;
    const double smoothings[] = {0, 0.1, 0.999};
    for (int s = 0; s < 3; s++)
        for (int soft = 0; soft < 2; soft++) {
            check_cross_entropy(7, 10, smoothings[s], soft, 3);
            check_cross_entropy(1, 2, smoothings[s], soft, 1);
            check_cross_entropy(4, 1, smoothings[s], soft, 1);
            check_cross_entropy(33, 1000, smoothings[s], soft, 5);
            check_cross_entropy(5, 6, smoothings[s], soft, 50);
            check_cross_entropy(5, 6, smoothings[s], soft, 1e30);
        }
}

static void test_extreme_logits(void **unused) {
    (void)unused;
    tgr_context *context = test_context(1, 1);
    float gradient[3];
    double row = 0;
    const int32_t label = 1;
    float excluded[3] = {-INFINITY, 2, 2}, lost[3] = {0, -INFINITY, 0}, broken[3] = {0, 1, NAN},
          huge[3] = {INFINITY, 0};
    tgr_cross_entropy task = {1, 3, excluded, &label, NULL, 0, gradient, &row};
    assert_close(tgr_cross_entropy_run(&context->compute, &task), log(2), 1e-15);
    assert_true(gradient[0] == 0 && gradient[1] == -0.5f && gradient[2] == 0.5f);
    task.logits = lost;
    assert_true(tgr_cross_entropy_run(&context->compute, &task) == INFINITY);
    task.logits = broken;
    assert_true(isnan(tgr_cross_entropy_run(&context->compute, &task)));
    task.logits = huge;
    assert_false(isfinite(tgr_cross_entropy_run(&context->compute, &task)));
    tgr_context_free(context);
}

static void test_value_is_of_the_models_logits(void **unused) {
    (void)unused;
    static const char *const settings[] = {"depth=2", "label_smoothing=0.2", "distillation_token=1"};
    for (int k = 0; k < 3; k++) {
        scene s = scene_make(2, settings[k]);
        double smoothing = k == 1 ? 0.2 : 0, total = 0, soft_total = 0, wide[BATCH * CLASSES], q[BATCH * CLASSES];
        const float *logits = NULL;
        float targets[BATCH * CLASSES] = {0};
        assert_status(TGR_OK, tgr_model_forward(s.model, TGR_EVAL, s.images, BATCH));
        assert_status(TGR_OK, tgr_model_logits(s.model, &logits));
        for (int j = 0; j < BATCH * CLASSES; j++) {
            targets[j] = j % CLASSES == labels[j / CLASSES];
            wide[j] = logits[j];
            q[j] = (1 - smoothing) * targets[j] + smoothing / CLASSES;
        }
        assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
        assert_close(total, naive(wide, q, BATCH, CLASSES), 1e-12);
        assert_true(total == term(s.loss, "task"));
        assert_status(TGR_OK, tgr_loss_compute_soft(s.loss, targets, &soft_total));
        assert_true(total == soft_total);
        assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
        scene_free(&s);
    }
}

static void test_terms(void **unused) {
    (void)unused;
    scene s = scene_make(1, "method=vmoe switch_weight=0.5 z_weight=0.25");
    const char *name = NULL;
    double value = 0, total = 0, sum = 0, layers = 0;
    int64_t count = tgr_loss_term_count(s.loss);
    assert_int_equal(count, 4);
    assert_true(term(s.loss, "aux") == 0);
    for (int round = 0; round < 2; round++) {
        assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
        count = tgr_loss_term_count(s.loss);
        assert_int_equal(count, 8);
        sum = layers = 0;
        for (int64_t i = 4; i < count; i++) {
            assert_status(TGR_OK, tgr_loss_term(s.loss, i, &name, &value));
            assert_true(value == term(s.loss, name) && value > 0);
            sum += value;
        }
        FOR(layer, 2) {
            const tgr_routing *routing = NULL;
            assert_status(TGR_OK, tgr_model_routing(s.model, layer, &routing));
            int64_t terms = tgr_routing_term_count(routing);
            assert_int_equal(terms, 4);
            FOR(i, terms) {
                assert_status(TGR_OK, tgr_routing_term(routing, i, &name, &value));
                if (strcmp(name, "z") == 0) layers += value;
            }
        }
        assert_close(term(s.loss, "aux"), sum, 1e-12);
        assert_close(term(s.loss, "z"), layers, 1e-12);
        assert_close(total, term(s.loss, "task") + sum, 1e-12);
        assert_true(term(s.loss, "distill") == 0 && term(s.loss, "teacher") == 0);
    }
    assert_fails(TGR_ERROR_RANGE, "8 terms", tgr_loss_term(s.loss, 8, &name, &value));
    assert_fails(TGR_ERROR_RANGE, "-1", tgr_loss_term(s.loss, -1, NULL, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "magic", tgr_loss_term_value(s.loss, "magic", &value));
    scene_free(&s);
}

static void test_bad_labels(void **unused) {
    (void)unused;
    scene s = scene_make(1, "");
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    const int32_t high[BATCH] = {0, 5, 1}, low[BATCH] = {0, 1, -1};
    double total = 42;
    assert_fails(TGR_ERROR_RANGE, "labels[1] is 5; it must be 0 to 4", tgr_loss_compute(s.loss, high, &total));
    assert_fails(TGR_ERROR_RANGE, "labels[2] is -1", tgr_loss_compute(s.loss, low, &total));
    static const struct {
        float value;
        const char *message;
    } rows[] = {{-0.1f, "targets[1][2] is -0.1"},
                {NAN, "targets[1][2] is"},
                {INFINITY, "targets[1][2] is inf"},
                {0.01f, "targets[1] has the sum 1.01"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float targets[BATCH * CLASSES] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
        targets[CLASSES + 2] = rows[i].value;
        assert_fails(TGR_ERROR_RANGE, rows[i].message, tgr_loss_compute_soft(s.loss, targets, &total));
    }
    const float nothing[BATCH * CLASSES] = {0}, nearly[BATCH * CLASSES] = {0.9995f, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    assert_fails(TGR_ERROR_RANGE, "targets[0] has the sum 0", tgr_loss_compute_soft(s.loss, nothing, &total));
    assert_true(total == 42);
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_loss_compute_soft(s.loss, nearly, &total));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    scene_free(&s);
}

static void test_order_of_calls(void **unused) {
    (void)unused;
    scene s = scene_make(1, "method=vmoe");
    double total = 42;
    assert_fails(TGR_ERROR_STATE, "forward", tgr_loss_compute(s.loss, labels, &total));
    assert_fails(TGR_ERROR_STATE, "forward", tgr_loss_compute_own(s.loss, 1, s.images, NULL, &total));
    assert_true(total == 42);
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_EVAL, s.images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &total));
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    assert_int_equal(s.parameters->micro, 1);
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL)); /* readable again, not differentiable again */
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH - 1));
    assert_fails(TGR_ERROR_STATE, "run again", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_EVAL, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "run again", tgr_loss_backward(s.loss));
    assert_int_equal(s.parameters->micro, 1);
    scene_free(&s);
}

/* The gradients of one pass after `computes` calls of compute, of which the last one counts. */
static void gradients_after(int threads, int computes, int own, float *gradients, int64_t most) {
    scene s = scene_make(threads, "method=vmoe label_smoothing=0.1");
    const int32_t others[BATCH] = {1, 1, 1};
    float logits_gradient[BATCH * CLASSES];
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    for (int i = 0; i < computes; i++)
        assert_status(TGR_OK, tgr_loss_compute(s.loss, i + 1 < computes ? others : labels, NULL));
    if (own) {
        double total = 0;
        memcpy(logits_gradient, s.loss->gradient, sizeof logits_gradient);
        assert_status(TGR_OK, tgr_loss_compute_own(s.loss, 2.5, logits_gradient, NULL, &total));
        assert_true(term(s.loss, "task") == 2.5 && term(s.loss, "aux") > 0);
        assert_close(total, 2.5 + term(s.loss, "aux"), 1e-12);
    }
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    assert_true(s.parameters->floats <= most);
    memcpy(gradients, s.parameters->gradients, (size_t)s.parameters->floats * sizeof(float));
    scene_free(&s);
}

static void test_computing_is_repeatable(void **unused) {
    (void)unused;
    enum { MOST = 100000 };
    float *first = calloc(MOST, sizeof *first), *again = calloc(MOST, sizeof *again);
    assert_true(first && again);
    gradients_after(1, 1, 0, first, MOST);
    gradients_after(2, 1, 0, again, MOST);
    assert_same_bytes(again, first, MOST * sizeof *first);
    gradients_after(2, 3, 0, again, MOST);
    assert_same_bytes(again, first, MOST * sizeof *first);
    gradients_after(1, 1, 1, again, MOST);
    assert_same_bytes(again, first, MOST * sizeof *first);
    free(first);
    free(again);
}

static double total_of(scene *s) {
    double total = NAN;
    assert_status(TGR_OK, tgr_model_forward(s->model, TGR_TRAIN, s->images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s->loss, labels, &total));
    return total;
}

/* Along a random direction, tensor by tensor. Without noise, so that only the smooth parts move. */
static void test_gradient_by_differences(void **unused) {
    (void)unused;
    scene s = scene_make(2, "method=vmoe router_noise=0 load_weight=0 label_smoothing=0.1 importance_weight=0.5");
    test_random random = test_random_start(77);
    (void)total_of(&s);
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    FOR(i, s.parameters->tensor_count) {
        const tgr_tensor *tensor = &s.parameters->tensors[i];
        float *value = tgr_value(s.parameters, i), *gradient = tgr_gradient(s.parameters, i);
        float *kept = malloc((size_t)tensor->count * sizeof(float)), *way = test_random_floats(&random, tensor->count);
        assert_non_null(kept);
        memcpy(kept, value, (size_t)tensor->count * sizeof(float));
        double slope = 0, up = 0, down = 0, step = 2e-3 / sqrt((double)tensor->count);
        FOR(j, tensor->count) slope += (double)gradient[j] * way[j];
        FOR(j, tensor->count) value[j] = (float)(kept[j] + step * way[j]);
        up = total_of(&s);
        FOR(j, tensor->count) value[j] = (float)(kept[j] - step * way[j]);
        down = total_of(&s);
        memcpy(value, kept, (size_t)tensor->count * sizeof(float));
        if (!(fabs((up - down) / (2 * step) - slope) <= 2e-3 + 2e-2 * fabs(slope)))
            print_error("in %s:\n", tensor->name);
        assert_close((up - down) / (2 * step), slope, 2e-3 + 2e-2 * fabs(slope));
        free(kept);
        free(way);
    }
    scene_free(&s);
}

static void test_own_loss(void **unused) {
    (void)unused;
    scene s = scene_make(1, "classes=0");
    float *features_gradient = calloc(BATCH * TOKENS * DIM, sizeof(float));
    assert_non_null(features_gradient);
    features_gradient[3] = 1;
    double total = 42;
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_EVAL, s.images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute_own(s.loss, 0.5, NULL, NULL, &total));
    assert_true(total == 0.5);
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "no head", tgr_loss_compute(s.loss, labels, &total));
    assert_fails(TGR_ERROR_STATE, "no head", tgr_loss_compute_soft(s.loss, s.images, &total));
    assert_fails(TGR_ERROR_STATE, "no head", tgr_loss_compute_own(s.loss, 1, s.images, NULL, &total));
    assert_fails(TGR_ERROR_ARGUMENT, "both NULL", tgr_loss_compute_own(s.loss, 1, NULL, NULL, &total));
    assert_fails(TGR_ERROR_NONFINITE, "'task'", tgr_loss_compute_own(s.loss, NAN, NULL, features_gradient, &total));
    assert_true(isnan(term(s.loss, "task")) && total == 0.5);
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_loss_compute_own(s.loss, 1, NULL, features_gradient, &total));
    assert_status(TGR_ERROR_NONFINITE, tgr_loss_compute_own(s.loss, NAN, NULL, features_gradient, &total));
    assert_fails(TGR_ERROR_STATE, "no loss", tgr_loss_backward(s.loss)); /* the last compute counts */
    assert_status(TGR_OK, tgr_loss_compute_own(s.loss, 1, NULL, features_gradient, &total));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    int64_t index = tgr_parameters_find(s.parameters, "norm.bias");
    assert_true(tgr_gradient(s.parameters, index)[3] == 1 && tgr_gradient(s.parameters, index)[4] == 0);
    free(features_gradient);
    scene_free(&s);
}

static void test_nonfinite(void **unused) {
    (void)unused;
    static const struct {
        const char *tensor, *term;
        float value;
    } rows[] = {{"head.bias", "'task'", NAN},
                {"head.bias", "'task'", INFINITY},
                {"head.bias", "'task'", -INFINITY},
                {"cls_token", "is", NAN}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s = scene_make(1, "method=vmoe");
        double total = 42;
        int64_t index = tgr_parameters_find(s.parameters, rows[i].tensor);
        tgr_value(s.parameters, index)[2] = rows[i].value;
        assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
        assert_fails(TGR_ERROR_NONFINITE, rows[i].term, tgr_loss_compute(s.loss, labels, &total));
        assert_true(total == 42 && !isfinite(term(s.loss, "task")));
        assert_fails(TGR_ERROR_STATE, "successful compute", tgr_loss_backward(s.loss));
        assert_int_equal(s.parameters->micro, 0);
        FOR(j, s.parameters->floats) assert_true(s.parameters->gradients[j] == 0);
        scene_free(&s);
    }
}

/* A pass of the same size over other images must not be differentiated by the loss of the one before. */
static void test_loss_of_an_earlier_pass(void **unused) {
    (void)unused;
    scene s = scene_make(1, "");
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_STATE, "has run again", tgr_loss_backward(s.loss));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    scene_free(&s);
}

static void test_misuse(void **unused) {
    (void)unused;
    scene s = scene_make(1, "");
    tgr_loss *loss = NULL;
    double value = 42;
    int64_t count = 42;
    assert_fails(TGR_ERROR_ARGUMENT, "out", tgr_loss_create(NULL, s.model, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "model", tgr_loss_create(&loss, NULL, NULL));
    assert_null(loss);
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_TRAIN, s.images, BATCH));
    assert_fails(TGR_ERROR_ARGUMENT, "loss", tgr_loss_compute(NULL, labels, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "labels", tgr_loss_compute(s.loss, NULL, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "loss", tgr_loss_compute_soft(NULL, s.images, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "targets", tgr_loss_compute_soft(s.loss, NULL, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "loss", tgr_loss_compute_own(NULL, 1, s.images, NULL, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "loss", tgr_loss_backward(NULL));
    assert_int_equal(tgr_loss_term_count(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "loss", tgr_loss_term(NULL, 0, NULL, NULL));
    assert_status(TGR_OK, tgr_loss_term(s.loss, 0, NULL, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "loss", tgr_loss_term_value(NULL, "task", &value));
    assert_fails(TGR_ERROR_ARGUMENT, "name", tgr_loss_term_value(s.loss, NULL, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "value", tgr_loss_term_value(s.loss, "task", NULL));
    assert_true(value == 42 && count == 42);
    tgr_loss_free(NULL);
    tgr_model_free(s.model); /* the loss keeps it */
    s.model = NULL;
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, &value));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    scene_free(&s);
}

static tgr_status create_and_train(const tgr_allocator *allocator, void *user) {
    const float *images = user;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    tgr_loss *loss = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(test_model_create(&model, context, SIZES SPARSE "method=vmoe"));
    TGR_TRY_DONE(tgr_loss_create(&loss, model, NULL));
    for (int64_t batch = 1; batch <= BATCH; batch++) {
        TGR_TRY_DONE(tgr_model_forward(model, TGR_TRAIN, images, batch));
        double total = 42;
        status = tgr_loss_compute(loss, labels, &total);
        if (status != TGR_OK) assert_true(total == 42);
        TGR_TRY_DONE(status);
        TGR_TRY_DONE(tgr_loss_backward(loss));
    }
    const int64_t before = tgr_context_allocation_count(context);
    TGR_TRY_DONE(tgr_model_forward(model, TGR_TRAIN, images, BATCH));
    TGR_TRY_DONE(tgr_loss_compute(loss, labels, NULL));
    TGR_TRY_DONE(tgr_loss_backward(loss));
    assert_int_equal(tgr_context_allocation_count(context), before); /* no more memory is needed */
done:
    tgr_loss_free(loss);
    tgr_model_free(model);
    tgr_context_free(context);
    return status;
}

static void test_allocations_fail(void **unused) {
    (void)unused;
    test_random random = test_random_start(4);
    float *images = test_random_floats(&random, BATCH * IMAGE);
    assert_true(test_each_allocation_failing(create_and_train, images) > 10);
    free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_extreme_logits),
        cmocka_unit_test(test_value_is_of_the_models_logits),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_bad_labels),
        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_computing_is_repeatable),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_own_loss),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_loss_of_an_earlier_pass),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
