/* SPDX-License-Identifier: MIT */
/* A MoE layer of any method next to its values in double, for tests that state what the layer must compute: every
 * gradient is compared with central differences of that, which unlike differences of floats are good to eight digits.
 */
#ifndef TGR_TEST_LAYER_SUPPORT_H
#define TGR_TEST_LAYER_SUPPORT_H

#include "model_support.h"
#include "moe_support.h"
#include "routing/routing.h"
#include "tgrmoe/routing.h"

enum { LAYER_TENSORS = 16, LAYER_WIDEST = 64 };

typedef struct test_layer {
    tgr_context *context;
    tgr_moe *moe;
    tgr_parameters *parameters;
    const tgr_routing *routing;
    int64_t tokens, sequence, dim, hidden, experts;
    float *x, *y, *x_gradient, *y_gradient; /* [tokens, dim] */
    double *values;                         /* x, then every tensor in the order of the table */
    int64_t start[LAYER_TENSORS + 2];       /* of each; the last is the count */
} test_layer;

/* The values in double become those of the layer. */
static inline void test_layer_copy_values(test_layer *layer) {
    FOR(i, layer->tokens * layer->dim) layer->x[i] = (float)layer->values[i];
    FOR(t, layer->parameters->tensor_count) {
        float *value = tgr_value(layer->parameters, t);
        FOR(i, layer->parameters->tensors[t].count) value[i] = (float)layer->values[layer->start[t + 1] + i];
    }
}

/* Values are random in [-1, 1); sequence 0: the whole batch is one image. */
static inline test_layer test_layer_start(const char *options, int64_t tokens, int64_t sequence, int64_t dim,
                                          int threads, uint64_t seed) {
    test_layer layer = {.context = test_context(threads, 7),
                        .tokens = tokens,
                        .sequence = sequence > 0 ? sequence : tokens,
                        .dim = dim};
    test_random random = test_random_start(seed);
    layer.moe = test_moe(layer.context, options, dim);
    assert_status(TGR_OK, tgr_moe_set_sequence(layer.moe, sequence));
    layer.parameters = tgr_moe_parameters(layer.moe);
    layer.routing = tgr_moe_routing(layer.moe);
    int64_t bias = tgr_parameters_find(layer.parameters, "experts.fc1.bias");
    layer.experts = layer.parameters->tensors[bias].dims[0];
    layer.hidden = layer.parameters->tensors[bias].dims[1];
    layer.start[1] = tokens * dim;
    assert_true(layer.parameters->tensor_count <= LAYER_TENSORS && layer.hidden <= LAYER_WIDEST);
    FOR(t, layer.parameters->tensor_count) layer.start[t + 2] = layer.start[t + 1] + layer.parameters->tensors[t].count;
    const int64_t count = layer.start[layer.parameters->tensor_count + 1];
    layer.values = calloc((size_t)count, sizeof *layer.values);
    FOR(i, count) layer.values[i] = (float)test_random_uniform(&random, -1, 1);
    layer.x = test_random_floats(&random, tokens * dim);
    layer.y = test_random_floats(&random, tokens * dim);
    layer.x_gradient = test_random_floats(&random, tokens * dim);
    layer.y_gradient = test_random_floats(&random, tokens * dim);
    test_layer_copy_values(&layer);
    return layer;
}

static inline void test_layer_end(test_layer *layer) {
    free(layer->x), free(layer->y), free(layer->x_gradient), free(layer->y_gradient), free(layer->values);
    tgr_moe_free(layer->moe);
    tgr_context_free(layer->context);
}

static inline double *test_layer_tensor(const test_layer *layer, const char *name) {
    int64_t index = tgr_parameters_find(layer->parameters, name);
    return layer->values + layer->start[index + 1];
}

/* y = expert(x), both [dim] */
static inline void test_layer_expert(const test_layer *layer, int64_t expert, const double *x, double *y) {
    const int64_t dim = layer->dim, width = layer->hidden;
    const double *fc1 = test_layer_tensor(layer, "experts.fc1.weight") + expert * width * dim;
    const double *bias1 = test_layer_tensor(layer, "experts.fc1.bias") + expert * width;
    const double *fc2 = test_layer_tensor(layer, "experts.fc2.weight") + expert * dim * width;
    const double *bias2 = test_layer_tensor(layer, "experts.fc2.bias") + expert * dim;
    double hidden[LAYER_WIDEST];
    FOR(h, width) {
        double sum = bias1[h];
        FOR(i, dim) sum += fc1[h * dim + i] * x[i];
        hidden[h] = sum * 0.5 * (1 + erf(sum / sqrt(2)));
    }
    FOR(i, dim) {
        y[i] = bias2[i];
        FOR(h, width) y[i] += fc2[i * width + h] * hidden[h];
    }
}

