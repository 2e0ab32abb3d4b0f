/* SPDX-License-Identifier: MIT */
/* Matrix products: every variant that this machine runs against sums in double, any strides and sizes; that an element
 * of C has the same bits however C is cut; that lists in parallel give the bytes of the serial product. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/variants.h"

typedef struct variant {
    const char *name;
    int (*usable)(void);
    void (*gemm)(const tgr_gemm *product, float *scratch);
    tgr_precision precision;
    int flushes; /* whether tiny numbers, and tiny parts of numbers, count as zero */
} variant;

static const variant variants[] = {
    {"portable", tgr_usable_portable, tgr_gemm_portable, TGR_PRECISION_FLOAT32, 0},
    {"blis", tgr_usable_blis, tgr_gemm_blis, TGR_PRECISION_FLOAT32, 0},
#if defined(__x86_64__)
    {"avx2", tgr_usable_avx2, tgr_gemm_avx2, TGR_PRECISION_FLOAT32, 0},
    {"avx512", tgr_usable_avx512, tgr_gemm_avx512, TGR_PRECISION_FLOAT32, 0},
    {"avx512", tgr_usable_avx512_bfloat16, tgr_gemm_avx512_bfloat16, TGR_PRECISION_BFLOAT16, 1},
    {"amx", tgr_usable_amx, tgr_gemm_amx, TGR_PRECISION_FLOAT32, 1},
    {"amx", tgr_usable_amx, tgr_gemm_amx_bfloat16, TGR_PRECISION_BFLOAT16, 1},
#endif
};
enum { VARIANT_COUNT = sizeof variants / sizeof variants[0] };

/* A loop over the variants that this machine can run. */
#define FOR_VARIANTS(v)                                                  \
    for (const variant *v = variants; v < variants + VARIANT_COUNT; v++) \
        if (v->usable())

static float *scratch;

static int make_scratch(void **state) {
    (void)state;
    return posix_memalign((void **)&scratch, 64, TGR_GEMM_SCRATCH * sizeof(float));
}

static int free_scratch(void **state) {
    (void)state;
    free(scratch);
    return 0;
}

/* How a matrix lies in memory. */
typedef enum layout { ROWS, PADDED_ROWS, COLUMNS, PADDED_COLUMNS, SCATTERED, LAYOUT_COUNT } layout;

typedef struct matrix {
    float *memory; /* no byte longer than needed, so that reading too far is seen by memory checkers */
    const float *at;
    int64_t row, col;
} matrix;

static matrix make_matrix(test_random *random, int64_t rows, int64_t columns, layout lay) {
    matrix x = {.row = lay == COLUMNS ? 1 : columns, .col = lay == COLUMNS ? rows : 1};
    if (lay == PADDED_ROWS) x.row = columns + 3;
    if (lay == PADDED_COLUMNS) x.row = 1, x.col = rows + 5;
    if (lay == SCATTERED) x.row = 2, x.col = 2 * rows + 1;
    int64_t unaligned = test_random_integer(random, 0, 3), last = 0;
    if (rows > 0 && columns > 0) last = (rows - 1) * x.row + (columns - 1) * x.col + 1;
    x.memory = test_random_floats(random, unaligned + last);
    x.at = x.memory + unaligned;
    return x;
}

/* A product with all its memory. C has rows of c_row floats, all of it random before. */
typedef struct problem {
    tgr_gemm product;
    matrix a, b;
    float *c_memory, *c_before, *bias;
    int64_t c_floats;
} problem;

