/* SPDX-License-Identifier: MIT */
/* AdamW, SGD, clipping, accumulation and the schedule against plain loops in double; failures that must change nothing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optimizer/optimizer.h"
#include "support.h"
#include "tgrmoe/options.h"

enum { TENSORS = 4, FLOATS_MOST = 40000 };

/* "weight" is decayed and spans blocks, "bias" is not decayed, "mean" is running state, "scale" is one odd number. */
static const struct {
    const char *name;
    unsigned flags;
    int64_t count;
} tensors[TENSORS] = {
    {"weight", 0, 33333}, {"bias", TGR_TENSOR_NO_DECAY, 37}, {"mean", TGR_TENSOR_STATE, 21}, {"scale", 0, 1}};

static tgr_status try_parameters(tgr_parameters **out, tgr_context *context) {
    tgr_parameters *parameters = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_parameters_create(&parameters, context));
    for (int i = 0; i < TENSORS; i++) {
        int64_t index;
        TGR_TRY_DONE(tgr_parameters_add(parameters, &index, tensors[i].name, tensors[i].flags, 1, &tensors[i].count));
    }
    TGR_TRY_DONE(tgr_parameters_seal(parameters));
    *out = parameters;
done:
    if (status != TGR_OK) tgr_parameters_release(parameters);
    return status;
}

static tgr_parameters *make_parameters(tgr_context *context) {
    tgr_parameters *parameters = NULL;
    assert_status(TGR_OK, try_parameters(&parameters, context));
    test_random random = test_random_start(5);
    for (int i = 0; i < TENSORS; i++) test_random_fill(&random, tgr_value(parameters, i), tensors[i].count, -1, 1);
    return parameters;
}

/* Adds one backward pass's gradients, of size about `scale`. */
static void add_gradients(tgr_parameters *parameters, test_random *random, double scale) {
    for (int i = 0; i < TENSORS; i++)
        FOR(j, tensors[i].count) tgr_gradient(parameters, i)[j] += (float)test_random_uniform(random, -scale, scale);
    parameters->micro++;
}

typedef struct reference {
    double w[FLOATS_MOST], m[FLOATS_MOST], v[FLOATS_MOST];
} reference;

static double option(const tgr_config *config, tgr_option number) {
    double value = 0;
    assert_status(TGR_OK, tgr_config_get_f64(config, number, &value));
    return value;
}

/* One step as the papers write it, in double. */
static double reference_step(reference *r, const tgr_parameters *p, const tgr_config *config, int sgd, int step,
                             double rate) {
    double sum = 0, clip = option(config, TGR_OPTION_CLIP_NORM), decay = option(config, TGR_OPTION_WEIGHT_DECAY);
    double beta1 = option(config, TGR_OPTION_BETA1), beta2 = option(config, TGR_OPTION_BETA2);
    for (int i = 0; i < TENSORS; i++)
        for (int64_t j = 0; j < tensors[i].count && tensors[i].flags != TGR_TENSOR_STATE; j++)
            sum += pow(tgr_gradient(p, i)[j] / (double)p->micro, 2);
    double norm = sqrt(sum), factor = clip > 0 && norm > clip ? clip / norm : 1;
    for (int i = 0; i < TENSORS; i++) {
        if (tensors[i].flags == TGR_TENSOR_STATE) continue;
        FOR(j, tensors[i].count) {
            int64_t at = p->tensors[i].offset + j;
            double g = tgr_gradient(p, i)[j] / (double)p->micro * factor;
            double own_decay = tensors[i].flags == TGR_TENSOR_NO_DECAY ? 0 : decay;
            if (sgd) {
                r->m[at] = option(config, TGR_OPTION_MOMENTUM) * r->m[at] + g + own_decay * r->w[at];
                r->w[at] -= rate * r->m[at];
                continue;
            }
            r->m[at] = beta1 * r->m[at] + (1 - beta1) * g;
            r->v[at] = beta2 * r->v[at] + (1 - beta2) * g * g;
            double m = r->m[at] / (1 - pow(beta1, step + 1)), v = r->v[at] / (1 - pow(beta2, step + 1));
            r->w[at] -= rate * (m / (sqrt(v) + option(config, TGR_OPTION_ADAM_EPSILON)) + own_decay * r->w[at]);
        }
    }
    return norm;
}

