/* SPDX-License-Identifier: MIT */
/* LayerNorm, sums and optimizer steps of every kind of processor that this machine can be, against formulas in double
 * precision. */
#include "guarded.h"

static const int64_t some_columns[] = {1, 2, 3, 8, 15, 16, 17, 31, 33, 50, 64, 197, 384, 1001};
static const int64_t some_rows[] = {1, 2, 4, 5, 9};
enum { COLUMNS = sizeof some_columns / sizeof *some_columns, ROWS = sizeof some_rows / sizeof *some_rows };

/* Runs `test` with all kernels on all shapes. */
static void for_each_shape(void (*test)(const tgr_kernels *kernels, test_random *random, int64_t rows,
                                        int64_t columns)) {
    test_random random = test_random_start(1);
    FOR_KERNELS(kernels) {
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++) test(kernels, &random, some_rows[r], some_columns[c]);
    }
}

static double *doubles(int64_t count) {
    double *memory = calloc((size_t)count, sizeof(double));
    assert_non_null(memory);
    return memory;
}

/* Σ_c dy·LayerNorm(x) of one row, in double. `moved` is added to x[at]. */
static double layer_norm_product(int64_t columns, const float *x, const float *weight, const float *bias,
                                 const float *dy, int64_t at, double moved, double *y) {
    double mean = 0, variance = 0, product = 0;
    FOR(c, columns) mean += (x[c] + (c == at ? moved : 0)) / (double)columns;
    FOR(c, columns) variance += pow(x[c] + (c == at ? moved : 0) - mean, 2) / (double)columns;
    FOR(c, columns) {
        double value = (x[c] + (c == at ? moved : 0) - mean) / sqrt(variance + 1e-3) * weight[c] + bias[c];
        if (y) y[c] = value;
        product += dy[c] * value;
    }
    return product;
}

/* Forward against the formula; dx, dweight and dbias against differences of the formula. */
static void layer_norm_at(const tgr_kernels *kernels, test_random *random, int64_t rows, int64_t columns) {
    int64_t count = rows * columns;
    guarded x = guarded_make(random, count, -1, 3), y = guarded_make(random, count, 0, 0);
    guarded dy = guarded_make(random, count, -1, 1), dx = guarded_make(random, count, -1, 1);
    guarded weight = guarded_make(random, columns, 0.5, 2), bias = guarded_make(random, columns, -1, 1);
    guarded dweight = guarded_make(random, columns, -1, 1), dbias = guarded_make(random, columns, -1, 1);
    guarded mean = guarded_make(random, rows, 0, 0), rstd = guarded_make(random, rows, 0, 0);
    double *expected = doubles(count), *slope = doubles(count), *sums = doubles(2 * columns);
    FOR(c, columns) sums[c] = dweight.data[c], sums[columns + c] = dbias.data[c];
    FOR(r, rows) {
        const float *x_row = x.data + r * columns, *dy_row = dy.data + r * columns;
        double *y_row = expected + r * columns;
        layer_norm_product(columns, x_row, weight.data, bias.data, dy_row, 0, 0, y_row);
        FOR(c, columns) {
            sums[c] += dy_row[c] * (y_row[c] - bias.data[c]) / weight.data[c];
            sums[columns + c] += dy_row[c];
            if (columns > 100 && c % 37 > 0) continue; /* a few are enough */
            slope[r * columns + c] =
                (layer_norm_product(columns, x_row, weight.data, bias.data, dy_row, c, 1e-5, NULL) -
                 layer_norm_product(columns, x_row, weight.data, bias.data, dy_row, c, -1e-5, NULL)) /
                2e-5;
        }
    }
    kernels->layer_norm(rows, columns, x.data, weight.data, bias.data, 1e-3f, y.data, mean.data, rstd.data);
    check_values(kernels->name, "layer_norm", y.data, expected, count, 5e-6, 1e-6);

    FOR(i, count) y.data[i] = dx.data[i];
    kernels->layer_norm_backward(rows, columns, x.data, weight.data, mean.data, rstd.data, dy.data, 1, y.data,
                                 dweight.data, dbias.data);
    check_values(kernels->name, "dweight", dweight.data, sums, columns, 3e-5, 1e-6);
    check_values(kernels->name, "dbias", dbias.data, sums + columns, columns, 3e-6, 1e-6);
    kernels->layer_norm_backward(rows, columns, x.data, weight.data, mean.data, rstd.data, dy.data, 0, dy.data,
                                 dweight.data, dbias.data);
    FOR(i, count) {
        assert_close(y.data[i], (double)dx.data[i] + dy.data[i], 1e-6 + 1e-6 * fabs((double)dy.data[i]));
        if (columns > 100 && i % columns % 37 > 0) slope[i] = dy.data[i];
    }
    check_values(kernels->name, "dx", dy.data, slope, count, 5e-5, 5e-5);
    guarded_free(x), guarded_free(y), guarded_free(dy), guarded_free(dx), guarded_free(weight), guarded_free(bias);
    guarded_free(dweight), guarded_free(dbias), guarded_free(mean), guarded_free(rstd);
    free(expected), free(slope), free(sums);
}

