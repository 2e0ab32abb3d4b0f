/* SPDX-License-Identifier: MIT */
/* A standalone MoE layer of any method, and its backward pass, auxiliary losses included, against finite differences.
 */
#ifndef TGR_TEST_MOE_GRADIENTS_H
#define TGR_TEST_MOE_GRADIENTS_H

#include "model_support.h"
#include "moe_support.h"
#include "routing/routing.h"
#include "tgrmoe/routing.h"

typedef struct test_layer {
    tgr_context *context;
    tgr_moe *moe;
    const tgr_routing *routing;
    tgr_parameters *parameters;
    int64_t tokens, dim;
    float *x, *y, *x_gradient, *weights; /* [T, dim] each; the loss is ⟨y, weights⟩ and the auxiliary terms */
} test_layer;

/* All values uniform in [-1, 1), shrunk by the square root of a row's length. */
static inline test_layer test_layer_start(int threads, const char *options, int64_t tokens, int64_t dim) {
    test_layer layer = {.context = test_context(threads, 7), .tokens = tokens, .dim = dim};
    test_random random = test_random_start(21);
    assert_status(TGR_OK, test_moe_create(&layer.moe, layer.context, options, dim));
    layer.parameters = tgr_moe_parameters(layer.moe);
    layer.routing = tgr_moe_routing(layer.moe);
    FOR(t, layer.parameters->tensor_count) {
        const tgr_tensor *tensor = &layer.parameters->tensors[t];
        double width = 2 / sqrt((double)tensor->dims[tensor->ndim - 1]);
        test_random_fill(&random, tgr_value(layer.parameters, t), tensor->count, -width, width);
    }
    layer.x = test_random_floats(&random, tokens * dim);
    layer.y = test_random_floats(&random, tokens * dim);
    layer.x_gradient = test_random_floats(&random, tokens * dim);
    layer.weights = test_random_floats(&random, tokens * dim);
    return layer;
}

static inline void test_layer_end(test_layer *layer) {
    free(layer->x), free(layer->y), free(layer->x_gradient), free(layer->weights);
    tgr_moe_free(layer->moe);
    tgr_context_free(layer->context);
}

static inline double test_layer_loss(test_layer *layer) {
    double loss = 0;
    assert_status(TGR_OK, tgr_moe_forward(layer->moe, TGR_TRAIN, layer->x, layer->tokens, layer->y));
    FOR(i, layer->tokens * layer->dim) loss += (double)layer->y[i] * (double)layer->weights[i];
    FOR(i, layer->routing->losses.term_count) loss += layer->routing->losses.terms[i].value;
    return loss;
}

/* Who computes what: the loss jumps where this changes. */
static inline uint64_t test_layer_hash(const test_layer *layer) {
    uint64_t hash = 14695981039346656037u;
    FOR(s, layer->routing->slots.count)
        hash = (hash ^ (uint64_t)layer->routing->slots.token_of_slot[s]) * 1099511628211u;
    FOR(e, layer->routing->experts) hash = (hash ^ (uint64_t)layer->routing->slots.load[e]) * 1099511628211u;
    return hash;
}

/* The loss's derivative along `direction` [count] of `value`, to fourth order; NaN where it jumps. */
static inline double test_layer_slope(test_layer *layer, float *value, const float *direction, int64_t count,
                                      double step) {
    float *start = malloc((size_t)count * sizeof(float));
    double loss[4];
    test_layer_loss(layer);
    uint64_t hash = test_layer_hash(layer);
    int jumped = 0;
    memcpy(start, value, (size_t)count * sizeof(float));
    for (int i = 0; i < 4; i++) {
        const double distance = step * (const double[]){1, -1, 2, -2}[i];
        FOR(j, count) value[j] = (float)((double)start[j] + distance * (double)direction[j]);
        loss[i] = test_layer_loss(layer);
        jumped |= test_layer_hash(layer) != hash;
    }
    memcpy(value, start, (size_t)count * sizeof(float));
    free(start);
    return jumped ? NAN : (8 * (loss[0] - loss[1]) - (loss[2] - loss[3])) / (12 * step);
}

static inline void test_layer_check_tensor(test_layer *layer, const char *name, float *value, const float *gradient,
                                           int64_t count) {
    double length = 0, measured = NAN;
    FOR(i, count) length += (double)gradient[i] * (double)gradient[i];
    length = sqrt(length);
    if (!(length > 1e-4)) fail_msg("%s has a gradient of length %g", name, length);
    float *direction = malloc((size_t)count * sizeof(float));
    test_random random = test_random_start((uint64_t)count);
    for (int round = 0; round < 2; round++) { /* along the gradient, then a little off */
        double along = 0, square = 0;
        FOR(i, count) {
            direction[i] = (float)((double)gradient[i] / length);
            if (round == 1) direction[i] += (float)(test_random_uniform(&random, -1, 1) / sqrt((double)count));
            square += (double)direction[i] * (double)direction[i];
        }
        FOR(i, count) {
            direction[i] = (float)((double)direction[i] / sqrt(square));
            along += (double)direction[i] * (double)gradient[i];
        }
        for (double step = 1e-2; isnan(measured) && step > 1e-4; step /= 4)
            measured = test_layer_slope(layer, value, direction, count, step);
        if (!(fabs(measured - along) <= 5e-3 * length + 1e-4))
            fail_msg("%s: backward says %g, finite differences %g (gradient of length %g)", name, along, measured,
                     length);
        measured = NAN;
    }
    free(direction);
}

/* Every tensor of the layer, and x. */
static inline void test_layer_check_gradients(test_layer *layer) {
    tgr_parameters *parameters = layer->parameters;
    test_layer_loss(layer);
    assert_status(TGR_OK, tgr_moe_backward(layer->moe, layer->weights, layer->x_gradient));
    parameters->micro = 0; /* what is drawn for a micro-batch stays the same */
    FOR(t, parameters->tensor_count)
        test_layer_check_tensor(layer, parameters->tensors[t].name, tgr_value(parameters, t),
                                tgr_gradient(parameters, t), parameters->tensors[t].count);
    test_layer_check_tensor(layer, "x", layer->x, layer->x_gradient, layer->tokens * layer->dim);
}

/* The same bytes at 1, 2 and 3 threads. */
static inline void test_layer_check_threads(const char *options, int64_t tokens, int64_t dim) {
    test_layer one = test_layer_start(1, options, tokens, dim);
    test_layer_loss(&one);
    assert_status(TGR_OK, tgr_moe_backward(one.moe, one.weights, one.x_gradient));
    for (int threads = 2; threads <= 3; threads++) {
        test_layer many = test_layer_start(threads, options, tokens, dim);
        test_layer_loss(&many);
        assert_status(TGR_OK, tgr_moe_backward(many.moe, many.weights, many.x_gradient));
        assert_same_bytes(many.y, one.y, (size_t)(tokens * dim) * sizeof(float));
        assert_same_bytes(many.x_gradient, one.x_gradient, (size_t)(tokens * dim) * sizeof(float));
        assert_same_bytes(many.parameters->gradients, one.parameters->gradients,
                          (size_t)one.parameters->floats * sizeof(float));
        test_layer_end(&many);
    }
    test_layer_end(&one);
}

#endif