static const char adamw_settings[] = "lr=0.01 total_steps=8 warmup_steps=2";
static const char adamw_clipped[] = "lr=0.01 clip_norm=0.5 beta1=0.8 beta2=0.95 weight_decay=0.3";
static const char sgd_settings[] = "optimizer=sgd lr=0.1 clip_norm=3 weight_decay=0.01";
static const char sgd_plain[] = "optimizer=sgd momentum=0 total_steps=5 min_lr=0.0005";

static void check_against_reference(const char *settings, int sgd) {
    tgr_context *context = test_context(2, 1);
    tgr_config *config = test_config(context, settings);
    tgr_parameters *parameters = make_parameters(context);
    tgr_optimizer *optimizer = NULL;
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
    reference *r = calloc(1, sizeof *r);
    float *state = malloc((size_t)tensors[2].count * sizeof(float)), *expected = malloc(FLOATS_MOST * sizeof(float));
    assert_true(r && state && expected && parameters->floats <= FLOATS_MOST);
    FOR(j, parameters->floats) r->w[j] = parameters->values[j];
    memcpy(state, tgr_value(parameters, 2), (size_t)tensors[2].count * sizeof(float));

    test_random random = test_random_start(8);
    for (int step = 0; step < 7; step++) {
        for (int micro = 0; micro <= step % 3; micro++) add_gradients(parameters, &random, step == 3 ? 1e-4 : 1);
        double rate = -1, norm = -1;
        rate = tgr_optimizer_learning_rate(optimizer);
        double expected_norm = reference_step(r, parameters, config, sgd, step, rate);
        assert_status(TGR_OK, tgr_optimizer_step(optimizer));
        norm = tgr_optimizer_gradient_norm(optimizer);
        assert_close(norm, expected_norm, 1e-9 * expected_norm);
        assert_int_equal(parameters->step, step + 1);
        assert_int_equal(parameters->micro, 0);
        FOR(j, parameters->floats) {
            expected[j] = (float)r->w[j];
            assert_true(parameters->gradients[j] == 0);
        }
        /* State was overwritten with what it had: no wish of the reference's about it. */
        memcpy(expected + parameters->tensors[2].offset, state, (size_t)tensors[2].count * sizeof(float));
        assert_all_close(parameters->values, expected, parameters->floats, 2e-6, 1e-5);
        assert_same_bytes(tgr_value(parameters, 2), state, (size_t)tensors[2].count * sizeof(float));
    }
    for (int i = 0; i < TENSORS; i++) { /* the padding stayed zero */
        int64_t end = i + 1 < TENSORS ? parameters->tensors[i + 1].offset : parameters->floats;
        for (int64_t j = parameters->tensors[i].offset + tensors[i].count; j < end; j++)
            assert_true(parameters->values[j] == 0 && optimizer->first_moment[j] == 0);
    }
    free(expected);
    free(state);
    free(r);
    tgr_context_free(context);
    tgr_config_free(config);
    tgr_parameters_release(parameters);
    tgr_optimizer_free(optimizer);
}

static void test_follows_the_papers(void **unused) {
    (void)unused;
    check_against_reference(adamw_settings, 0);
    check_against_reference(adamw_clipped, 0);
    check_against_reference(sgd_settings, 1);
    check_against_reference(sgd_plain, 1);
}

static void test_decay_by_group(void **unused) {
    (void)unused;
    static const char settings[] = "lr=0.5 weight_decay=0.5";
    tgr_context *context = test_context(1, 1);
    tgr_config *config = test_config(context, settings);
    tgr_parameters *parameters = make_parameters(context);
    tgr_optimizer *optimizer = NULL;
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
    float bias[37], weight = tgr_value(parameters, 0)[7], scale = tgr_value(parameters, 3)[0];
    memcpy(bias, tgr_value(parameters, 1), sizeof bias);
    parameters->micro = 1; /* a gradient of zero: decay alone moves weights */
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    assert_same_bytes(tgr_value(parameters, 1), bias, sizeof bias);
    assert_true(tgr_value(parameters, 0)[7] == weight - 0.25f * weight);
    assert_true(tgr_value(parameters, 3)[0] == scale - 0.25f * scale);
    tgr_optimizer_free(optimizer);
    tgr_parameters_release(parameters);
    tgr_config_free(config);
    tgr_context_free(context);
}

/* A tensor that is frozen from step 2 on moves as ever before, and not at all from then on; the others do as if it had
 * no gradient, whatever stands there. */
