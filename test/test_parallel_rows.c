/* SPDX-License-Identifier: MIT */
/* Row kernels on whole tensors: the same bytes at any number of threads, and what the kernel gives by itself. */
#include <string.h>

#include "base/context.h"
#include "guarded.h"
#include "kernels/parallel_rows.h"

typedef struct shape {
    int64_t rows, columns;
} shape;

/* One block, a few blocks, more blocks than partial sums are kept for, rows that are larger than a block. */
static const shape shapes[] = {{1, 1}, {3, 5}, {1500, 77}, {70000, 3}, {1300000, 1}, {3, 20000}, {7000, 384}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Everything that the functions read and write. */
enum {
    X,
    DY,
    WEIGHT,
    BIAS,
    SCALE,
    ROW_SCALE,
    INPUTS,
    Y = INPUTS,
    MEAN,
    RSTD,
    DX,
    DWEIGHT,
    DBIAS,
    SOFTMAX,
    LSE,
    ADDED,
    SCALED,
    DSCALED,
    DROPPED,
    DSCALE,
    SUM,
    PARTIAL,
    ARRAYS
};

typedef struct tensors {
    shape s;
    int64_t count;
    guarded array[ARRAYS];
} tensors;

static tensors tensors_make(shape s) {
    int64_t count = s.rows * s.columns;
    test_random random = test_random_start(1);
    tensors t = {.s = s, .count = count};
    for (int a = 0; a < ARRAYS; a++) {
        int64_t floats = count;
        if (a == WEIGHT || a == BIAS || a == SCALE || a == DWEIGHT || a == DBIAS || a == DSCALE || a == SUM)
            floats = s.columns;
        if (a == ROW_SCALE || a == MEAN || a == RSTD || a == LSE) floats = s.rows;
        if (a == PARTIAL) floats = tgr_partial_floats(s.rows, s.columns, 2);
        t.array[a] = guarded_make(&random, floats, -2, 2);
    }
    return t;
}

static void tensors_free(tensors *t) {
    for (int a = 0; a < ARRAYS; a++) guarded_free(t->array[a]);
}

static void run_parallel(const tgr_compute *compute, const tensors *t) {
    int64_t rows = t->s.rows, columns = t->s.columns, count = t->count;
    float *d[ARRAYS];
    for (int a = 0; a < ARRAYS; a++) d[a] = t->array[a].data;
    tgr_layer_norm(compute, rows, columns, d[X], d[WEIGHT], d[BIAS], 1e-3f, d[Y], d[MEAN], d[RSTD]);
    tgr_layer_norm_backward(compute, rows, columns, d[X], d[WEIGHT], d[MEAN], d[RSTD], d[DY], 1, d[DX], d[DWEIGHT],
                            d[DBIAS], d[PARTIAL]);
    tgr_softmax_rows(compute, rows, columns, 0.3f, d[X], d[SOFTMAX], d[LSE]);
    tgr_add_into(compute, count, d[X], d[ADDED]);
    tgr_add_scaled(compute, rows, columns, d[SCALE], d[ROW_SCALE], d[X], d[SCALED]);
    tgr_add_scaled_backward(compute, rows, columns, d[SCALE], d[ROW_SCALE], d[X], d[DY], d[DSCALED], d[DSCALE],
                            d[PARTIAL]);
    tgr_add_scaled_backward(compute, rows, columns, NULL, d[ROW_SCALE], NULL, d[DY], d[DROPPED], NULL, NULL);
    tgr_column_sum(compute, rows, columns, d[DY], d[SUM], d[PARTIAL]);
}

static void run_serial(const tgr_kernels *kernels, const tensors *t) {
    int64_t rows = t->s.rows, columns = t->s.columns, count = t->count;
    float *d[ARRAYS];
    for (int a = 0; a < ARRAYS; a++) d[a] = t->array[a].data;
    kernels->layer_norm(rows, columns, d[X], d[WEIGHT], d[BIAS], 1e-3f, d[Y], d[MEAN], d[RSTD]);
    kernels->layer_norm_backward(rows, columns, d[X], d[WEIGHT], d[MEAN], d[RSTD], d[DY], 1, d[DX], d[DWEIGHT],
                                 d[DBIAS]);
    kernels->softmax(rows, columns, 0.3f, d[X], d[SOFTMAX], d[LSE]);
    kernels->add(count, d[X], d[ADDED]);
    kernels->add_scaled(rows, columns, d[SCALE], d[ROW_SCALE], d[X], d[SCALED]);
    kernels->add_scaled_backward(rows, columns, d[SCALE], d[ROW_SCALE], d[X], d[DY], d[DSCALED], d[DSCALE]);
    kernels->add_scaled_backward(rows, columns, NULL, d[ROW_SCALE], NULL, d[DY], d[DROPPED], NULL);
    kernels->column_sum(rows, columns, d[DY], d[SUM]);
}

static int is_sum_over_rows(int array) {
    return array == DWEIGHT || array == DBIAS || array == DSCALE || array == SUM;
}

static void test_against_kernel(void **state) {
    (void)state;
    tgr_context *context = test_context(3, 1);
    for (int n = 0; n < SHAPES; n++) {
        tensors actual = tensors_make(shapes[n]), expected = tensors_make(shapes[n]);
        run_parallel(&context->compute, &actual);
        run_serial(context->compute.kernels, &expected);
        for (int a = 0; a < PARTIAL; a++) {
            /* Sums over many rows round otherwise in another order: serially by about sqrt(rows)·1e-7 of their size. */
            double tolerance = is_sum_over_rows(a) ? 1e-6 * (double)shapes[n].rows : 1e-6;
            assert_all_close(actual.array[a].data, expected.array[a].data, actual.array[a].count, tolerance, 1e-6);
        }
        tensors_free(&actual), tensors_free(&expected);
    }
    tgr_context_free(context);
}

static void test_threads(void **state) {
    static const int thread_counts[] = {1, 2, 3, 5};
    (void)state;
    for (int n = 0; n < SHAPES; n++) {
        tensors first = tensors_make(shapes[n]);
        for (int k = 0; k < 4; k++) {
            tgr_context *context = test_context(thread_counts[k], 1);
            tensors t = tensors_make(shapes[n]);
            run_parallel(&context->compute, k == 0 ? &first : &t);
            for (int a = 0; k > 0 && a < ARRAYS; a++)
                assert_same_bytes(t.array[a].data, first.array[a].data, (size_t)t.array[a].count * sizeof(float));
            tensors_free(&t);
            tgr_context_free(context);
        }
        tensors_free(&first);
    }
}

/* Adding 1 to a float32 stops at 2^24; sums by block do not. */
static void test_long_sum(void **state) {
    (void)state;
    const int64_t rows = 20000000;
    float *ones = malloc((size_t)rows * sizeof(float)), partial[TGR_SUM_BLOCKS_MAX], sum = 0;
    assert_non_null(ones);
    assert_true(tgr_partial_floats(rows, 1, 1) <= TGR_SUM_BLOCKS_MAX);
    FOR(r, rows) ones[r] = 1.0f;
    tgr_context *context = test_context(2, 1);
    tgr_column_sum(&context->compute, rows, 1, ones, &sum, partial);
    assert_close(sum, (double)rows, 2);
    tgr_context_free(context);
    free(ones);
}

static void test_nothing(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 1);
    FOR(rows, 2) {
        tensors t = tensors_make((shape){2, 2}), before = tensors_make((shape){2, 2});
        t.s = (shape){rows, rows ? 0 : 2};
        t.count = 0;
        run_parallel(&context->compute, &t);
        for (int a = 0; a < ARRAYS; a++)
            assert_same_bytes(t.array[a].data, before.array[a].data, (size_t)t.array[a].count * sizeof(float));
        tensors_free(&t), tensors_free(&before);
    }
    tgr_context_free(context);
}

/* The promises that buffers are sized by. */
static void test_partial_floats(void **state) {
    (void)state;
    for (int64_t columns = 1; columns < 40000; columns = columns * 2 + 1) {
        int64_t last = 0;
        for (int64_t rows = 0; rows < 3000000; rows += 1 + rows / 3) {
            int64_t floats = tgr_partial_floats(rows, columns, 2);
            assert_true(floats >= last && floats <= TGR_SUM_BLOCKS_MAX * 2 * columns);
            last = floats;
        }
    }
    assert_true(tgr_partial_floats(INT64_MAX, INT64_MAX, 2) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_kernel), cmocka_unit_test(test_threads),        cmocka_unit_test(test_long_sum),
        cmocka_unit_test(test_nothing),        cmocka_unit_test(test_partial_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