static problem make_problem(test_random *random, int64_t m, int64_t n, int64_t k, layout a, layout b) {
    problem p = {.a = make_matrix(random, m, k, a), .b = make_matrix(random, k, n, b)};
    int64_t c_row = n + test_random_integer(random, 0, 4), unaligned = test_random_integer(random, 0, 3);
    p.c_floats = unaligned + m * c_row;
    p.c_before = test_random_floats(random, p.c_floats);
    p.c_memory = test_random_floats(random, p.c_floats);
    memcpy(p.c_memory, p.c_before, (size_t)p.c_floats * sizeof(float));
    p.bias = test_random_floats(random, n);
    p.product = (tgr_gemm){.m = m, .n = n, .k = k, .a = p.a.at, .a_row = p.a.row, .a_col = p.a.col};
    p.product.b = p.b.at;
    p.product.b_row = p.b.row;
    p.product.b_col = p.b.col;
    p.product.c = p.c_memory + unaligned;
    p.product.c_row = c_row;
    p.product.bias = test_random_integer(random, 0, 1) ? p.bias : NULL;
    p.product.accumulate = (int)test_random_integer(random, 0, 1);
    return p;
}

static void free_problem(problem *p) {
    free(p->a.memory);
    free(p->b.memory);
    free(p->c_memory);
    free(p->c_before);
    free(p->bias);
}

/* Puts back what C held before. */
static void restore_c(problem *p) {
    memcpy(p->c_memory, p->c_before, (size_t)p->c_floats * sizeof(float));
}

static void fill_c(problem *p, float value) {
    FOR(i, p->c_floats) p->c_before[i] = value;
    restore_c(p);
}

/* The nearest bfloat16, ties to even, by arithmetic: a significand of 8 bits. What is tiny is zero. */
static double bfloat16_of(double x) {
    int exponent;
    if (!isfinite(x)) return x;
    if (fabs(x) < FLT_MIN) return 0;
    frexp(x, &exponent);
    double unit = ldexp(1, exponent - 8), rounded = nearbyint(x / unit) * unit;
    return fabs(rounded) > 3.3961775e38 ? copysign(INFINITY, x) : rounded;
}

/* One element of the product in double. *size is the sum of the magnitudes, *operands that of the operands alone. */
static double expected_at(const problem *p, const variant *v, int64_t i, int64_t j, double *size, double *operands) {
    const tgr_gemm *g = &p->product;
    double sum = g->bias ? g->bias[j] : 0.0;
    *size = fabs(sum);
    *operands = 0;
    if (g->accumulate) {
        double before = p->c_before[g->c - p->c_memory + i * g->c_row + j];
        sum += before;
        *size += fabs(before);
    }
    FOR(l, g->k) {
        double a = g->a[i * g->a_row + l * g->a_col], b = g->b[l * g->b_row + j * g->b_col];
        if (v->precision == TGR_PRECISION_BFLOAT16) a = bfloat16_of(a), b = bfloat16_of(b);
        sum += a * b;
        *size += fabs(a * b);
        *operands += fabs(a) + fabs(b);
    }
    return sum;
}

/* How far the rounding of a sum of k terms may lead, and for variants that flush the loss of all that is tiny: parts of
 * operands, products and sums. */
static double tolerance_of(const variant *v, int64_t k, double size, double operands) {
    double rounding = 0.5 * ((double)k + 3.0) * FLT_EPSILON * size, least = v->flushes ? FLT_MIN : ldexp(1, -149);
    return rounding + (double)(k + 3) * 2 * least + (v->flushes ? 4 * FLT_MIN * operands : 0);
}

/* Within the rounding error of a sum of k terms; the same infinity; or both NaN. */
static int agrees(double actual, double expected, double tolerance) {
    if (isnan(expected)) return isnan(actual);
    if (isinf(expected)) return actual == expected;
    return fabs(actual - expected) <= tolerance;
}

static void check_result(const problem *p, const variant *v) {
    const tgr_gemm *g = &p->product;
    FOR(i, g->m) {
        FOR(j, g->n) {
            double size, operands, expected = expected_at(p, v, i, j, &size, &operands);
            double actual = g->c[i * g->c_row + j];
            double tolerance = tolerance_of(v, g->k, size, operands);
            if (agrees(actual, expected, tolerance)) continue;
            fail_msg("%s%s: %" PRId64 "x%" PRId64 "x%" PRId64 ", a (%" PRId64 ", %" PRId64 "), b (%" PRId64 ", %" PRId64
                     "), bias %d, accumulate %d: C[%" PRId64 "][%" PRId64 "] is %g instead of %g (within %g)",
                     v->name, v->precision == TGR_PRECISION_BFLOAT16 ? ", bfloat16" : "", g->m, g->n, g->k, g->a_row,
                     g->a_col, g->b_row, g->b_col, g->bias != NULL, g->accumulate, i, j, actual, expected, tolerance);
        }
    }
}