static void check_frozen(const char *settings) {
    tgr_context *context = test_context(2, 1);
    tgr_config *config = test_config(context, settings);
    tgr_parameters *frozen = make_parameters(context), *free_one = make_parameters(context);
    tgr_optimizer *optimizer = NULL, *other = NULL;
    const size_t bytes = (size_t)tensors[0].count * sizeof(float);
    float *values = malloc(bytes), *moments = malloc(bytes);
    assert_true(values != NULL && moments != NULL);
    frozen->tensors[0].frozen_from = 2;
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, frozen));
    assert_status(TGR_OK, tgr_optimizer_create(&other, config, free_one));
    for (uint64_t step = 0; step < 5; step++) {
        test_random random = test_random_start(step), same = random;
        add_gradients(frozen, &random, 1);
        add_gradients(free_one, &same, 1);
        if (step == 2) {
            memcpy(values, tgr_value(frozen, 0), bytes);
            memcpy(moments, optimizer->first_moment, bytes);
        }
        if (step >= 2) memset(tgr_gradient(free_one, 0), 0, bytes);
        if (step >= 3) tgr_gradient(frozen, 0)[step] = step == 3 ? NAN : 1e30f;
        assert_status(TGR_OK, tgr_optimizer_step(optimizer));
        assert_status(TGR_OK, tgr_optimizer_step(other));
        assert_true(optimizer->gradient_norm == other->gradient_norm);
        for (int i = step < 2 ? 0 : 1; i < TENSORS; i++)
            assert_same_bytes(tgr_value(frozen, i), tgr_value(free_one, i), (size_t)tensors[i].count * sizeof(float));
        if (step < 2) continue;
        assert_same_bytes(tgr_value(frozen, 0), values, bytes);
        assert_same_bytes(optimizer->first_moment, moments, bytes);
        assert_true(memcmp(tgr_value(free_one, 0), values, bytes) != 0);
    }
    free(values), free(moments);
    tgr_optimizer_free(optimizer), tgr_optimizer_free(other);
    tgr_parameters_release(frozen), tgr_parameters_release(free_one);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_frozen_tensors(void **unused) {
    (void)unused;
    check_frozen(adamw_settings);
    check_frozen(adamw_clipped);
    check_frozen(sgd_settings);
}

/* A copy of all that a refused step must leave. */
typedef struct snapshot {
    float values[FLOATS_MOST], first[FLOATS_MOST], second[FLOATS_MOST];
    uint64_t steps, step;
    double norm;
} snapshot;

static void take(snapshot *s, const tgr_optimizer *optimizer) {
    const tgr_parameters *p = optimizer->parameters;
    size_t bytes = (size_t)p->floats * sizeof(float);
    memset(s, 0, sizeof *s);
    memcpy(s->values, p->values, bytes);
    memcpy(s->first, optimizer->first_moment, bytes);
    if (optimizer->second_moment) memcpy(s->second, optimizer->second_moment, bytes);
    s->steps = optimizer->steps;
    s->step = p->step;
    s->norm = optimizer->gradient_norm;
}

static void check_refusals(const char *settings, int clipped) {
    tgr_context *context = test_context(2, 1);
    tgr_config *config = test_config(context, settings);
    tgr_parameters *parameters = make_parameters(context);
    tgr_optimizer *optimizer = NULL;
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
    snapshot *before = malloc(sizeof *before), *after = malloc(sizeof *after);
    assert_true(before && after);
    test_random random = test_random_start(8);
    add_gradients(parameters, &random, 1);
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));

    const float bad[] = {NAN, INFINITY, -INFINITY, 1e19f, -3e38f};
    const int64_t places[] = {0, 16384, tensors[0].count - 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (clipped && isfinite(bad[i])) continue; /* clipping makes these usable */
        for (size_t place = 0; place < 4; place++) {
            add_gradients(parameters, &random, 1);
            if (place < 3) tgr_gradient(parameters, 0)[places[place]] = bad[i];
            if (place == 3) tgr_gradient(parameters, 3)[0] = bad[i];
            take(before, optimizer);
            assert_fails(TGR_ERROR_NONFINITE, "norm is", tgr_optimizer_step(optimizer));
            take(after, optimizer);
            assert_same_bytes(after, before, sizeof *before);
            assert_int_equal(parameters->micro, 0);
            FOR(j, parameters->floats) assert_true(parameters->gradients[j] == 0);
        }
    }
    take(before, optimizer);
    assert_fails(TGR_ERROR_STATE, "no backward", tgr_optimizer_step(optimizer));
    take(after, optimizer);
    assert_same_bytes(after, before, sizeof *before);
    /* State is not trained: rubbish in its gradient does not matter. Training continues. */
    add_gradients(parameters, &random, 1);
    tgr_gradient(parameters, 2)[0] = NAN;
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    add_gradients(parameters, &random, clipped ? 3e38 : 1e14);
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    FOR(j, parameters->floats)
        assert_true(isfinite(parameters->values[j]) && isfinite(optimizer->first_moment[j]) &&
                    (!optimizer->second_moment || isfinite(optimizer->second_moment[j])));
    free(before);
    free(after);
    tgr_optimizer_free(optimizer);
    tgr_parameters_release(parameters);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_nonfinite_changes_nothing(void **unused) {
    (void)unused;
    static const char unclipped_sgd[] = "optimizer=sgd";
    check_refusals(adamw_settings, 0);
    check_refusals(adamw_clipped, 1);
    check_refusals(unclipped_sgd, 0);
    check_refusals(sgd_settings, 1);
}