static void test_layer_norm(void **state) {
    (void)state;
    for_each_shape(layer_norm_at);
}

/* A constant row gives the bias, a far mean costs no more than its rounding, a NaN or infinity stays in its row. */
static void test_layer_norm_special(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    FOR_KERNELS(kernels) {
        for (int n = 0; n < COLUMNS; n++) {
            int64_t columns = some_columns[n];
            guarded x = guarded_make(&random, 4 * columns, 0.5, 0.5), y = guarded_make(&random, 4 * columns, 0, 0);
            guarded weight = guarded_make(&random, columns, 1, 1), bias = guarded_make(&random, columns, 0, 0);
            float mean[4], rstd[4];
            FOR(c, columns) x.data[columns + c] = 1e4f + (float)(c % 2);
            x.data[2 * columns + columns / 2] = NAN;
            x.data[3 * columns + columns / 3] = INFINITY;
            kernels->layer_norm(4, columns, x.data, weight.data, bias.data, 1e-6f, y.data, mean, rstd);
            FOR(c, columns) assert_true(y.data[c] == 0.0f);
            for (int64_t c = 0; c < columns && columns % 2 == 0; c++)
                assert_close(y.data[columns + c], c % 2 ? 1 : -1, 1e-2);
            for (int64_t c = 2 * columns; c < 4 * columns; c++) assert_true(isnan(y.data[c]));
            guarded_free(x), guarded_free(y), guarded_free(weight), guarded_free(bias);
        }
    }
}

/* add, axpy, add_scaled with and without its scales, and backward. */
static void additions_at(const tgr_kernels *kernels, test_random *random, int64_t rows, int64_t columns) {
    int64_t count = rows * columns;
    guarded x = guarded_make(random, count, -1, 1), y = guarded_make(random, count, -1, 1);
    guarded scale = guarded_make(random, columns, -2, 2), row_scale = guarded_make(random, rows, -2, 2);
    guarded dscale = guarded_make(random, columns, -1, 1), dy = guarded_make(random, count, -1, 1);
    guarded dx = guarded_make(random, count, -1, 1);
    double *sum = doubles(count), *slope = doubles(count), *dscales = doubles(columns);
    FOR(i, count) sum[i] = y.data[i];
    FOR(c, columns) dscales[c] = dscale.data[c];
    for (int with = 0; with < 4; with++) {
        const float *by_column = with & 1 ? scale.data : NULL, *by_row = with & 2 ? row_scale.data : NULL;
        FOR(i, count) {
            double row_factor = by_row ? by_row[i / columns] : 1, factor = by_column ? by_column[i % columns] : 1;
            sum[i] += factor * row_factor * x.data[i];
            slope[i] = factor * row_factor * dy.data[i];
            if (by_column) dscales[i % columns] += row_factor * x.data[i] * dy.data[i];
        }
        kernels->add_scaled(rows, columns, by_column, by_row, x.data, y.data);
        check_values(kernels->name, "add_scaled", y.data, sum, count, 4e-6, 1e-6);
        kernels->add_scaled_backward(rows, columns, by_column, by_row, by_column ? x.data : NULL, dy.data, dx.data,
                                     by_column ? dscale.data : NULL);
        check_values(kernels->name, "add_scaled_backward", dx.data, slope, count, 0, 3e-7);
        check_values(kernels->name, "dscale", dscale.data, dscales, columns, 4e-6, 1e-6);
    }
    kernels->add_scaled_backward(rows, columns, scale.data, row_scale.data, x.data, dy.data, dy.data, dscale.data);
    assert_same_bytes(dy.data, dx.data, (size_t)count * sizeof(float));
    kernels->add(count, x.data, y.data);
    kernels->axpy(count, -0.3f, dx.data, y.data);
    FOR(i, count) sum[i] += x.data[i] - 0.3 * dx.data[i];
    check_values(kernels->name, "add and axpy", y.data, sum, count, 6e-6, 1e-6);
    guarded_free(x), guarded_free(y), guarded_free(scale), guarded_free(row_scale), guarded_free(dscale);
    guarded_free(dy), guarded_free(dx), free(sum), free(slope), free(dscales);
}

