/* SPDX-License-Identifier: MIT */
/* StableMoE against its formulas: who goes where in each stage, both losses, and the gradients that they give to the
 * router, by central differences in double. What depends on the step is in test_stable_stages.c. */
#include <stdio.h>

#include "model_support.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/teacher.h"

#define SIZES                                                                                                \
    "method=stable image_size=6 patch_size=2 channels=2 classes=5 embed_dim=12 depth=2 heads=3 mlp_ratio=2 " \
    "stable_width=7 "
/* Above the block with experts nothing of its router can come back to its input. */
#define ONE_LAYER SIZES "moe_blocks=2 "

enum { CENTROIDS, PATCH_WEIGHT, PATCH_BIAS, POSITION, PREFIX, DISTILLED, ROUTER_TENSORS };
static const char *const names[ROUTER_TENSORS] = {"centroids", "patch.weight", "patch.bias",
                                                  "position",  "prefix",       "distilled"};

/* A model, what it read in its last pass, and its router's numbers in double. */
typedef struct scenario {
    tgr_context *context;
    tgr_model *model;
    tgr_loss *loss;
    tgr_parameters *parameters;
    const tgr_routing *routing;
    const tgr_dimensions *d;
    float *images, *x, *zeros; /* x [T, dim], zeros [batch, classes] */
    int64_t batch, tokens, experts, width;
    int64_t index[ROUTER_TENSORS];
    double *value[ROUTER_TENSORS];
    double *s, *distilled;   /* [T, E] */
    double balance, imitate; /* weights */
} scenario;

static double option(const scenario *c, const char *key) {
    double number = NAN;
    int64_t integer;
    const tgr_config *config = tgr_model_config(c->model);
    tgr_option found = tgr_option_find(key);
    if (tgr_config_get_f64(config, found, &number) == TGR_OK) return number;
    assert_status(TGR_OK, tgr_config_get_i64(config, found, &integer));
    return (double)integer;
}

static void read_router(scenario *c) {
    for (int i = 0; i < ROUTER_TENSORS; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.1.moe.router.%s", names[i]);
        c->index[i] = tgr_parameters_find(c->parameters, name);
        const int64_t count = c->parameters->tensors[c->index[i]].count;
        c->value[i] = calloc((size_t)count, sizeof(double));
        assert_non_null(c->value[i]);
        FOR(j, count) c->value[i][j] = tgr_value(c->parameters, c->index[i])[j];
    }
}

static scenario start(const char *options, int threads, int64_t batch) {
    scenario c = {.context = test_context(threads, 7), .batch = batch};
    c.model = test_model(c.context, options);
    c.parameters = test_model_parameters(c.model);
    c.d = tgr_model_dimensions(c.model);
    c.tokens = batch * c.d->tokens;
    c.experts = (int64_t)option(&c, "experts");
    c.width = (int64_t)option(&c, "stable_width");
    c.balance = option(&c, "stable_balance_weight");
    c.imitate = option(&c, "stable_distill_weight");
    c.images = test_images(c.model, batch, 3);
    c.x = calloc((size_t)(c.tokens * c.d->dim), sizeof(float));
    c.zeros = calloc((size_t)(batch * c.d->classes), sizeof(float));
    c.s = calloc((size_t)(c.tokens * c.experts), sizeof(double));
    c.distilled = calloc((size_t)(c.tokens * c.experts), sizeof(double));
    assert_true(c.x != NULL && c.zeros != NULL && c.s != NULL && c.distilled != NULL);
    assert_status(TGR_OK, tgr_loss_create(&c.loss, c.model, NULL));
    assert_status(TGR_OK, tgr_model_routing(c.model, 0, &c.routing));
    tgr_model_capture(c.model, 1, TGR_FEATURE_FFN_INPUT, c.x);
    read_router(&c);
    return c;
}

static void finish(scenario *c) {
    for (int i = 0; i < ROUTER_TENSORS; i++) free(c->value[i]);
    free(c->images), free(c->x), free(c->zeros), free(c->s), free(c->distilled);
    tgr_loss_free(c->loss);
    tgr_model_free(c->model);
    tgr_context_free(c->context);
}

/* Number i of the raw patch at `place` of an image: channel, row, column. */
static double pixel(const scenario *c, int64_t image, int64_t patch, int64_t i) {
    const tgr_dimensions *d = c->d;
    const int64_t side = d->patch_size, channel = i / (side * side);
    const int64_t row = patch / d->grid * side + i / side % side, column = patch % d->grid * side + i % side;
    return c->images[((image * d->channels + channel) * d->image_size + row) * d->image_size + column];
}