static void test_same_bytes_at_any_threads(void **unused) {
    (void)unused;
    float *first = malloc(FLOATS_MOST * sizeof(float));
    assert_non_null(first);
    FOR_THREADS(threads) {
        tgr_context *context = test_context(threads, 7);
        tgr_config *config = test_config(context, adamw_clipped);
        tgr_parameters *parameters = make_parameters(context);
        tgr_optimizer *optimizer = NULL;
        assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
        test_random random = test_random_start(3);
        uint64_t before = 0, after = 0;
        before = tgr_context_allocation_count(context);
        for (int step = 0; step < 4; step++) {
            add_gradients(parameters, &random, 1);
            assert_status(TGR_OK, tgr_optimizer_step(optimizer));
        }
        after = tgr_context_allocation_count(context);
        assert_int_equal(before, after);
        size_t bytes = (size_t)parameters->floats * sizeof(float);
        if (threads == 1) memcpy(first, parameters->values, bytes);
        assert_same_bytes(parameters->values, first, bytes);
        tgr_optimizer_free(optimizer);
        tgr_parameters_release(parameters);
        tgr_config_free(config);
        tgr_context_free(context);
    }
    free(first);
}

static void test_schedule(void **unused) {
    (void)unused;
    assert_close(tgr_schedule_cosine(0, 100, 10, 1, 0.1), 0.1, 1e-15);
    assert_close(tgr_schedule_cosine(9, 100, 10, 1, 0.1), 1, 1e-15);
    assert_close(tgr_schedule_cosine(10, 100, 10, 1, 0.1), 1, 1e-15);
    assert_close(tgr_schedule_cosine(55, 100, 10, 1, 0.1), 0.55, 1e-15);
    assert_close(tgr_schedule_cosine(40, 100, 10, 1, 0), 0.75, 1e-15);
    assert_true(tgr_schedule_cosine(99, 100, 10, 1, 0.1) > 0.1);
    assert_close(tgr_schedule_cosine(100, 100, 10, 1, 0.1), 0.1, 0);
    assert_close(tgr_schedule_cosine(INT64_MAX, 100, 10, 1, 0.1), 0.1, 0);
    /* Counts that make no sense still give a rate between nothing and the peak. */
    const int64_t odd[] = {INT64_MIN, -1, 0, 1, 7, INT64_MAX};
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < 6; b++)
            for (int c = 0; c < 6; c++) {
                double rate = tgr_schedule_cosine(odd[a], odd[b], odd[c], 2, 1);
                assert_true(rate >= 0 && rate <= 2);
            }
    FOR(step, 50) /* rises, then falls */
        assert_true(step < 8 ? tgr_schedule_cosine(step + 1, 50, 8, 1, 0) >= tgr_schedule_cosine(step, 50, 8, 1, 0)
                             : tgr_schedule_cosine(step + 1, 50, 8, 1, 0) < tgr_schedule_cosine(step, 50, 8, 1, 0));
}

static double rate_at(tgr_optimizer *optimizer, uint64_t step) {
    optimizer->parameters->step = step;
    double rate = tgr_optimizer_learning_rate(optimizer);
    return rate;
}

