/* SPDX-License-Identifier: MIT */
/* Linear layers and FFNs by themselves: against formulas in double precision, groups against layers of their own, and
 * what may overlap what. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/parallel_rows.h"
#include "layers/ffn.h"
#include "support.h"

enum { INPUTS = 19, OUTPUTS = 37, ROWS = 1200, STRIDE = 2 * INPUTS + 3, GROUPS = 4, HIDDEN = 41 };

/* The rows of four groups; the third has none. */
static const int64_t first_row[GROUPS + 1] = {0, 5, 700, 700, ROWS};

/* Tasks of a job from the last to the first, as threads might take them. */
static void run_reversed(void *user, int64_t tasks, tgr_task_fn fn, void *job) {
    (void)user;
    for (int64_t task = tasks - 1; task >= 0; task--) fn(job, task, 0);
}

static tgr_context *reversed_context(void) {
    const tgr_executor executor = {.struct_size = sizeof executor, .workers = 2, .run = run_reversed};
    tgr_context_options options = {.struct_size = sizeof options};
    tgr_context *context = NULL;
    assert_status(TGR_OK, tgr_pool_create_from_executor(&options.pool, &executor));
    assert_status(TGR_OK, tgr_context_create(&context, &options));
    tgr_pool_free(options.pool);
    return context;
}

/* With 0 threads, tasks run in reverse. */
static tgr_parameters *new_parameters(int threads) {
    tgr_context *context = threads > 0 ? test_context(threads, 3) : reversed_context();
    tgr_parameters *parameters = NULL;
    assert_status(TGR_OK, tgr_parameters_create(&parameters, context));
    tgr_context_free(context);
    return parameters;
}

/* Random values, and gradients that a backward adds to. */
static void seal(tgr_parameters *parameters) {
    test_random random = test_random_start(5);
    assert_status(TGR_OK, tgr_parameters_seal(parameters));
    FOR(i, parameters->tensor_count) {
        test_random_fill(&random, tgr_value(parameters, i), parameters->tensors[i].count, -1, 1);
        test_random_fill(&random, tgr_gradient(parameters, i), parameters->tensors[i].count, -1, 1);
    }
}

static float *copy_of(const float *x, int64_t count) {
    float *copy = malloc((size_t)count * sizeof(float));
    assert_non_null(copy);
    memcpy(copy, x, (size_t)count * sizeof(float));
    return copy;
}

static void check_forward(const tgr_linear *linear, const float *x, const float *before, const float *y) {
    const float *weight = tgr_value(linear->parameters, linear->weight);
    FOR(r, ROWS)
        FOR(o, OUTPUTS) {
            double sum = before ? before[r * OUTPUTS + o] : 0;
            if (linear->bias != TGR_NO_BIAS) sum += tgr_value(linear->parameters, linear->bias)[o];
            FOR(i, INPUTS) sum += (double)x[r * linear->x_stride + i] * weight[o * INPUTS + i];
            assert_close(y[r * OUTPUTS + o], sum, 1e-5);
        }
}

/* `old` are the gradients of the table before, `old_dx` those of x where the new ones were added. */
static void check_backward(const tgr_linear *linear, const float *x, const float *dy, const float *dx,
                           const float *old_dx, const float *old) {
    const tgr_parameters *parameters = linear->parameters;
    const float *weight = tgr_value(parameters, linear->weight), *dweight = tgr_gradient(parameters, linear->weight);
    const float *old_dweight = old + parameters->tensors[linear->weight].offset;
    FOR(o, OUTPUTS)
        FOR(i, INPUTS) {
            double sum = old_dweight[o * INPUTS + i];
            FOR(r, ROWS) sum += (double)dy[r * OUTPUTS + o] * x[r * linear->x_stride + i];
            assert_close(dweight[o * INPUTS + i], sum, 2e-4);
        }
    if (linear->bias != TGR_NO_BIAS)
        FOR(o, OUTPUTS) {
            double sum = old[parameters->tensors[linear->bias].offset + o];
            FOR(r, ROWS) sum += dy[r * OUTPUTS + o];
            assert_close(tgr_gradient(parameters, linear->bias)[o], sum, 2e-4);
        }
    if (dx != NULL)
        FOR(r, ROWS)
            FOR(i, INPUTS) {
                double sum = old_dx ? old_dx[r * linear->x_stride + i] : 0;
                FOR(o, OUTPUTS) sum += (double)dy[r * OUTPUTS + o] * weight[o * INPUTS + i];
                assert_close(dx[r * linear->x_stride + i], sum, 1e-5);
            }
}