static void test_additions(void **state) {
    (void)state;
    for_each_shape(additions_at);
}

static void reductions_at(const tgr_kernels *kernels, test_random *random, int64_t rows, int64_t columns) {
    int64_t count = rows * columns;
    guarded x = guarded_make(random, count, -1, 1), y = guarded_make(random, count, -1, 1);
    guarded sum = guarded_make(random, columns, -1, 1);
    double dot = 0, squares = 0, *expected = doubles(columns), root = sqrt((double)count);
    FOR(c, columns) expected[c] = sum.data[c];
    FOR(i, count) {
        expected[i % columns] += x.data[i];
        dot += (double)x.data[i] * y.data[i];
        squares += (double)x.data[i] * x.data[i];
    }
    kernels->column_sum(rows, columns, x.data, sum.data);
    check_values(kernels->name, "column_sum", sum.data, expected, columns, 2e-6, 1e-6);
    assert_close(kernels->dot(count, x.data, y.data), dot, 1e-6 * root);
    assert_close(kernels->sum_squares(count, x.data), squares, 1e-13 * squares);
    int64_t place = test_random_integer(random, 0, count - 1);
    x.data[place] = 3e38f;
    assert_close(kernels->sum_squares(count, x.data) / ((double)3e38f * 3e38f), 1, 1e-12);
    x.data[place] = -INFINITY;
    assert_true(kernels->sum_squares(count, x.data) == INFINITY);
    x.data[place] = NAN;
    assert_true(isnan(kernels->sum_squares(count, x.data)));
    assert_true(isnan(kernels->dot(count, x.data, y.data)));
    guarded_free(x), guarded_free(y), guarded_free(sum), free(expected);
}

static void test_reductions(void **state) {
    (void)state;
    for_each_shape(reductions_at);
}

static void optimizer_at(const tgr_kernels *kernels, test_random *random, int64_t rows, int64_t columns) {
    int64_t count = rows * columns;
    guarded w = guarded_make(random, count, -1, 1), g = guarded_make(random, count, -1, 1);
    guarded m = guarded_make(random, count, -1, 1), v = guarded_make(random, count, 0, 1);
    const double s = 0.5, b1 = 0.9f, b2 = 0.999f, c1 = 10, c2 = 1000, rate = 0.01f, eps = 1e-8f, decay = 0.001f;
    double *ew = doubles(count), *em = doubles(count), *ev = doubles(count);
    FOR(i, count) {
        if (i % 7 == 0) g.data[i] = m.data[i] = v.data[i] = 0.0f; /* a weight that was never used only decays */
        em[i] = b1 * m.data[i] + (1 - b1) * g.data[i] * s;
        ev[i] = b2 * v.data[i] + (1 - b2) * g.data[i] * s * g.data[i] * s;
        ew[i] = w.data[i] - (rate * em[i] * c1 / (sqrt(ev[i] * c2) + eps) + decay * w.data[i]);
    }
    kernels->adamw(count, w.data, g.data, m.data, v.data, (float)s, (float)b1, (float)b2, (float)c1, (float)c2,
                   (float)rate, (float)eps, (float)decay);
    check_values(kernels->name, "adamw m", m.data, em, count, 1e-7, 1e-6);
    check_values(kernels->name, "adamw v", v.data, ev, count, 1e-9, 1e-6);
    check_values(kernels->name, "adamw w", w.data, ew, count, 1e-6, 1e-6);
    FOR(i, count) {
        em[i] = b1 * m.data[i] + (g.data[i] * s + decay * w.data[i]);
        ew[i] = w.data[i] - rate * em[i];
    }
    kernels->sgd(count, w.data, g.data, m.data, (float)s, (float)b1, (float)rate, (float)decay);
    check_values(kernels->name, "sgd m", m.data, em, count, 2e-7, 1e-6);
    check_values(kernels->name, "sgd w", w.data, ew, count, 1e-7, 1e-6);
    guarded_free(w), guarded_free(g), guarded_free(m), guarded_free(v), free(ew), free(em), free(ev);
}

static void test_optimizer(void **state) {
    (void)state;
    for_each_shape(optimizer_at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_layer_norm_special), cmocka_unit_test(test_additions),
        cmocka_unit_test(test_reductions), cmocka_unit_test(test_optimizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
