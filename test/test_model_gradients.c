/* SPDX-License-Identifier: MIT */
/* The model's backward pass against finite differences, tensor by tensor, for every kind of model. */
#include "model_support.h"

#define STEP      5e-3
#define LEAST     (STEP / 64)
#define TOLERANCE 1.5e-2 /* of the gradient's length; float32 noise over STEP is the most of it */

typedef struct probe {
    tgr_model *model;
    float *images;
    int64_t batch;
    float *logits_weight, *features_weight; /* the loss is their product with logits and features */
    uint64_t routing;                       /* hash of the experts chosen by the last forward pass */
} probe;

/* FNV-1a of who goes where: the loss jumps where this changes. */
static uint64_t hash_routing(const tgr_model *model) {
    uint64_t hash = 14695981039346656037u;
    int64_t layers = 0, tokens = 0, top_k = 0;
    layers = tgr_model_moe_layer_count(model);
    FOR(layer, layers) {
        const tgr_routing *routing = NULL;
        assert_status(TGR_OK, tgr_model_routing(model, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        tokens = view.tokens;
        top_k = view.top_k;
        const int32_t *experts = view.choices;
        FOR(t, tokens) {
            uint64_t chosen = 0;
            FOR(k, top_k) chosen |= UINT64_C(1) << experts[t * top_k + k];
            hash = (hash ^ chosen) * 1099511628211u;
        }
    }
    return hash;
}

static double dot(const float *a, const float *b, int64_t count) {
    double sum = 0;
    FOR(i, count) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double loss_of(probe *p) {
    const tgr_dimensions *d = tgr_model_dimensions(p->model);
    assert_status(TGR_OK, tgr_model_forward(p->model, TGR_TRAIN, p->images, p->batch));
    p->routing = hash_routing(p->model);
    double loss = 0;
    if (p->features_weight) loss += dot(test_features(p->model), p->features_weight, p->batch * d->tokens * d->dim);
    if (p->logits_weight) loss += dot(test_logits(p->model), p->logits_weight, p->batch * d->classes);
    return loss;
}

/* The loss with the tensor `distance` along `direction`; `jumped` is set when tokens go to other experts there. */
static double loss_at(const probe *p, float *value, const float *start, const float *direction, int64_t count,
                      double distance, int *jumped) {
    probe moved = *p;
    FOR(i, count) value[i] = (float)((double)start[i] + distance * (double)direction[i]);
    double loss = loss_of(&moved);
    memcpy(value, start, (size_t)count * sizeof(float));
    if (moved.routing != p->routing) *jumped = 1;
    return loss;
}

/* The derivative of the loss along `direction`, to fourth order in the step, which is made smaller until no token
 * switches experts within it. */
static double slope(const probe *p, float *value, const float *direction, int64_t count) {
    float *start = malloc((size_t)count * sizeof(float));
    memcpy(start, value, (size_t)count * sizeof(float));
    double result = NAN;
    for (double step = STEP; isnan(result) && step >= LEAST; step /= 4) {
        double loss[4];
        int jumped = 0;
        for (int i = 0; i < 4; i++)
            loss[i] = loss_at(p, value, start, direction, count, step * (const double[]){1, -1, 2, -2}[i], &jumped);
        if (!jumped) result = (8 * (loss[0] - loss[1]) - (loss[2] - loss[3])) / (12 * step);
    }
    free(start);
    return result;
}

static void check_along(const probe *p, const tgr_tensor *tensor, float *value, const float *gradient,
                        const float *direction, const char *name) {
    double expected = dot(gradient, direction, tensor->count);
    double length = sqrt(dot(gradient, gradient, tensor->count));
    double measured = slope(p, value, direction, tensor->count);
    if (!(fabs(measured - expected) <= TOLERANCE * length + 2e-4))
        fail_msg("%s along %s: backward says %g, finite differences %g (gradient of length %g)", tensor->name, name,
                 expected, measured, length);
}

/* Along the gradient itself, which finds what is missing, and along a random direction, which finds what is too much.
 */
static void check_tensor(const probe *p, tgr_parameters *parameters, const float *gradients, int64_t index) {
    const tgr_tensor *tensor = &parameters->tensors[index];
    const float *gradient = gradients + tensor->offset;
    float *value = tgr_value(parameters, index);
    double length = sqrt(dot(gradient, gradient, tensor->count));
    if (!(length > 1e-6)) fail_msg("%s has a gradient of length %g", tensor->name, length);
    float *direction = malloc((size_t)tensor->count * sizeof(float));
    FOR(i, tensor->count) direction[i] = (float)((double)gradient[i] / length);
    check_along(p, tensor, value, gradient, direction, "its gradient");

    test_random random = test_random_start((uint64_t)index);
    test_random_fill(&random, direction, tensor->count, -1, 1);
    length = sqrt(dot(direction, direction, tensor->count));
    FOR(i, tensor->count) direction[i] = (float)((double)direction[i] / length);
    check_along(p, tensor, value, gradient, direction, "a random direction");
    free(direction);
}

static void check_gradients(const char *options, int64_t batch, int with_logits, int with_features) {
    tgr_context *context = test_context(2, 5);
    probe p = {.model = test_model(context, options), .batch = batch};
    tgr_parameters *parameters = test_model_parameters(p.model);
    const tgr_dimensions *d = tgr_model_dimensions(p.model);
    test_random random = test_random_start(8);
    p.images = test_images(p.model, batch, 6);
    if (with_logits) p.logits_weight = test_random_floats(&random, batch * d->classes);
    if (with_features) p.features_weight = test_random_floats(&random, batch * d->tokens * d->dim);

    loss_of(&p);
    assert_status(TGR_OK, tgr_model_backward(p.model, p.logits_weight, p.features_weight));
    size_t bytes = (size_t)parameters->floats * sizeof(float);
    float *gradients = malloc(bytes);
    memcpy(gradients, parameters->gradients, bytes);
    tgr_parameters_clear_gradients(parameters); /* micro is 0 again: the same noise and the same dropped branches */
    FOR(i, parameters->tensor_count) check_tensor(&p, parameters, gradients, i);

    free(gradients);
    free(p.features_weight);
    free(p.logits_weight);
    free(p.images);
    tgr_model_free(p.model);
    tgr_context_free(context);
}

#define SMALL "image_size=6 patch_size=3 channels=2 embed_dim=12 heads=3 depth=2 classes=5 mlp_ratio=2 "

static void test_dense(void **state) {
    (void)state;
    check_gradients(SMALL, 3, 1, 1);
    check_gradients(SMALL, 3, 1, 0);
    check_gradients(SMALL "classes=0", 3, 0, 1);
}

static void test_positions_without_prefix(void **state) {
    (void)state;
    check_gradients(SMALL "position_cls=0", 2, 1, 1);
    check_gradients(SMALL "position_cls=0 distillation_token=1", 2, 1, 1);
}

static void test_distillation_token(void **state) {
    (void)state;
    check_gradients(SMALL "distillation_token=1", 3, 1, 0);
    check_gradients(SMALL "distillation_token=1", 3, 1, 1);
}

static void test_layer_scale(void **state) {
    (void)state;
    check_gradients(SMALL "layer_scale=0.5", 3, 1, 1);
}

static void test_drop_path(void **state) {
    (void)state;
    check_gradients(SMALL "drop_path=0.5", 6, 1, 1);
    check_gradients(SMALL "drop_path=0.5 depth=3 layer_scale=0.7", 6, 1, 1);
}

static void test_experts(void **state) {
    (void)state;
    check_gradients(SMALL "method=tgr moe_blocks=2 experts=4 top_k=4 router_noise=0", 3, 1, 1);
    check_gradients(SMALL "method=tgr moe_blocks=1,2 experts=3 top_k=2", 4, 1, 1);
    check_gradients(SMALL "method=tgr moe_blocks=1 experts=4 top_k=1", 3, 1, 1);
    check_gradients(SMALL
                    "method=tgr depth=3 moe_blocks=2,3 experts=2 top_k=2 layer_scale=0.6 drop_path=0.4 "
                    "distillation_token=1 position_cls=0",
                    4, 1, 1);
}

static void test_odd_sizes(void **state) {
    (void)state;
    check_gradients("image_size=3 patch_size=3 channels=1 embed_dim=8 heads=1 depth=1 classes=1", 1, 1, 1);
    check_gradients("image_size=5 patch_size=1 channels=1 embed_dim=6 heads=6 depth=1 classes=3 mlp_ratio=0.5", 2, 1,
                    1);
    check_gradients("image_size=14 patch_size=2 channels=3 embed_dim=20 heads=4 depth=2 classes=17", 5, 1, 1);
}

static void test_gradients_add_up(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 5);
    tgr_model *model = test_model(context, SMALL "layer_scale=0.5 distillation_token=1");
    tgr_parameters *parameters = test_model_parameters(model);
    test_random random = test_random_start(8);
    float *images = test_images(model, 4, 6), *weight = test_random_floats(&random, 4 * 5);
    float *once = malloc((size_t)parameters->floats * sizeof(float));
    for (int pass = 0; pass < 2; pass++) {
        assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 4));
        assert_status(TGR_OK, tgr_model_backward(model, weight, NULL));
        for (int64_t i = 0; pass == 0 && i < parameters->floats; i++) once[i] = parameters->gradients[i];
    }
    FOR(i, parameters->floats) once[i] *= 2;
    assert_all_close(parameters->gradients, once, parameters->floats, 1e-5, 1e-4);
    int64_t micro = tgr_parameters_micro_count(parameters);
    assert_int_equal(micro, 2);
    free(once);
    free(weight);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_positions_without_prefix),
        cmocka_unit_test(test_distillation_token),
        cmocka_unit_test(test_layer_scale),
        cmocka_unit_test(test_drop_path),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_odd_sizes),
        cmocka_unit_test(test_gradients_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