static void check_linear(tgr_linear linear, int accumulate, int want_dx) {
    tgr_parameters *parameters = linear.parameters;
    test_random random = test_random_start(7);
    float *x = test_random_floats(&random, ROWS * linear.x_stride), *y = test_random_floats(&random, ROWS * OUTPUTS);
    float *dy = test_random_floats(&random, ROWS * OUTPUTS), *dx = test_random_floats(&random, ROWS * linear.x_stride);
    float *partial = test_random_floats(&random, tgr_partial_floats(ROWS, OUTPUTS, 1));
    float *old_y = copy_of(y, ROWS * OUTPUTS), *old_dx = copy_of(dx, ROWS * linear.x_stride);
    float *old = copy_of(parameters->gradients, parameters->floats);
    tgr_linear_forward(&linear, ROWS, x, y, accumulate);
    check_forward(&linear, x, accumulate ? old_y : NULL, y);
    tgr_linear_backward(&linear, ROWS, x, dy, want_dx ? dx : NULL, accumulate, partial);
    check_backward(&linear, x, dy, want_dx ? dx : NULL, accumulate ? old_dx : NULL, old);
    FOR(r, ROWS)
        for (int64_t i = INPUTS; i < linear.x_stride; i++) { /* between the rows nothing changes */
            assert_same_bytes(dx + r * linear.x_stride + i, old_dx + r * linear.x_stride + i, sizeof(float));
        }
    free(x), free(y), free(dy), free(dx), free(partial), free(old_y), free(old_dx), free(old);
}

static void test_linear(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        tgr_parameters *parameters = new_parameters(threads);
        tgr_linear linear;
        assert_status(TGR_OK, tgr_linear_declare(&linear, parameters, "a", 0, INPUTS, OUTPUTS, TGR_PRECISION_FLOAT32));
        seal(parameters);
        check_linear(linear, 0, 1);
        check_linear(linear, 1, 1);
        check_linear(linear, 0, 0);
        check_linear(tgr_linear_of(parameters, INPUTS, OUTPUTS, linear.weight, TGR_NO_BIAS), 1, 1);
        linear.x_stride = STRIDE;
        check_linear(linear, 0, 1);
        check_linear(linear, 1, 1);
        tgr_parameters_release(parameters);
    }
}

static void test_initialise(void **state) {
    (void)state;
    tgr_parameters *parameters = new_parameters(1);
    tgr_linear linear;
    assert_status(TGR_OK, tgr_linear_declare(&linear, parameters, "a", 0, INPUTS, OUTPUTS, TGR_PRECISION_FLOAT32));
    seal(parameters);
    tgr_linear_initialise(&linear, 0.5);
    const float *weight = tgr_value(parameters, linear.weight), *bias = tgr_value(parameters, linear.bias);
    double squares = 0;
    FOR(i, INPUTS * OUTPUTS) squares += (double)weight[i] * weight[i];
    assert_close(sqrt(squares / (INPUTS * OUTPUTS)), 0.5, 0.05);
    FOR(o, OUTPUTS) assert_true(bias[o] == 0);
    tgr_parameters_release(parameters);
}

/* A name that does not fit with what the layer adds to it is refused, not truncated. */
static void test_names(void **state) {
    (void)state;
    tgr_parameters *parameters = new_parameters(1);
    tgr_linear linear;
    tgr_ffn ffn;
    char prefix[TGR_NAME_BYTES];
    memset(prefix, 'a', sizeof prefix);
    prefix[TGR_NAME_BYTES - 1] = '\0';
    for (int64_t length = TGR_NAME_BYTES - 1; length > TGR_NAME_BYTES - 8; length--) {
        prefix[length] = '\0';
        assert_true(tgr_linear_declare(&linear, parameters, prefix, 0, 2, 3, TGR_PRECISION_FLOAT32) != TGR_OK);
        assert_true(tgr_ffn_declare(&ffn, parameters, prefix, 0, 2, 3, TGR_PRECISION_FLOAT32) != TGR_OK);
    }
    prefix[TGR_NAME_BYTES - 8] = '\0';
    assert_status(TGR_OK, tgr_linear_declare(&linear, parameters, prefix, 0, 2, 3, TGR_PRECISION_FLOAT32));
    assert_string_equal(parameters->tensors[linear.weight].name + TGR_NAME_BYTES - 8, ".weight");
    tgr_parameters_release(parameters);
}

/* An FFN with buffers for ROWS rows. */
typedef struct test_ffn {
    tgr_parameters *parameters;
    tgr_ffn ffn;
    void *memory;
    float *partial;
} test_ffn;