/* After a backward pass: the gradients of x and of every tensor, against differences of `loss`. */
static inline void test_layer_check_gradients(test_layer *layer, double (*loss)(test_layer *layer)) {
    const double step = 1e-6;
    for (int64_t t = -1; t < layer->parameters->tensor_count; t++) {
        const float *gradient = t < 0 ? layer->x_gradient : tgr_gradient(layer->parameters, t);
        FOR(i, layer->start[t + 2] - layer->start[t + 1]) {
            double *value = layer->values + layer->start[t + 1] + i, before = *value;
            *value = before + step;
            const double above = loss(layer);
            *value = before - step;
            const double below = loss(layer);
            *value = before;
            const double expected = (above - below) / (2 * step);
            if (!(fabs(gradient[i] - expected) <= 3e-5 + 2e-5 * fabs(expected)))
                fail_msg("%s[%d]: backward says %.9g, differences %.9g",
                         t < 0 ? "x" : layer->parameters->tensors[t].name, (int)i, gradient[i], expected);
        }
    }
}

/* Everything that a training pass gives, in one buffer of known size: y, x_gradient, all gradients. */
typedef struct test_layer_results {
    float *values;
    int64_t count;
} test_layer_results;

static inline test_layer_results test_moe_train(tgr_moe *moe, int64_t tokens, int64_t dim, uint64_t seed) {
    test_random random = test_random_start(seed);
    tgr_parameters *parameters = tgr_moe_parameters(moe);
    const int64_t floats = tokens * dim;
    test_layer_results r = {.count = 2 * floats + parameters->floats};
    float *x = test_random_floats(&random, floats), *dy = test_random_floats(&random, floats);
    r.values = malloc((size_t)r.count * sizeof(float));
    assert_status(TGR_OK, tgr_parameters_zero_gradients(parameters));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, tokens, r.values));
    assert_status(TGR_OK, tgr_moe_backward(moe, dy, r.values + floats));
    memcpy(r.values + 2 * floats, parameters->gradients, (size_t)parameters->floats * sizeof(float));
    free(x), free(dy);
    return r;
}

/* The same bytes; frees `actual`. */
static inline void test_moe_same_results(test_layer_results actual, test_layer_results expected) {
    assert_int_equal(actual.count, expected.count);
    assert_same_bytes(actual.values, expected.values, (size_t)expected.count * sizeof(float));
    free(actual.values);
}

/* One, two and three threads give the same bytes; and so does a layer that has had other batches before, which
 * allocates only for a batch larger than any before. */
static inline void test_moe_runs(const char *options, int64_t tokens, int64_t dim, int64_t sequence) {
    const int64_t sizes[] = {sequence, tokens, sequence, tokens / 2 / sequence * sequence, tokens};
    test_layer_results first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        tgr_context *context = test_context(threads, 3);
        tgr_moe *moe = test_moe(context, options, dim);
        assert_status(TGR_OK, tgr_moe_set_sequence(moe, sequence));
        uint64_t before, after;
        float *x = calloc((size_t)(tokens * dim), sizeof(float)), *y = calloc((size_t)(tokens * dim), sizeof(float));
        for (int i = 0; i < 5; i++) {
            before = tgr_context_allocation_count(context);
            test_layer_results r = test_moe_train(moe, sizes[i], dim, (uint64_t)sizes[i]);
            assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, sequence, y)); /* another size than in training */
            after = tgr_context_allocation_count(context);
            assert_int_equal(after - before, i < 2);
            if (first.values == NULL && sizes[i] == tokens)
                first = r;
            else if (sizes[i] == tokens)
                test_moe_same_results(r, first);
            else
                free(r.values);
        }
        free(x), free(y);
        tgr_moe_free(moe);
        tgr_context_free(context);
    }
    free(first.values);
}

#endif