/* D(X_t), feature f. */
static double feature(const scenario *c, int64_t token, int64_t f) {
    const int64_t image = token / c->d->tokens, place = token % c->d->tokens, patch = place - c->d->prefix_tokens;
    double sum = c->value[POSITION][place * c->width + f];
    if (patch < 0) return sum + c->value[PREFIX][place * c->width + f];
    sum += c->value[PATCH_BIAS][f];
    FOR(i, c->d->patch_dim) sum += c->value[PATCH_WEIGHT][f * c->d->patch_dim + i] * pixel(c, image, patch, i);
    return sum;
}

/* s and ŝ from the values in double. */
static void score(scenario *c) {
    FOR(t, c->tokens) {
        double features[16];
        FOR(f, c->width) features[f] = feature(c, t, f);
        FOR(e, c->experts) {
            double *s = &c->s[t * c->experts + e], *distilled = &c->distilled[t * c->experts + e];
            *s = *distilled = 0;
            FOR(i, c->d->dim) *s += c->value[CENTROIDS][e * c->d->dim + i] * c->x[t * c->d->dim + i];
            FOR(f, c->width) *distilled += c->value[DISTILLED][e * c->width + f] * features[f];
        }
    }
}

static double sigmoid(double value) {
    return 1 / (1 + exp(-value));
}

/* Both losses of the scores in double for the choices that the library made. */
static void losses(const scenario *c, double *balance, double *imitate) {
    const double even = (double)c->tokens / (double)c->experts;
    const tgr_routing_view view = test_routing_view(c->routing);
    const int32_t *choices = view.choices;
    *balance = *imitate = 0;
    FOR(t, c->tokens) {
        double members = 0, exponentials = 0;
        FOR(other, c->tokens) members += choices[other] == choices[t];
        FOR(e, c->experts) exponentials += exp(c->distilled[t * c->experts + e]);
        const int64_t at = t * c->experts + choices[t];
        *balance += c->balance * (members - even) / even * sigmoid(c->s[at]) / (double)c->tokens;
        *imitate += c->imitate * (log(exponentials) - c->distilled[at]) / (double)c->tokens;
    }
}

static double term(const scenario *c, const char *name, int expected) {
    int64_t count = 0, found = 0;
    double value = 0;
    count = tgr_routing_term_count(c->routing);
    FOR(i, count) {
        const char *term_name = NULL;
        double number = NAN;
        assert_status(TGR_OK, tgr_routing_term(c->routing, i, &term_name, &number));
        if (strcmp(term_name, name) != 0) continue;
        value = number;
        found++;
    }
    assert_int_equal(found, expected);
    return value;
}

/* One forward pass: the scores that chose, the choices, the gates, the terms. */
static void check_forward(scenario *c, tgr_mode mode, int learning) {
    const float *logits = NULL, *p = NULL, *gates = NULL;
    int64_t terms = 0, moved = 0;
    assert_status(TGR_OK, tgr_model_forward(c->model, mode, c->images, c->batch));
    const tgr_routing_view view = test_routing_view(c->routing);
    logits = view.logits;
    p = view.probabilities;
    const int32_t *choices = view.choices;
    gates = view.gates;
    score(c);
    FOR(t, c->tokens) {
        const double *s = c->s + t * c->experts, *distilled = c->distilled + t * c->experts;
        const double *chooser = learning ? s : distilled, *other = learning ? distilled : s;
        int64_t best = 0, best_other = 0;
        double exponentials = 0;
        FOR(e, c->experts) {
            if (chooser[e] > chooser[best]) best = e;
            if (other[e] > other[best_other]) best_other = e;
            exponentials += exp(chooser[e]);
            assert_close(logits[t * c->experts + e], chooser[e], 1e-5);
        }
        assert_int_equal(choices[t], best);
        assert_close(gates[t], sigmoid(s[best]), 1e-6);
        assert_close(p[t * c->experts + best], exp(chooser[best]) / exponentials, 1e-6);
        moved += best != best_other;
    }
    if (c->experts > 1) assert_true(moved > c->tokens / 5); /* otherwise the stages could not be distinguished */
    double balance, imitate;
    losses(c, &balance, &imitate);
    assert_close(term(c, "stable_balance", learning && c->balance > 0), learning ? balance : 0, 1e-6);
    assert_close(term(c, "stable_distill", learning && c->imitate > 0), learning ? imitate : 0, 1e-6);
    terms = tgr_routing_term_count(c->routing);
    assert_int_equal(terms, learning * ((c->balance > 0) + (c->imitate > 0)));
}