static test_ffn start_ffn(int threads, int64_t groups, tgr_mode mode) {
    test_ffn t = {.parameters = new_parameters(threads)};
    test_random random = test_random_start(1);
    tgr_arena arena = {0};
    assert_status(TGR_OK, tgr_ffn_declare(&t.ffn, t.parameters, "f", groups, INPUTS, HIDDEN, TGR_PRECISION_FLOAT32));
    seal(t.parameters);
    for (int pass = 0; pass < 2; pass++) {
        tgr_ffn_plan_kept(&t.ffn, &arena, ROWS);
        tgr_ffn_plan_work(&t.ffn, mode, &arena, ROWS);
        if (pass == 1) break;
        t.memory = aligned_alloc(64, (size_t)arena.used);
        assert_non_null(t.memory);
        arena = (tgr_arena){.base = t.memory, .capacity = arena.used};
    }
    t.partial = test_random_floats(&random, tgr_partial_floats(ROWS, HIDDEN, 1));
    return t;
}

static void end_ffn(test_ffn *t) {
    tgr_parameters_release(t->parameters);
    free(t->memory), free(t->partial);
}

/* Value or gradient of group g of a tensor [groups, …]. */
static float *part(float *tensor, const tgr_parameters *parameters, int64_t index, int64_t g) {
    return tensor + g * (parameters->tensors[index].count / GROUPS);
}

/* The numbers of group g become those of a layer of its own, or are compared with them. */
static void exchange(const test_ffn *all, int64_t g, const test_ffn *one, int compare) {
    FOR(t, all->parameters->tensor_count) {
        size_t bytes = (size_t)one->parameters->tensors[t].count * sizeof(float);
        float *value = part(tgr_value(all->parameters, t), all->parameters, t, g);
        float *gradient = part(tgr_gradient(all->parameters, t), all->parameters, t, g);
        if (!compare) memcpy(tgr_value(one->parameters, t), value, bytes);
        if (!compare) memcpy(tgr_gradient(one->parameters, t), gradient, bytes);
        int is_bias = all->parameters->tensors[t].ndim == 2;
        if (compare && is_bias) /* summed in another order */
            assert_all_close(gradient, tgr_gradient(one->parameters, t), one->parameters->tensors[t].count, 1e-4, 1e-5);
        if (compare && !is_bias) assert_same_bytes(gradient, tgr_gradient(one->parameters, t), bytes);
    }
}

/* Each group gives bit for bit what an FFN of its own gives on its rows. */
static void test_groups(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        test_random random = test_random_start(9);
        float *x = test_random_floats(&random, ROWS * INPUTS), *dy = test_random_floats(&random, ROWS * INPUTS);
        float *y = test_random_floats(&random, ROWS * INPUTS), *dx = test_random_floats(&random, ROWS * INPUTS);
        float *y_one = test_random_floats(&random, ROWS * INPUTS), *dx_one = test_random_floats(&random, ROWS * INPUTS);
        test_ffn all = start_ffn(threads, GROUPS, TGR_TRAIN), ones[GROUPS];
        FOR(g, GROUPS) ones[g] = start_ffn(threads, 0, TGR_TRAIN);
        FOR(g, GROUPS) exchange(&all, g, &ones[g], 0);
        tgr_ffn_forward(&all.ffn, first_row, x, y, 0);
        tgr_ffn_backward(&all.ffn, first_row, x, dy, dx, 0, NULL);
        FOR(g, GROUPS) {
            int64_t rows = first_row[g + 1] - first_row[g], at = first_row[g] * INPUTS;
            tgr_ffn_forward(&ones[g].ffn, TGR_ALL_ROWS(rows), x + at, y_one + at, 0);
            tgr_ffn_backward(&ones[g].ffn, TGR_ALL_ROWS(rows), x + at, dy + at, dx_one + at, 0, ones[g].partial);
            exchange(&all, g, &ones[g], 1);
            end_ffn(&ones[g]);
        }
        assert_same_bytes(y, y_one, sizeof(float) * ROWS * INPUTS);
        assert_same_bytes(dx, dx_one, sizeof(float) * ROWS * INPUTS);
        end_ffn(&all);
        free(x), free(dy), free(y), free(dx), free(y_one), free(dx_one);
    }
}

/* A group without rows: its gradients stay as they are, to the sign of a zero. */
static void test_empty_group(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    float *x = test_random_floats(&random, ROWS * INPUTS), *y = test_random_floats(&random, ROWS * INPUTS);
    test_ffn t = start_ffn(2, GROUPS, TGR_TRAIN);
    const tgr_parameters *parameters = t.parameters;
    FOR(i, parameters->floats) parameters->gradients[i] = -0.0f;
    tgr_ffn_forward(&t.ffn, first_row, x, y, 0);
    tgr_ffn_backward(&t.ffn, first_row, x, y, NULL, 0, NULL);
    FOR(n, parameters->tensor_count) {
        const float *empty = part(tgr_gradient(parameters, n), parameters, n, 2);
        FOR(i, parameters->tensors[n].count / GROUPS) assert_true(empty[i] == 0 && signbit(empty[i]));
        assert_true(part(tgr_gradient(parameters, n), parameters, n, 1)[0] != 0);
    }
    end_ffn(&t);
    free(x), free(y);
}