static void test_learning_rate(void **unused) {
    (void)unused;
    static const char cosine[] = "lr=2 total_steps=10 warmup_steps=4 min_lr=1";
    static const char endless[] = "lr=2 warmup_steps=4 min_lr=1";
    static const char constant[] = "lr=2 total_steps=10 warmup_steps=4 schedule=constant";
    static const struct {
        const char *settings;
        double at[4]; /* steps 0, 4, 7, 10 */
    } rows[] = {{cosine, {0.5, 2, 1.5, 1}}, {endless, {0.5, 2, 2, 2}}, {constant, {0.5, 2, 2, 2}}};
    tgr_context *context = test_context(1, 1);
    for (int i = 0; i < 3; i++) {
        tgr_config *config = test_config(context, rows[i].settings);
        tgr_parameters *parameters = make_parameters(context);
        tgr_optimizer *optimizer = NULL;
        assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
        const uint64_t steps[4] = {0, 4, 7, 10};
        for (int j = 0; j < 4; j++) assert_close(rate_at(optimizer, steps[j]), rows[i].at[j], 1e-14);
        assert_status(TGR_OK, tgr_optimizer_set_learning_rate(optimizer, 0.125));
        assert_close(rate_at(optimizer, 0), 0.125, 0);
        assert_fails(TGR_ERROR_RANGE, "rate", tgr_optimizer_set_learning_rate(optimizer, NAN));
        assert_fails(TGR_ERROR_RANGE, "rate", tgr_optimizer_set_learning_rate(optimizer, INFINITY));
        assert_close(rate_at(optimizer, 0), 0.125, 0);
        assert_status(TGR_OK, tgr_optimizer_set_learning_rate(optimizer, 0));
        assert_close(rate_at(optimizer, 0), 0, 0);
        assert_status(TGR_OK, tgr_optimizer_set_learning_rate(optimizer, -5));
        assert_close(rate_at(optimizer, 0), 0.5, 1e-14);
        tgr_optimizer_free(optimizer);
        tgr_parameters_release(parameters);
        tgr_config_free(config);
    }
    tgr_context_free(context);
}

static void test_misuse(void **unused) {
    (void)unused;
    static const char nothing[] = "";
    tgr_context *context = test_context(1, 1);
    tgr_config *config = test_config(context, nothing);
    tgr_parameters *parameters = make_parameters(context), *unsealed = NULL;
    assert_status(TGR_OK, tgr_parameters_create(&unsealed, context));
    tgr_optimizer *optimizer = NULL;
    double number = 42;
    assert_fails(TGR_ERROR_ARGUMENT, "out", tgr_optimizer_create(NULL, config, parameters));
    assert_fails(TGR_ERROR_ARGUMENT, "config", tgr_optimizer_create(&optimizer, NULL, parameters));
    assert_fails(TGR_ERROR_ARGUMENT, "parameters", tgr_optimizer_create(&optimizer, config, NULL));
    assert_status(TGR_ERROR_STATE, tgr_optimizer_create(&optimizer, config, unsealed));
    assert_null(optimizer);
    assert_fails(TGR_ERROR_ARGUMENT, "optimizer", tgr_optimizer_step(NULL));
    assert_true(tgr_optimizer_learning_rate(NULL) == 0);
    assert_fails(TGR_ERROR_ARGUMENT, "optimizer", tgr_optimizer_set_learning_rate(NULL, 1));
    assert_true(tgr_optimizer_gradient_norm(NULL) == 0);
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
    assert_true(number == 42);
    tgr_optimizer_free(NULL);
    tgr_parameters_release(unsealed);
    tgr_parameters_release(parameters); /* the optimizer holds what it needs */
    tgr_config_free(config);
    tgr_context_free(context);
    assert_fails(TGR_ERROR_STATE, "no backward", tgr_optimizer_step(optimizer));
    tgr_optimizer_free(optimizer);
}

static tgr_status create_and_step(const tgr_allocator *allocator, void *user) {
    const char *const kind = user;
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    tgr_parameters *parameters = NULL;
    tgr_optimizer *optimizer = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(tgr_config_create(&config, context));
    TGR_TRY_DONE(tgr_config_set(config, "optimizer", kind));
    TGR_TRY_DONE(try_parameters(&parameters, context));
    TGR_TRY_DONE(tgr_optimizer_create(&optimizer, config, parameters));
    parameters->micro = 1;
    TGR_TRY_DONE(tgr_optimizer_step(optimizer));
done:
    tgr_optimizer_free(optimizer);
    tgr_parameters_release(parameters);
    tgr_config_free(config);
    tgr_context_free(context);
    return status;
}

static void test_allocations_fail(void **unused) {
    (void)unused;
    char adamw[] = "adamw", sgd[] = "sgd";
    assert_true(test_each_allocation_failing(create_and_step, adamw) >= 6);
    assert_true(test_each_allocation_failing(create_and_step, sgd) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_the_papers),
        cmocka_unit_test(test_decay_by_group),
        cmocka_unit_test(test_frozen_tensors),
        cmocka_unit_test(test_nonfinite_changes_nothing),
        cmocka_unit_test(test_same_bytes_at_any_threads),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_learning_rate),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