static void test_follows_the_formulas(void **state) {
    (void)state;
    static const char *const stage1[] = {ONE_LAYER "experts=4 ",
                                         ONE_LAYER "experts=5 distillation_token=1 stable_balance_weight=2 ",
                                         ONE_LAYER "experts=20 stable_distill_weight=0 ",
                                         ONE_LAYER "experts=3 stable_balance_weight=0 ", ONE_LAYER "experts=1 "};
    FOR_THREADS(threads) {
        for (size_t i = 0; i < sizeof stage1 / sizeof *stage1; i++) {
            for (int stage = 1; stage <= 2; stage++) {
                char options[512];
                snprintf(options, sizeof options, "%s%s", stage1[i], stage == 1 ? "" : "stable_stage1=0 ");
                scenario c = start(options, threads, 9);
                check_forward(&c, TGR_TRAIN, stage == 1);
                check_forward(&c, TGR_EVAL, 0);
                finish(&c);
            }
        }
    }
}

/* Backward of only the auxiliary losses, or also of a task. */
static void backward(scenario *c, int with_task) {
    double total = NAN;
    int32_t labels[16] = {0, 3, 1, 4, 2, 0, 1};
    tgr_parameters_clear_gradients(c->parameters);
    assert_status(TGR_OK, tgr_model_forward(c->model, TGR_TRAIN, c->images, c->batch));
    if (with_task)
        assert_status(TGR_OK, tgr_loss_compute(c->loss, labels, &total));
    else
        assert_status(TGR_OK, tgr_loss_compute_own(c->loss, 0, c->zeros, NULL, &total));
    assert_status(TGR_OK, tgr_loss_backward(c->loss));
}

/* Both losses together, with number `j` of tensor `i` moved. */
static double moved_losses(scenario *c, int i, int64_t j, double distance) {
    double balance, imitate, before = c->value[i][j];
    c->value[i][j] = before + distance;
    score(c);
    losses(c, &balance, &imitate);
    c->value[i][j] = before;
    return balance + imitate;
}

static void test_losses_match_differences(void **state) {
    (void)state;
    static const char *const cases[] = {ONE_LAYER "experts=4 ",
                                        ONE_LAYER "experts=7 distillation_token=1 stable_balance_weight=3 "};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        scenario c = start(cases[k], 2, 7);
        backward(&c, 0);
        for (int i = 0; i < ROUTER_TENSORS; i++) {
            const float *gradient = tgr_gradient(c.parameters, c.index[i]);
            double largest = 0;
            FOR(j, c.parameters->tensors[c.index[i]].count) {
                double slope = (moved_losses(&c, i, j, 1e-4) - moved_losses(&c, i, j, -1e-4)) / 2e-4;
                assert_close(gradient[j], slope, 1e-6 + 1e-5 * fabs(slope));
                largest = fmax(largest, fabs(slope));
            }
            assert_true(largest > 1e-3);
        }
        finish(&c);
    }
}

static float *copy_gradients(const tgr_parameters *parameters) {
    float *copy = malloc((size_t)parameters->floats * sizeof(float));
    assert_non_null(copy);
    memcpy(copy, parameters->gradients, (size_t)parameters->floats * sizeof(float));
    return copy;
}

static int is_distilled(const char *name) {
    const char *own = strstr(name, ".router.");
    return own != NULL && strcmp(own, ".router.centroids") != 0;
}

/* Compares one tensor's gradient; `zero` compares with zeros instead of `expected`. */
static void check_gradient(const tgr_parameters *parameters, int64_t index, const float *expected, int zero) {
    const tgr_tensor *tensor = &parameters->tensors[index];
    FOR(i, tensor->count)
        if (!(tgr_gradient(parameters, index)[i] == (zero ? 0 : expected[tensor->offset + i])))
            fail_msg("the gradient of %s differs", tensor->name);
}

#define TWO_LAYERS SIZES "moe_blocks=1,2 experts=4 "