/* What lies between and around the rows of C is as before. */
static void check_surroundings(const problem *p) {
    const tgr_gemm *g = &p->product;
    FOR(x, p->c_floats) {
        int64_t from_c = x - (g->c - p->c_memory);
        int inside = from_c >= 0 && g->c_row > 0 && from_c % g->c_row < g->n;
        if (!inside) assert_same_bytes(&p->c_memory[x], &p->c_before[x], sizeof(float));
    }
}

static void check_problem(problem *p) {
    FOR_VARIANTS(v) {
        restore_c(p);
        v->gemm(&p->product, scratch);
        check_result(p, v);
        check_surroundings(p);
    }
}

static void test_layouts(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    for (int repeat = 0; repeat < 12; repeat++) {
        int64_t m = test_random_integer(&random, 1, 70), n = test_random_integer(&random, 1, 90);
        int64_t k = test_random_integer(&random, 1, 70);
        for (int a = 0; a < LAYOUT_COUNT; a++) {
            for (int b = 0; b < LAYOUT_COUNT; b++) {
                problem p = make_problem(&random, m, n, k, (layout)a, (layout)b);
                check_problem(&p);
                free_problem(&p);
            }
        }
    }
}

/* Zero, one, primes, and both sides of every size at which some variant cuts a matrix. */
static const int64_t row_counts[] = {0, 1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 27, 28, 29, 31, 42, 43, 113};
static const int64_t column_counts[] = {0,  1,  2,  7,  8,  9,  15,  16,  17,  24,  31,  32,  33,  47,
                                        48, 49, 63, 64, 65, 97, 127, 255, 256, 257, 511, 512, 513, 544};
static const int64_t step_counts[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 101, 383, 384, 385, 768, 769};
#define PICK(random, list) (list)[test_random_integer((random), 0, (int64_t)(sizeof(list) / sizeof((list)[0])) - 1)]

static layout random_layout(test_random *random) {
    return (layout)test_random_integer(random, 0, LAYOUT_COUNT - 1);
}

/* The next random product; every fourth one is of any size. */
static problem random_problem(test_random *random) {
    int64_t m = PICK(random, row_counts), n = PICK(random, column_counts), k = PICK(random, step_counts);
    if (test_random_integer(random, 0, 3) == 0) {
        m = test_random_integer(random, 0, 200);
        n = test_random_integer(random, 0, 200);
        k = test_random_integer(random, 0, 800);
    }
    return make_problem(random, m, n, k, random_layout(random), random_layout(random));
}

static void test_sizes(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    for (int repeat = 0; repeat < 300; repeat++) {
        problem p = random_problem(&random);
        check_problem(&p);
        free_problem(&p);
    }
}

/* Strides that fall into the same sets of a cache are packed rather than read in place. */
static void test_powers_of_two(void **state) {
    (void)state;
    test_random random = test_random_start(3);
    for (int a = 0; a < LAYOUT_COUNT; a++) {
        problem p = make_problem(&random, 33, 70, 1024, (layout)a, ROWS);
        check_problem(&p);
        free_problem(&p);
    }
}

