/* SPDX-License-Identifier: MIT */
/* GELU and softmax of every kind of processor that this machine can be, against formulas in double precision. */
#include <string.h>

#include "guarded.h"

static const int64_t some_columns[] = {1, 2, 3, 8, 15, 16, 17, 31, 33, 50, 64, 197, 384, 1001};
static const int64_t some_rows[] = {1, 2, 5, 9};

#define FOR_SHAPES(rows, columns)                                                                            \
    for (int64_t rows##_i = 0, rows; rows##_i < 4 && (rows = some_rows[rows##_i], 1); rows##_i++)            \
        for (int64_t columns##_i = 0, columns; columns##_i < 14 && (columns = some_columns[columns##_i], 1); \
             columns##_i++)

/* Values that formulas trip over; INFINITY and NaN come last. */
static const float special_values[] = {0.0f,  -0.0f,  1e-45f, -1e-45f, 1e-39f,   -3e-39f,   1e-30f, 0.5f,  -0.5f,
                                       4.9f,  -5.5f,  9.3f,   -9.3f,   -12.9f,   -13.5f,    -14.5f, 30.0f, -30.0f,
                                       1e10f, -1e10f, 3e38f,  -3e38f,  INFINITY, -INFINITY, NAN,    -NAN};
enum { SPECIAL_COUNT = sizeof special_values / sizeof *special_values };

static double normal(double x) {
    return 0.5 * erfc(-x * sqrt(0.5));
}
static double gelu(double x) {
    return x == -INFINITY ? 0 : x * normal(x);
}
static double gelu_slope(double x) {
    return normal(x) + (isinf(x) ? 0 : x * exp(-0.5 * x * x) * 0.3989422804014327);
}

/* The bounds of kernels.h. */
static void check_gelu(const char *name, const float *x, const float *y, int64_t count) {
    FOR(i, count) {
        double expected = gelu(x[i]);
        check_values(name, "gelu", y + i, &expected, 1, 2.5e-7 * fmax(1, fabs(isinf(x[i]) ? 1 : x[i])), 0);
    }
}
static void check_gelu_slope(const char *name, const float *x, const float *dy, const float *dx, int64_t count) {
    FOR(i, count) {
        double expected = dy[i] * gelu_slope(x[i]);
        check_values(name, "gelu_backward", dx + i, &expected, 1, 4.5e-7 * fabs((double)dy[i]), 1e-7);
    }
}

static double *doubles(int64_t count) {
    double *memory = calloc((size_t)count, sizeof(double));
    assert_non_null(memory);
    return memory;
}

static void test_gelu(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    FOR_KERNELS(kernels) {
        for (size_t n = 0; n < sizeof some_columns / sizeof *some_columns; n++) {
            int64_t count = some_columns[n];
            guarded x = guarded_make(&random, count, -14, 14), y = guarded_make(&random, count, 0, 0);
            guarded dy = guarded_make(&random, count, -2, 2), dx = guarded_make(&random, count, 0, 0);
            guarded y_again = guarded_make(&random, count, 0, 0);
            kernels->gelu(count, x.data, y.data);
            check_gelu(kernels->name, x.data, y.data, count);
            kernels->gelu_backward(count, x.data, dy.data, y_again.data, dx.data);
            check_gelu_slope(kernels->name, x.data, dy.data, dx.data, count);
            assert_same_bytes(y_again.data, y.data, (size_t)count * sizeof(float));
            memcpy(y_again.data, x.data, (size_t)count * sizeof(float));
            kernels->gelu_backward(count, y_again.data, dy.data, y_again.data, dy.data);
            assert_same_bytes(y_again.data, y.data, (size_t)count * sizeof(float));
            assert_same_bytes(dy.data, dx.data, (size_t)count * sizeof(float));
            kernels->gelu(count, x.data, x.data);
            assert_same_bytes(x.data, y.data, (size_t)count * sizeof(float));
            guarded_free(x), guarded_free(y), guarded_free(dy), guarded_free(dx), guarded_free(y_again);
        }
    }
}

/* Every part of the curve, its joints with the limits and both tails. */
static void test_gelu_sweep(void **state) {
    enum { COUNT = 4096 };
    static float x[COUNT], y[COUNT], dx[COUNT], ones[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) ones[i] = 1.0f;
    FOR_KERNELS(kernels) {
        for (double start = -8; start < 8; start += COUNT * 2e-5) {
            for (int i = 0; i < COUNT; i++) x[i] = (float)(start + 2e-5 * i);
            kernels->gelu_backward(COUNT, x, ones, y, dx);
            check_gelu(kernels->name, x, y, COUNT);
            check_gelu_slope(kernels->name, x, ones, dx, COUNT);
        }
        for (int i = 0; i < COUNT; i++) x[i] = (i % 2 ? -1.0f : 1.0f) * ldexpf(1.0f + (float)i / COUNT, i / 16 - 128);
        kernels->gelu_backward(COUNT, x, ones, y, dx);
        check_gelu(kernels->name, x, y, COUNT);
        check_gelu_slope(kernels->name, x, ones, dx, COUNT);
    }
}

/* The slope that the backward uses is the slope of the forward: central differences in double. */
static void test_gelu_slope(void **state) {
    (void)state;
    FOR_KERNELS(kernels) {
        for (float x = -6.0f; x < 6.0f; x += 0.0173f) {
            const float one = 1.0f;
            float y, dx;
            kernels->gelu_backward(1, &x, &one, &y, &dx);
            assert_close(dx, (gelu((double)x + 1e-5) - gelu((double)x - 1e-5)) / 2e-5, 1e-6);
        }
    }
}

/* Each special value in the vector part and in the rest of an array, neighbours untouched. */
static void test_gelu_special(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    FOR_KERNELS(kernels) {
        for (int s = 0; s < SPECIAL_COUNT; s++) {
            for (int64_t place = 5; place <= 35; place += 30) {
                guarded x = guarded_make(&random, 36, -1, 1), y = guarded_make(&random, 36, 0, 0);
                guarded ones = guarded_make(&random, 36, 1, 1), dx = guarded_make(&random, 36, 0, 0);
                x.data[place] = special_values[s];
                kernels->gelu(36, x.data, y.data);
                check_gelu(kernels->name, x.data, y.data, 36);
                kernels->gelu_backward(36, x.data, ones.data, y.data, dx.data);
                check_gelu(kernels->name, x.data, y.data, 36);
                check_gelu_slope(kernels->name, x.data, ones.data, dx.data, 36);
                guarded_free(x), guarded_free(y), guarded_free(ones), guarded_free(dx);
            }
        }
    }
}

/* An element's result does not depend on where it stands in an array, nor on how long the array is. */
static void test_gelu_place(void **state) {
    (void)state;
    test_random random = test_random_start(6);
    FOR_KERNELS(kernels) {
        float x[77], y[77], dx[77], dy[77];
        test_random_fill(&random, x, 77, -6, 6);
        test_random_fill(&random, dy, 77, -1, 1);
        kernels->gelu_backward(77, x, dy, y, dx);
        for (int i = 0; i < 77; i++) {
            float y_alone, dx_alone;
            kernels->gelu(1, x + i, &y_alone);
            assert_same_bytes(&y_alone, y + i, sizeof y_alone);
            kernels->gelu_backward(1, x + i, dy + i, &y_alone, &dx_alone);
            assert_same_bytes(&y_alone, y + i, sizeof y_alone);
            assert_same_bytes(&dx_alone, dx + i, sizeof dx_alone);
        }
    }
}

static void softmax_reference(int64_t columns, double scale, const float *x, double *y, double *lse) {
    double largest = -INFINITY, sum = 0;
    FOR(c, columns) largest = fmax(largest, scale * x[c]);
    FOR(c, columns) sum += y[c] = exp(scale * x[c] - largest);
    FOR(c, columns) y[c] /= sum;
    *lse = largest + log(sum);
}

static void softmax_backward_reference(int64_t columns, double scale, const float *y, const float *dy, double *dx) {
    double average = 0;
    FOR(c, columns) average += (double)y[c] * dy[c];
    FOR(c, columns) dx[c] = scale * y[c] * (dy[c] - average);
}

static void test_softmax(void **state) {
    static const float scales[] = {1.0f, 0.2f, -0.7f, 25.0f, 0.0f};
    (void)state;
    test_random random = test_random_start(3);
    FOR_KERNELS(kernels) {
        FOR_SHAPES(rows, columns) {
            int64_t count = rows * columns;
            float scale = scales[test_random_integer(&random, 0, 4)];
            guarded x = guarded_make(&random, count, -6, 6), y = guarded_make(&random, count, 0, 0);
            guarded lse = guarded_make(&random, rows, 0, 0), dy = guarded_make(&random, count, -1, 1);
            double *expected = doubles(count), *expected_lse = doubles(rows), *slope = doubles(count);
            FOR(r, rows)
                softmax_reference(columns, scale, x.data + r * columns, expected + r * columns, expected_lse + r);
            kernels->softmax(rows, columns, scale, x.data, y.data, lse.data);
            check_values(kernels->name, "softmax", y.data, expected, count, 1e-12, 3e-5);
            check_values(kernels->name, "lse", lse.data, expected_lse, rows, 1e-6, 2e-7);
            FOR(r, rows)
                softmax_backward_reference(columns, scale, y.data + r * columns, dy.data + r * columns,
                                           slope + r * columns);
            kernels->softmax_backward(rows, columns, scale, y.data, dy.data, dy.data);
            check_values(kernels->name, "softmax_backward", dy.data, slope, count, 3e-7 * fabs((double)scale), 1e-6);
            kernels->softmax_from_lse(rows, columns, scale, x.data, lse.data, x.data);
            check_values(kernels->name, "softmax_from_lse", x.data, expected, count, 1e-12, 6e-5);
            guarded_free(x), guarded_free(y), guarded_free(lse), guarded_free(dy);
            free(expected), free(expected_lse), free(slope);
        }
    }
}

/* Rows that tempt a softmax to overflow, to divide by zero, or to lose a NaN; each between two rows that are usual. */
static void test_softmax_special(void **state) {
    static const float rows[][4] = {{7, 7, 7, 7},
                                    {0, 0, 0, 0},
                                    {3e38f, 3e38f, -3e38f, 3e38f},
                                    {1e30f, 1, 0, -1e30f},
                                    {-INFINITY, 1, 2, 3},
                                    {1, -INFINITY, -INFINITY, -INFINITY},
                                    {-3e38f, -3e38f, -3e38f, -3e38f},
                                    {-1e-42f, 1e-42f, 0, 0},
                                    {88.8f, 0, -15.2f, -16.0f}};
    enum { ROWS = sizeof rows / sizeof *rows };
    (void)state;
    test_random random = test_random_start(4);
    FOR_KERNELS(kernels) {
        FOR(i, 3 * (ROWS + 3)) {
            static const float scales[] = {1.0f, 0.3f, -1.0f}; /* a product that rounds, and some that do not */
            int64_t n = i / 3;
            float scale = scales[i % 3], infinity = copysignf(INFINITY, scale);
            for (int64_t columns = 1; columns <= 37; columns += 12) {
                guarded x = guarded_make(&random, 3 * columns, -1, 1);
                float *row = x.data + columns;
                double expected[3 * 37], lse;
                FOR(c, columns) row[c] = n < ROWS ? rows[n][c % 4] : (float)c;
                if (n < ROWS && columns == 1) row[0] = rows[n][1] > -INFINITY ? rows[n][1] : rows[n][0];
                if (n == ROWS) row[columns - 1] = NAN;
                if (n == ROWS + 1) row[columns / 2] = infinity;
                for (int64_t c = 0; n == ROWS + 2 && c < columns; c++) row[c] = -infinity;
                FOR(r, 3) softmax_reference(columns, scale, x.data + r * columns, expected + r * columns, &lse);
                for (int64_t c = 0; n >= ROWS && c < columns; c++) expected[columns + c] = NAN;
                kernels->softmax(3, columns, scale, x.data, x.data, NULL);
                check_values(kernels->name, "softmax", x.data, expected, 3 * columns, 3e-45, 3e-5);
                guarded_free(x);
            }
        }
    }
}

/* The logarithm, by way of sums of ones. */
static void test_logarithms(void **state) {
    static float zeros[3000], y[3000];
    (void)state;
    FOR_KERNELS(kernels) {
        for (int64_t columns = 1; columns <= 3000; columns++) {
            float lse;
            kernels->softmax(1, columns, 1.0f, zeros, y, &lse);
            assert_close(lse, log((double)columns), 1.2e-7 * log((double)columns));
        }
    }
}

/* exp, by way of a softmax whose log-sum-exp is zero: every size of result, into the denormals and to zero. */
static void test_exponentials(void **state) {
    (void)state;
    FOR_KERNELS(kernels) {
        for (double start = -110; start < 40; start += 0.37) {
            float x[37], zero = 0.0f, y[37];
            double expected[37];
            for (int i = 0; i < 37; i++) x[i] = (float)(start + 0.01 * i);
            for (int i = 0; i < 37; i++) expected[i] = exp((double)x[i]);
            kernels->softmax_from_lse(1, 37, 1.0f, x, &zero, y);
            check_values(kernels->name, "exp", y, expected, 37, 0.75e-45, 1.8e-7);
        }
        for (int s = 0; s < SPECIAL_COUNT; s++) {
            float x[17], zero = 0.0f;
            double expected[17];
            for (int i = 0; i < 17; i++) x[i] = -fabsf(special_values[s]);
            for (int i = 0; i < 17; i++) expected[i] = exp((double)x[i]);
            kernels->softmax_from_lse(1, 17, 1.0f, x, &zero, x);
            check_values(kernels->name, "exp", x, expected, 17, 0.75e-45, 1.8e-7);
        }
    }
}

/* NaN with any payload stays NaN: exponents are made of bits, where a payload could turn it into a number. */
static void test_exponential_of_nan(void **state) {
    (void)state;
    test_random random = test_random_start(5);
    FOR_KERNELS(kernels) {
        for (int n = 0; n < 1000; n++) {
            uint32_t bits = 0x7f800001u | (uint32_t)test_random_word(&random);
            float x[17], zero = 0.0f;
            for (int i = 0; i < 17; i++) memcpy(x + i, &bits, sizeof bits);
            kernels->softmax_from_lse(1, 17, 1.0f, x, &zero, x);
            for (int i = 0; i < 17; i++) assert_true(isnan(x[i]));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_gelu_sweep),
        cmocka_unit_test(test_gelu_slope),
        cmocka_unit_test(test_gelu_special),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_softmax_special),
        cmocka_unit_test(test_logarithms),
        cmocka_unit_test(test_exponentials),
        cmocka_unit_test(test_exponential_of_nan),
        cmocka_unit_test(test_gelu_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