/* Neither does the task reach the distilled router, nor its loss anything else; in stage 2 nothing reaches it. */
static void test_distilled_router_learns_from_its_loss_alone(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        scenario c = start(TWO_LAYERS, threads, 5), without = start(TWO_LAYERS "stable_distill_weight=0 ", threads, 5);
        scenario later = start(TWO_LAYERS "stable_stage1=0 ", threads, 5);
        backward(&c, 0);
        float *alone = copy_gradients(c.parameters);
        backward(&c, 1);
        backward(&without, 1);
        backward(&later, 1);
        int64_t distilled = 0;
        FOR(i, c.parameters->tensor_count) {
            const int own = is_distilled(c.parameters->tensors[i].name);
            distilled += own;
            if (own) check_gradient(c.parameters, i, alone, 0);
            if (own) check_gradient(later.parameters, i, NULL, 1);
            check_gradient(without.parameters, i, c.parameters->gradients, own);
        }
        assert_int_equal(distilled, 2 * (ROUTER_TENSORS - 1));
        free(alone);
        finish(&c), finish(&without), finish(&later);
    }
}

static int32_t *evaluate(const scenario *c) {
    const int32_t *choices = NULL;
    int32_t *copy = malloc((size_t)c->tokens * 2 * sizeof *copy);
    assert_non_null(copy);
    assert_status(TGR_OK, tgr_model_forward(c->model, TGR_EVAL, c->images, c->batch));
    FOR(layer, 2) {
        const tgr_routing *routing = NULL;
        assert_status(TGR_OK, tgr_model_routing(c->model, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        choices = view.choices;
        memcpy(copy + layer * c->tokens, choices, (size_t)c->tokens * sizeof *choices);
    }
    return copy;
}

/* Each of its own tensors moves the routing; nothing else does, whatever becomes of it. */
static void test_nothing_of_the_backbone_feeds_it(void **state) {
    (void)state;
    scenario c = start(TWO_LAYERS, 2, 6);
    const size_t bytes = (size_t)c.tokens * 2 * sizeof(int32_t);
    int32_t *before = evaluate(&c), *after;
    test_random random = test_random_start(17);
    for (int own = 0; own < 2; own++) {
        FOR(i, c.parameters->tensor_count) {
            const tgr_tensor *tensor = &c.parameters->tensors[i];
            if (is_distilled(tensor->name) != own) continue;
            float *saved = malloc((size_t)tensor->count * sizeof(float)), *value = tgr_value(c.parameters, i);
            memcpy(saved, value, (size_t)tensor->count * sizeof(float));
            test_random_fill(&random, value, tensor->count, -3, 3);
            after = evaluate(&c);
            if ((memcmp(after, before, bytes) == 0) == own) fail_msg("with other values of %s", tensor->name);
            memcpy(value, saved, (size_t)tensor->count * sizeof(float));
            free(saved), free(after);
        }
    }
    free(before);
    finish(&c);
}

/* Two micro-batches leave the sum of what each leaves alone. */
static void test_micro_batches_add_up(void **state) {
    (void)state;
    scenario c = start(TWO_LAYERS, 2, 4);
    const int64_t floats = c.parameters->floats;
    double total;
    float *other = test_images(c.model, c.batch, 99);
    backward(&c, 0);
    float *sum = copy_gradients(c.parameters);
    memcpy(c.images, other, (size_t)(c.batch * c.d->channels * c.d->image_size * c.d->image_size) * sizeof(float));
    assert_status(TGR_OK, tgr_model_forward(c.model, TGR_TRAIN, c.images, c.batch));
    assert_status(TGR_OK, tgr_loss_compute_own(c.loss, 0, c.zeros, NULL, &total));
    assert_status(TGR_OK, tgr_loss_backward(c.loss));
    float *both = copy_gradients(c.parameters);
    backward(&c, 0);
    FOR(i, floats) sum[i] += c.parameters->gradients[i];
    assert_all_close(both, sum, floats, 1e-6, 1e-5);
    free(other), free(sum), free(both);
    finish(&c);
}

/* Ties go to the first expert, which then has all tokens: (T - n) / n = E - 1. What is not a number is reported. */
static void test_hard_scores(void **state) {
    (void)state;
    scenario c = start(ONE_LAYER "experts=4 ", 2, 5);
    float *centroids = tgr_value(c.parameters, c.index[CENTROIDS]);
    double total;
    memset(centroids, 0, (size_t)(c.experts * c.d->dim) * sizeof(float));
    backward(&c, 0);
    const tgr_routing_view view = test_routing_view(c.routing);
    const int32_t *choices = view.choices;
    FOR(t, c.tokens) assert_int_equal(choices[t], 0);
    assert_close(term(&c, "stable_balance", 1), c.balance * (double)(c.experts - 1) * 0.5, 1e-6);
    for (int64_t i = c.d->dim; i < c.experts * c.d->dim; i++)
        assert_true(tgr_gradient(c.parameters, c.index[CENTROIDS])[i] == 0);
    FOR(i, c.experts * c.d->dim) centroids[i] = i % 2 ? 1e4f : -1e4f; /* σ is 0 or 1 */
    backward(&c, 1);
    FOR(i, c.parameters->floats) assert_true(isfinite(c.parameters->gradients[i]));
    tgr_value(c.parameters, c.index[DISTILLED])[0] = NAN;
    assert_status(TGR_OK, tgr_model_forward(c.model, TGR_TRAIN, c.images, c.batch));
    assert_fails(TGR_ERROR_NONFINITE, "is nan", tgr_loss_compute_own(c.loss, 0, c.zeros, NULL, &total));
    finish(&c);
}

static void check_orthogonal(const float *value, int64_t rows, int64_t columns) {
    const int by_row = rows <= columns;
    const int64_t vectors = by_row ? rows : columns, length = by_row ? columns : rows;
    FOR(a, vectors) {
        FOR(b, vectors) {
            double sum = 0;
            FOR(i, length)
                sum += by_row ? (double)value[a * columns + i] * value[b * columns + i]
                              : (double)value[i * columns + a] * value[i * columns + b];
            assert_close(sum, a == b ? 0.01 : 0, 1e-8);
        }
    }
}

static void test_centroids_begin_orthogonal(void **state) {
    (void)state;
    static const struct {
        const char *options;
        int64_t experts, dim, width;
    } cases[] = {{SIZES "moe_blocks=2 experts=4 ", 4, 12, 7},
                 {SIZES "moe_blocks=2 experts=40 ", 40, 12, 7},
                 {SIZES "moe_blocks=2 experts=12 ", 12, 12, 7},
                 {"method=stable moe_blocks=2 image_size=4 patch_size=2 channels=1 depth=2 embed_dim=96 experts=96 ",
                  96, 96, 50},
                 {SIZES "moe_blocks=2 experts=1 ", 1, 12, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tgr_context *context = test_context(1, 3 + i);
        tgr_model *model = NULL;
        int64_t centroids, distilled;
        assert_status(TGR_OK, test_model_create(&model, context, cases[i].options));
        tgr_parameters *parameters = test_model_parameters(model);
        centroids = tgr_parameters_find(parameters, "blocks.1.moe.router.centroids");
        distilled = tgr_parameters_find(parameters, "blocks.1.moe.router.distilled");
        check_orthogonal(tgr_value(parameters, centroids), cases[i].experts, cases[i].dim);
        check_orthogonal(tgr_value(parameters, distilled), cases[i].experts, cases[i].width);
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

static void test_what_it_cannot_do_is_said(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    tgr_model *student = test_model(context, TWO_LAYERS), *other = NULL;
    tgr_model *dense =
        test_model(context, "image_size=6 patch_size=2 channels=2 classes=5 embed_dim=12 depth=2 heads=3");
    tgr_teacher *teacher = NULL;
    tgr_config *config = test_config(context, "method=stable");
    assert_fails(TGR_ERROR_UNSUPPORTED, "'stable' reads the patches of images",
                 tgr_moe_create(&moe, context, config, 8));
    assert_fails(TGR_ERROR_UNSUPPORTED, "'stable' reads the patches of images",
                 tgr_router_create(&router, context, config, 8));
    assert_fails(TGR_ERROR_UNSUPPORTED, "softmax router", tgr_teacher_create(&teacher, dense, student));
    assert_fails(TGR_ERROR_OPTION, "'top_k' is set, but method 'stable' does not use it",
                 test_model_create(&other, context, TWO_LAYERS "top_k=2 "));
    tgr_config_free(config);
    tgr_model_free(dense);
    tgr_model_free(student);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_the_formulas),
        cmocka_unit_test(test_losses_match_differences),
        cmocka_unit_test(test_distilled_router_learns_from_its_loss_alone),
        cmocka_unit_test(test_nothing_of_the_backbone_feeds_it),
        cmocka_unit_test(test_micro_batches_add_up),
        cmocka_unit_test(test_hard_scores),
        cmocka_unit_test(test_centroids_begin_orthogonal),
        cmocka_unit_test(test_what_it_cannot_do_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