static void test_special_values(void **state) {
    (void)state;
    const float specials[] = {INFINITY, -INFINITY, NAN, 0.0f};
    test_random random = test_random_start(4);
    for (int repeat = 0; repeat < 60; repeat++) {
        problem p = make_problem(&random, 30, 51, 40, random_layout(&random), random_layout(&random));
        for (int i = 0; i < 4; i++) {
            int64_t row = test_random_integer(&random, 0, 29), column = test_random_integer(&random, 0, 50);
            int64_t l = test_random_integer(&random, 0, 39);
            p.a.memory[p.a.at - p.a.memory + row * p.a.row + l * p.a.col] = PICK(&random, specials);
            p.b.memory[p.b.at - p.b.memory + l * p.b.row + column * p.b.col] = PICK(&random, specials);
        }
        p.product.k = repeat % 40 + 1;
        if (!p.product.accumulate) fill_c(&p, NAN); /* must not be read */
        FOR(i, 51) p.bias[i] = p.bias[i] < 0.95f ? p.bias[i] : -INFINITY;
        check_problem(&p);
        free_problem(&p);
    }
}

/* Numbers of any size next to each other, down to the smallest and up to the largest there are, without overflow of a
 * sum. */
static void test_extreme_values(void **state) {
    (void)state;
    const float a_values[] = {1e-45f, 1e-40f, 1.1754944e-38f, 3e-33f, 1e-20f, 1, 4e15f, 1.7014118e38f, FLT_MAX};
    const float b_values[] = {1e-45f, 1e-39f, 1e-37f, 1e-30f, 1e-8f, 0.0078125f};
    test_random random = test_random_start(6);
    for (int repeat = 0; repeat < 60; repeat++) {
        problem p = make_problem(&random, 35, 40, 70, random_layout(&random), random_layout(&random));
        for (int i = 0; i < 400; i++) {
            int64_t row = test_random_integer(&random, 0, 34), l = test_random_integer(&random, 0, 69);
            float sign = test_random_integer(&random, 0, 1) ? 1.0f : -1.0f;
            p.a.memory[p.a.at - p.a.memory + row * p.a.row + l * p.a.col] = sign * PICK(&random, a_values);
        }
        FOR(l, 70)
            FOR(column, 40) p.b.memory[p.b.at - p.b.memory + l * p.b.row + column * p.b.col] = PICK(&random, b_values);
        check_problem(&p);
        free_problem(&p);
    }
}

/* Computes only some rows and columns, and compares with the bytes that the whole product had there. */
static void check_part(problem *p, const variant *v, const float *whole, test_random *random) {
    tgr_gemm part = p->product;
    int64_t row = test_random_integer(random, 0, part.m - 1), column = test_random_integer(random, 0, part.n - 1);
    part.m = test_random_integer(random, 1, part.m - row);
    part.n = test_random_integer(random, 1, part.n - column);
    part.a += row * part.a_row;
    part.b += column * part.b_col;
    part.c += row * part.c_row + column;
    if (part.bias) part.bias += column;
    restore_c(p);
    v->gemm(&part, scratch);
    FOR(i, part.m) {
        int64_t at = part.c + i * part.c_row - p->c_memory;
        assert_same_bytes(p->c_memory + at, whole + at, (size_t)part.n * sizeof(float));
    }
}

static void test_parts_have_the_same_bits(void **state) {
    (void)state;
    test_random random = test_random_start(5);
    for (int repeat = 0; repeat < 150; repeat++) {
        problem p = random_problem(&random);
        float *whole = test_random_floats(&random, p.c_floats);
        FOR_VARIANTS(v) {
            restore_c(&p);
            v->gemm(&p.product, scratch);
            memcpy(whole, p.c_memory, (size_t)p.c_floats * sizeof(float));
            for (int part = 0; part < 4 && p.product.m > 0 && p.product.n > 0; part++) {
                check_part(&p, v, whole, &random);
            }
        }
        free(whole);
        free_problem(&p);
    }
}

