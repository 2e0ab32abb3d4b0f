/* SPDX-License-Identifier: MIT */
/* Attention with each kind of kernels, against the plain formulas in double, and these against finite differences. */
#include "base/context.h"
#include "guarded.h"
#include "kernels/attention.h"

typedef struct shape {
    int64_t batch, tokens, heads, head_dim;
    double size; /* entries of qkv lie between -size and size */
} shape;

static const shape shapes[] = {
    {1, 1, 1, 1, 1},   {2, 1, 2, 8, 1},    {1, 2, 3, 1, 1},    {2, 2, 1, 24, 1},  {2, 17, 2, 8, 2},
    {1, 17, 1, 64, 2}, {2, 50, 2, 24, 1},  {1, 50, 1, 1, 4},   {1, 50, 2, 64, 6}, {1, 128, 1, 8, 1},
    {1, 129, 1, 8, 2}, {1, 197, 2, 24, 1}, {1, 197, 1, 64, 1}, {1, 257, 1, 8, 1}, {1, 300, 1, 24, 2},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static double *doubles(int64_t count) {
    double *memory = calloc((size_t)count, sizeof(double));
    assert_non_null(memory);
    return memory;
}

/* Where token `t` of part 0 (query), 1 (key) or 2 (value) begins in qkv. */
static int64_t at(const shape *s, int64_t image, int64_t t, int64_t part, int64_t head) {
    return (((image * s->tokens + t) * 3 + part) * s->heads + head) * s->head_dim;
}

static double product(int64_t count, const double *a, const double *b) {
    double sum = 0;
    FOR(i, count) sum += a[i] * b[i];
    return sum;
}

/* One query row: its probabilities [tokens]; returns the log-sum-exp of its scores. */
static double probabilities(const shape *s, const double *qkv, int64_t image, int64_t head, int64_t t, double *p) {
    double largest = -INFINITY, sum = 0, scale = 1 / sqrt((double)s->head_dim);
    FOR(u, s->tokens) {
        p[u] = scale * product(s->head_dim, qkv + at(s, image, t, 0, head), qkv + at(s, image, u, 1, head));
        largest = fmax(largest, p[u]);
    }
    FOR(u, s->tokens) sum += p[u] = exp(p[u] - largest);
    FOR(u, s->tokens) p[u] /= sum;
    return largest + log(sum);
}

static void forward_reference(const shape *s, const double *qkv, double *out, double *lse) {
    double *p = doubles(s->tokens);
    FOR(row, s->batch * s->heads * s->tokens) {
        int64_t t = row % s->tokens, head = row / s->tokens % s->heads, image = row / s->tokens / s->heads;
        double *result = out + ((image * s->tokens + t) * s->heads + head) * s->head_dim;
        lse[row] = probabilities(s, qkv, image, head, t, p);
        FOR(d, s->head_dim) result[d] = 0;
        FOR(u, s->tokens)
            FOR(d, s->head_dim) result[d] += p[u] * qkv[at(s, image, u, 2, head) + d];
    }
    free(p);
}

static void backward_reference(const shape *s, const double *qkv, const double *dout, double *dqkv) {
    double *p = doubles(s->tokens), *dp = doubles(s->tokens), scale = 1 / sqrt((double)s->head_dim);
    FOR(i, at(s, s->batch, 0, 0, 0)) dqkv[i] = 0;
    FOR(row, s->batch * s->heads * s->tokens) {
        int64_t t = row % s->tokens, head = row / s->tokens % s->heads, image = row / s->tokens / s->heads;
        const double *d_row = dout + ((image * s->tokens + t) * s->heads + head) * s->head_dim;
        probabilities(s, qkv, image, head, t, p);
        FOR(u, s->tokens) dp[u] = product(s->head_dim, d_row, qkv + at(s, image, u, 2, head));
        double average = product(s->tokens, p, dp);
        FOR(u, s->tokens) {
            double ds = scale * p[u] * (dp[u] - average);
            FOR(d, s->head_dim) {
                dqkv[at(s, image, t, 0, head) + d] += ds * qkv[at(s, image, u, 1, head) + d];
                dqkv[at(s, image, u, 1, head) + d] += ds * qkv[at(s, image, t, 0, head) + d];
                dqkv[at(s, image, u, 2, head) + d] += p[u] * d_row[d];
            }
        }
    }
    free(p), free(dp);
}

/* The reference's slope of Σ dout·out along a random direction is what finite differences of it give. */
static void test_reference_slope(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    for (int n = 0; n < SHAPES; n++) {
        const shape *s = &shapes[n];
        int64_t outs = s->batch * s->tokens * s->heads * s->head_dim, ins = 3 * outs;
        double *qkv = doubles(ins), *direction = doubles(ins), *dqkv = doubles(ins), *moved = doubles(ins);
        double *out = doubles(outs), *dout = doubles(outs), *lse = doubles(outs), difference = 0;
        FOR(i, ins) qkv[i] = test_random_uniform(&random, -s->size, s->size);
        FOR(i, ins) direction[i] = test_random_uniform(&random, -1, 1);
        FOR(i, outs) dout[i] = test_random_uniform(&random, -1, 1);
        for (int sign = -1; sign <= 1; sign += 2) {
            FOR(i, ins) moved[i] = qkv[i] + sign * 1e-5 * direction[i];
            forward_reference(s, moved, out, lse);
            difference += sign * product(outs, dout, out) / 2e-5;
        }
        backward_reference(s, qkv, dout, dqkv);
        assert_close(product(ins, dqkv, direction), difference, 1e-6 * (1 + fabs(difference)));
        free(qkv), free(direction), free(dqkv), free(moved), free(out), free(dout), free(lse);
    }
}

typedef struct example {
    int64_t rows, outs, ins;
    guarded qkv, out, lse, dout, dqkv;
    double *expected_out, *expected_lse, *expected_dqkv;
} example;

static example example_make(const shape *s, test_random *random) {
    example e = {.rows = s->batch * s->heads * s->tokens};
    e.outs = e.rows * s->head_dim;
    e.ins = 3 * e.outs;
    e.qkv = guarded_make(random, e.ins, -s->size, s->size);
    e.dout = guarded_make(random, e.outs, -1, 1);
    e.out = guarded_make(random, e.outs, -1, 1);
    e.lse = guarded_make(random, e.rows, -1, 1);
    e.dqkv = guarded_make(random, e.ins, -1, 1);
    double *qkv = doubles(e.ins), *dout = doubles(e.outs);
    FOR(i, e.ins) qkv[i] = e.qkv.data[i];
    FOR(i, e.outs) dout[i] = e.dout.data[i];
    e.expected_out = doubles(e.outs);
    e.expected_lse = doubles(e.rows);
    e.expected_dqkv = doubles(e.ins);
    forward_reference(s, qkv, e.expected_out, e.expected_lse);
    backward_reference(s, qkv, dout, e.expected_dqkv);
    free(qkv), free(dout);
    return e;
}

static void example_free(example e) {
    guarded_free(e.qkv), guarded_free(e.out), guarded_free(e.lse), guarded_free(e.dout), guarded_free(e.dqkv);
    free(e.expected_out), free(e.expected_lse), free(e.expected_dqkv);
}

static void example_run(const shape *s, example *e, const tgr_context *context) {
    tgr_attention attention = {.batch = s->batch,
                               .tokens = s->tokens,
                               .heads = s->heads,
                               .head_dim = s->head_dim,
                               .qkv = e->qkv.data,
                               .out = e->out.data,
                               .lse = e->lse.data};
    tgr_attention_forward(&context->compute, &attention);
    tgr_attention_backward(&context->compute, &attention, e->dout.data, e->dqkv.data);
}

static void reserve(tgr_context *context, const shape *s) {
    int64_t floats = tgr_attention_scratch(s->tokens, s->head_dim);
    assert_true(floats >= TGR_GEMM_SCRATCH);
    assert_status(TGR_OK, tgr_compute_reserve(&context->compute, floats));
}

static void test_against_reference(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    FOR_KERNELS(kernels) {
        tgr_context *context = test_context_with(kernels, 2, 1);
        for (int n = 0; n < SHAPES; n++) {
            const shape *s = &shapes[n];
            example e = example_make(s, &random);
            double largest = s->size * s->size * sqrt((double)s->head_dim); /* no score is larger */
            reserve(context, s);
            example_run(s, &e, context);
            check_values(kernels->name, "lse", e.lse.data, e.expected_lse, e.rows, 1e-6 * (1 + largest), 0);
            check_values(kernels->name, "out", e.out.data, e.expected_out, e.outs, 1e-6 * s->size * (1 + largest), 0);
            check_values(kernels->name, "dqkv", e.dqkv.data, e.expected_dqkv, e.ins,
                         2e-6 * s->size * s->size * (1 + largest), 1e-5);
            example_free(e);
        }
        tgr_context_free(context);
    }
}

static void test_threads(void **state) {
    const shape s = {2, 150, 3, 24, 1};
    (void)state;
    test_random random = test_random_start(3);
    example e = example_make(&s, &random);
    float *first = malloc((size_t)(e.ins + e.outs) * sizeof(float));
    assert_non_null(first);
    for (int threads = 1; threads <= 5; threads++) {
        tgr_context *context = test_context(threads, 1);
        reserve(context, &s);
        example_run(&s, &e, context);
        if (threads == 1) {
            FOR(i, e.ins) first[i] = e.dqkv.data[i];
            FOR(i, e.outs) first[e.ins + i] = e.out.data[i];
        }
        assert_same_bytes(e.dqkv.data, first, (size_t)e.ins * sizeof(float));
        assert_same_bytes(e.out.data, first + e.ins, (size_t)e.outs * sizeof(float));
        tgr_context_free(context);
    }
    free(first);
    example_free(e);
}

/* A NaN in one image's head reaches no other head or image. */
static void test_nan_stays(void **state) {
    const shape s = {2, 33, 2, 8, 1};
    (void)state;
    test_random random = test_random_start(4);
    example e = example_make(&s, &random);
    tgr_context *context = test_context(2, 1);
    reserve(context, &s);
    e.qkv.data[at(&s, 1, 20, 1, 0)] = NAN;
    example_run(&s, &e, context);
    FOR(i, e.outs) {
        int64_t head = i / s.head_dim % s.heads, image = i / s.head_dim / s.heads / s.tokens;
        assert_true(!!isnan(e.out.data[i]) == (image == 1 && head == 0));
    }
    tgr_context_free(context);
    example_free(e);
}

static void test_scratch_overflow(void **state) {
    (void)state;
    assert_true(tgr_attention_scratch(INT64_MAX / 4, 64) < 0);
    assert_true(tgr_attention_scratch(0, 64) >= TGR_GEMM_SCRATCH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_slope),  cmocka_unit_test(test_against_reference),
        cmocka_unit_test(test_threads),          cmocka_unit_test(test_nan_stays),
        cmocka_unit_test(test_scratch_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