static double gelu(double x) {
    return x * 0.5 * erfc(-x * sqrt(0.5));
}

/* y += fc2(gelu(fc1(x))), with the same bits in TGR_EVAL, where hidden_a and hidden_b are one. */
static void test_ffn_forward(void **state) {
    (void)state;
    test_random random = test_random_start(4);
    float *x = test_random_floats(&random, ROWS * INPUTS), *old = test_random_floats(&random, ROWS * INPUTS);
    float *y = copy_of(old, ROWS * INPUTS), *y_eval = copy_of(old, ROWS * INPUTS);
    test_ffn train = start_ffn(2, 0, TGR_TRAIN), eval = start_ffn(2, 0, TGR_EVAL);
    tgr_ffn_forward(&train.ffn, TGR_ALL_ROWS(ROWS), x, y, 1);
    tgr_ffn_forward(&eval.ffn, TGR_ALL_ROWS(ROWS), x, y_eval, 1);
    assert_ptr_equal(eval.ffn.hidden_a, eval.ffn.hidden_b);
    assert_same_bytes(y_eval, y, sizeof(float) * ROWS * INPUTS);
    const tgr_linear *fc1 = &train.ffn.fc1, *fc2 = &train.ffn.fc2;
    const float *weight1 = tgr_value(train.parameters, fc1->weight), *bias1 = tgr_value(train.parameters, fc1->bias);
    const float *weight2 = tgr_value(train.parameters, fc2->weight), *bias2 = tgr_value(train.parameters, fc2->bias);
    FOR(r, ROWS) {
        double hidden[HIDDEN];
        FOR(h, HIDDEN) {
            double sum = bias1[h];
            FOR(i, INPUTS) sum += (double)x[r * INPUTS + i] * weight1[h * INPUTS + i];
            hidden[h] = gelu(sum);
        }
        FOR(o, INPUTS) {
            double sum = old[r * INPUTS + o] + bias2[o];
            FOR(h, HIDDEN) sum += hidden[h] * weight2[o * HIDDEN + h];
            assert_close(y[r * INPUTS + o], sum, 2e-5);
        }
    }
    end_ffn(&train), end_ffn(&eval);
    free(x), free(old), free(y), free(y_eval);
}

enum backward_kind { PLAIN, RECOMPUTED, IN_PLACE, WITHOUT_DX, KINDS };

/* Backward after a recomputation, with dx in the place of x, or without dx: the same bits as the plain one. Where x is
 * overwritten, no task of the same job may read it. */
static void test_ffn_backward(void **state) {
    (void)state;
    for (int64_t groups = 0; groups <= GROUPS; groups += GROUPS) {
        const int64_t *first = groups > 0 ? first_row : TGR_ALL_ROWS(ROWS);
        float *dx[KINDS], *gradients[KINDS];
        for (int kind = PLAIN; kind < KINDS; kind++) {
            test_random random = test_random_start(6);
            float *x = test_random_floats(&random, ROWS * INPUTS), *dy = test_random_floats(&random, ROWS * INPUTS);
            float *y = test_random_floats(&random, ROWS * INPUTS);
            test_ffn t = start_ffn(kind == IN_PLACE ? 0 : 2, groups, TGR_TRAIN);
            tgr_ffn_forward(&t.ffn, first, x, y, 0);
            if (kind == RECOMPUTED) {
                FOR(i, ROWS * HIDDEN) t.ffn.hidden_a[i] = t.ffn.hidden_b[i] = NAN;
                tgr_ffn_recompute(&t.ffn, first, x);
            }
            tgr_ffn_backward(&t.ffn, first, x, dy, kind == IN_PLACE ? x : kind == WITHOUT_DX ? NULL : y, 0, t.partial);
            dx[kind] = copy_of(kind == IN_PLACE ? x : y, ROWS * INPUTS);
            gradients[kind] = copy_of(t.parameters->gradients, t.parameters->floats);
            assert_same_bytes(gradients[kind], gradients[PLAIN], sizeof(float) * (size_t)t.parameters->floats);
            if (kind != WITHOUT_DX) assert_same_bytes(dx[kind], dx[PLAIN], sizeof(float) * ROWS * INPUTS);
            end_ffn(&t);
            free(x), free(dy), free(y);
        }
        for (int kind = PLAIN; kind < KINDS; kind++) free(dx[kind]), free(gradients[kind]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear),      cmocka_unit_test(test_initialise),
                                       cmocka_unit_test(test_names),       cmocka_unit_test(test_groups),
                                       cmocka_unit_test(test_empty_group), cmocka_unit_test(test_ffn_forward),
                                       cmocka_unit_test(test_ffn_backward)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