/* Runs the products in parallel, and compares each with the serial product of the whole. */
static void check_list(problem *problems, int64_t count, const variant *v, int threads) {
    tgr_context *context = test_context(threads, 1);
    assert_status(TGR_OK, tgr_compute_reserve(&context->compute, TGR_GEMM_SCRATCH));
    tgr_kernels kernels = *context->compute.kernels;
    tgr_compute compute = context->compute;
    kernels.gemm = kernels.gemm_narrow = v->gemm;
    compute.kernels = &kernels;
    tgr_gemm products[8];
    assert_true(count <= 8);
    FOR(i, count) {
        products[i] = problems[i].product;
        restore_c(&problems[i]);
    }
    tgr_gemm_run(&compute, products, count);
    FOR(i, count) {
        size_t bytes = (size_t)problems[i].c_floats * sizeof(float);
        float *parallel = malloc(bytes + 1);
        assert_non_null(parallel);
        memcpy(parallel, problems[i].c_memory, bytes);
        restore_c(&problems[i]);
        v->gemm(&problems[i].product, scratch);
        assert_same_bytes(parallel, problems[i].c_memory, bytes);
        free(parallel);
    }
    tgr_context_free(context);
}

static void check_list_everywhere(problem *problems, int64_t count) {
    const int threads[] = {1, 2, 3, 8};
    FOR_VARIANTS(v) {
        for (int i = 0; i < 4; i++) check_list(problems, count, v, threads[i]);
    }
    FOR(i, count) free_problem(&problems[i]);
}

static void test_lists(void **state) {
    (void)state;
    test_random random = test_random_start(6);
    for (int repeat = 0; repeat < 12; repeat++) {
        problem problems[8];
        int64_t count = test_random_integer(&random, 0, 8);
        FOR(i, count) problems[i] = random_problem(&random);
        check_list_everywhere(problems, count);
    }
}

/* Cut by rows, by columns, and by both until neither can be halved. */
static void test_large_products(void **state) {
    (void)state;
    test_random random = test_random_start(7);
    problem tall = make_problem(&random, 1601, 70, 99, ROWS, COLUMNS);
    problem wide = make_problem(&random, 9, 1543, 390, ROWS, COLUMNS);
    problem deep = make_problem(&random, 97, 131, 2100, COLUMNS, ROWS);
    problem square = make_problem(&random, 301, 303, 307, ROWS, ROWS);
    check_list_everywhere((problem[]){tall}, 1);
    check_list_everywhere((problem[]){wide}, 1);
    check_list_everywhere((problem[]){deep}, 1);
    check_list_everywhere((problem[]){square}, 1);
}

/* The root of the mean squared error of C's elements, each over the sum of the magnitudes that it adds up. */
static double rms_error(problem *p, const variant *v) {
    const tgr_gemm *g = &p->product;
    double sum = 0;
    restore_c(p);
    v->gemm(g, scratch);
    FOR(i, g->m) {
        FOR(j, g->n) {
            double size, operands, expected = expected_at(p, v, i, j, &size, &operands);
            double error = (g->c[i * g->c_row + j] - expected) / size;
            sum += error * error;
        }
    }
    return sqrt(sum / (double)(g->m * g->n));
}

/* Products by parts are as exact as chains of float32 multiply-adds, or more so. */
static void test_parts_are_exact(void **state) {
    (void)state;
    double chain = 0;
    test_random random = test_random_start(7);
    problem p = make_problem(&random, 96, 128, 384, ROWS, COLUMNS);
    p.product.bias = NULL;
    p.product.accumulate = 0;
    FOR_VARIANTS(v) {
        if (v->precision != TGR_PRECISION_FLOAT32) continue;
        double error = rms_error(&p, v);
        print_message("# %s: rms error %.2g of the sum of magnitudes\n", v->name, error);
        if (strcmp(v->name, "portable") == 0) chain = error;
        assert_true(error <= 1.2 * chain);
    }
    free_problem(&p);
}

static float *ones(int64_t count) {
    float *x = malloc((size_t)count * sizeof(float) + 1);
    assert_non_null(x);
    FOR(i, count) x[i] = 1;
    return x;
}

/* One epilogue of one product: what it leaves is what the row kernels make of the plain product, and beyond C's columns
 * nothing is touched. */
static void check_epilogue(problem *p, const variant *v, tgr_epilogue epilogue, const float *before) {
    const tgr_kernels *kernels = NULL;
    tgr_gemm product = p->product;
    const int64_t offset = product.c - p->c_memory;
    float *after = ones(p->c_floats), *expected = malloc((size_t)p->c_floats * sizeof(float) + 1);
    assert_non_null(expected);
    assert_status(TGR_OK, tgr_kernels_select(v->name, &kernels));
    restore_c(p);
    v->gemm(&product, scratch);
    memcpy(expected, p->c_memory, (size_t)p->c_floats * sizeof(float));
    float *expected_after = ones(p->c_floats);
    for (int64_t i = 0; i < product.m && product.n > 0; i++) {
        float *c = expected + offset + i * product.c_row, *y = expected_after + offset + i * product.c_row;
        const float *x = before + offset + i * product.c_row;
        if (epilogue == TGR_EPILOGUE_GELU)
            kernels->gelu(product.n, c, y);
        else
            kernels->gelu_backward(product.n, x, c, y, c);
    }
    restore_c(p);
    product.kernels = kernels;
    product.epilogue = epilogue;
    product.before = before + offset;
    product.after = after + offset;
    v->gemm(&product, scratch);
    assert_same_bytes(p->c_memory, expected, (size_t)p->c_floats * sizeof(float));
    assert_same_bytes(after, expected_after, (size_t)p->c_floats * sizeof(float));
    free(after);
    free(expected);
    free(expected_after);
}

static void test_epilogues(void **state) {
    (void)state;
    test_random random = test_random_start(9);
    for (int repeat = 0; repeat < 100; repeat++) {
        problem p = repeat % 10 == 0 ? make_problem(&random, 70 + repeat, 600 + repeat, 500, ROWS, COLUMNS)
                                     : random_problem(&random);
        float *before = test_random_floats(&random, p.c_floats);
        FOR_VARIANTS(v) {
            check_epilogue(&p, v, TGR_EPILOGUE_GELU, before);
            check_epilogue(&p, v, TGR_EPILOGUE_GELU_BACKWARD, before);
        }
        free(before);
        free_problem(&p);
    }
}

static void test_selection(void **state) {
    (void)state;
    const tgr_kernels *kernels = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "portable", tgr_kernels_select("sse9", &kernels));
    assert_fails(TGR_ERROR_ARGUMENT, "sse9", tgr_kernels_select("sse9", &kernels));
    assert_fails(TGR_ERROR_ARGUMENT, "portable", tgr_kernels_select("", &kernels));
    assert_null(kernels);
    for (const variant *v = variants; v < variants + VARIANT_COUNT; v++) {
        if (v->usable()) {
            assert_status(TGR_OK, tgr_kernels_select(v->name, &kernels));
            assert_string_equal(v->name, kernels->name);
            assert_ptr_equal(v->gemm, v->precision == TGR_PRECISION_BFLOAT16 ? kernels->gemm_bfloat16 : kernels->gemm);
            assert_status(TGR_OK, tgr_kernels_check_precision(kernels, v->precision));
        } else if (v->precision == TGR_PRECISION_FLOAT32) {
            assert_fails(TGR_ERROR_UNSUPPORTED, v->name, tgr_kernels_select(v->name, &kernels));
        }
    }
    assert_status(TGR_OK, tgr_kernels_select("portable", &kernels));
    assert_fails(TGR_ERROR_UNSUPPORTED, "portable", tgr_kernels_check_precision(kernels, TGR_PRECISION_BFLOAT16));
    assert_status(TGR_OK, tgr_kernels_select(NULL, &kernels));
    assert_true(kernels->usable());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),         cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_powers_of_two),   cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_extreme_values),  cmocka_unit_test(test_parts_have_the_same_bits),
        cmocka_unit_test(test_lists),           cmocka_unit_test(test_large_products),
        cmocka_unit_test(test_parts_are_exact), cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_selection),
    };
    return cmocka_run_group_tests(tests, make_scratch, free_scratch);
}
