/* SPDX-License-Identifier: MIT */
/* A model's names, sizes, memory, determinism, and what it refuses. */
#include "tgrmoe/model.h"

#include "model_support.h"
#include "tgrmoe/tgrmoe.h"

#define SMALL "image_size=6 patch_size=3 channels=2 embed_dim=12 heads=3 depth=3 classes=5 mlp_ratio=2 "
#define ALL   SMALL "method=tgr moe_blocks=2,3 experts=3 top_k=2 layer_scale=0.5 distillation_token=1 drop_path=0.4 "

static void *copy_of(const void *from, size_t bytes) {
    void *copy = malloc(bytes);
    memcpy(copy, from, bytes);
    return copy;
}

/* Names and shapes. */

typedef struct expected_tensor {
    const char *name;
    unsigned flags;
    int64_t dims[TGR_MAX_DIMS]; /* ends with 0 */
} expected_tensor;

static void check_tensors(const char *options, const expected_tensor *expected, int64_t count) {
    tgr_context *context = test_context(1, 1);
    tgr_model *model = NULL;
    assert_status(TGR_OK, test_model_create(&model, context, options));
    tgr_parameters *parameters = test_model_parameters(model);
    for (int64_t i = 0; i < count && i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        assert_string_equal(tensor->name, expected[i].name);
        if (tensor->flags != expected[i].flags) fail_msg("%s has flags %u", tensor->name, tensor->flags);
        for (int j = 0; j < TGR_MAX_DIMS; j++) {
            int64_t dim = j < tensor->ndim ? tensor->dims[j] : 0;
            if (dim != expected[i].dims[j]) fail_msg("%s: dimension %d is %d", tensor->name, j, (int)dim);
        }
    }
    assert_int_equal(parameters->tensor_count, count);
    tgr_model_free(model);
    tgr_context_free(context);
}

enum { DECAY = 0, PLAIN = TGR_TENSOR_NO_DECAY };

static void test_names_of_dense_model(void **state) {
    (void)state;
    const expected_tensor expected[] = {
        {"cls_token", PLAIN, {1, 1, 8}},
        {"pos_embed", PLAIN, {1, 5, 8}},
        {"patch_embed.proj.weight", DECAY, {8, 2, 3, 3}},
        {"patch_embed.proj.bias", PLAIN, {8}},
        {"blocks.0.norm1.weight", PLAIN, {8}},
        {"blocks.0.norm1.bias", PLAIN, {8}},
        {"blocks.0.attn.qkv.weight", DECAY, {24, 8}},
        {"blocks.0.attn.qkv.bias", PLAIN, {24}},
        {"blocks.0.attn.proj.weight", DECAY, {8, 8}},
        {"blocks.0.attn.proj.bias", PLAIN, {8}},
        {"blocks.0.norm2.weight", PLAIN, {8}},
        {"blocks.0.norm2.bias", PLAIN, {8}},
        {"blocks.0.mlp.fc1.weight", DECAY, {32, 8}},
        {"blocks.0.mlp.fc1.bias", PLAIN, {32}},
        {"blocks.0.mlp.fc2.weight", DECAY, {8, 32}},
        {"blocks.0.mlp.fc2.bias", PLAIN, {8}},
        {"norm.weight", PLAIN, {8}},
        {"norm.bias", PLAIN, {8}},
        {"head.weight", DECAY, {5, 8}},
        {"head.bias", PLAIN, {5}},
    };
    check_tensors("image_size=6 patch_size=3 channels=2 embed_dim=8 heads=2 depth=1 classes=5", expected,
                  sizeof expected / sizeof *expected);
}

static void test_names_of_sparse_model(void **state) {
    (void)state;
    const expected_tensor expected[] = {
        {"cls_token", PLAIN, {1, 1, 8}},
        {"dist_token", PLAIN, {1, 1, 8}},
        {"pos_embed", PLAIN, {1, 4, 8}},
        {"patch_embed.proj.weight", DECAY, {8, 2, 3, 3}},
        {"patch_embed.proj.bias", PLAIN, {8}},
        {"blocks.0.norm1.weight", PLAIN, {8}},
        {"blocks.0.norm1.bias", PLAIN, {8}},
        {"blocks.0.attn.qkv.weight", DECAY, {24, 8}},
        {"blocks.0.attn.qkv.bias", PLAIN, {24}},
        {"blocks.0.attn.proj.weight", DECAY, {8, 8}},
        {"blocks.0.attn.proj.bias", PLAIN, {8}},
        {"blocks.0.ls1.gamma", PLAIN, {8}},
        {"blocks.0.norm2.weight", PLAIN, {8}},
        {"blocks.0.norm2.bias", PLAIN, {8}},
        {"blocks.0.moe.router.weight", DECAY, {3, 8}},
        {"blocks.0.moe.experts.fc1.weight", DECAY, {3, 20, 8}},
        {"blocks.0.moe.experts.fc1.bias", PLAIN, {3, 20}},
        {"blocks.0.moe.experts.fc2.weight", DECAY, {3, 8, 20}},
        {"blocks.0.moe.experts.fc2.bias", PLAIN, {3, 8}},
        {"blocks.0.ls2.gamma", PLAIN, {8}},
        {"norm.weight", PLAIN, {8}},
        {"norm.bias", PLAIN, {8}},
        {"head.weight", DECAY, {5, 8}},
        {"head.bias", PLAIN, {5}},
        {"head_dist.weight", DECAY, {5, 8}},
        {"head_dist.bias", PLAIN, {5}},
    };
    check_tensors(
        "image_size=6 patch_size=3 channels=2 embed_dim=8 heads=2 depth=1 classes=5 mlp_ratio=2.5 method=vmoe "
        "moe_blocks=1 experts=3 distillation_token=1 position_cls=0 layer_scale=0.1",
        expected, sizeof expected / sizeof *expected);
}

static void check_counts(const char *options, int64_t total_expected, int64_t active_expected) {
    tgr_context *context = test_context(1, 1);
    tgr_model *model = NULL;
    tgr_model_description sizes = {.struct_size = sizeof sizes};
    assert_status(TGR_OK, test_model_create(&model, context, options));
    assert_status(TGR_OK, tgr_model_describe(model, &sizes));
    assert_int_equal(sizes.parameters, total_expected);
    assert_int_equal(sizes.active_parameters, active_expected);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* The totals of the dense ones are those of vit_tiny, deit_tiny_distilled and a small made-up one by hand. */
static void test_parameter_counts(void **state) {
    (void)state;
    check_counts("preset=tiny", 5717416, 5717416);
    check_counts("preset=tiny distillation_token=1", 5910800, 5910800);
    const int64_t expert = 2 * 12 * 24 + 24 + 12, router = 4 * 12;
    const int64_t block = 2 * 24 + (36 * 12 + 36) + (12 * 12 + 12) + expert;
    const int64_t dense = 12 + 5 * 12 + (12 * 18 + 12) + 3 * block + 24 + (5 * 12 + 5);
    check_counts(SMALL, dense, dense);
    check_counts(SMALL "method=tgr moe_blocks=1,3 experts=4 top_k=1", dense + 2 * (3 * expert + router),
                 dense + 2 * router);
    check_counts(SMALL "method=tgr moe_blocks=1 experts=4 top_k=4", dense + 3 * expert + router,
                 dense + 3 * expert + router);
}

/* Fresh weights. */

static double deviation(tgr_model *model, const char *name, double *mean) {
    tgr_parameters *parameters = test_model_parameters(model);
    int64_t index = tgr_parameters_find(parameters, name);
    const float *value = tgr_value(parameters, index);
    int64_t count = parameters->tensors[index].count;
    double sum = 0, squares = 0;
    FOR(i, count) sum += (double)value[i];
    *mean = sum / (double)count;
    FOR(i, count) squares += ((double)value[i] - *mean) * ((double)value[i] - *mean);
    return sqrt(squares / (double)count);
}

static void check_spread(tgr_model *model, const char *name, double mean_expected, double expected) {
    double mean = 0, spread = deviation(model, name, &mean);
    if (!(fabs(mean - mean_expected) <= 0.1 * expected && fabs(spread - expected) <= 0.1 * expected))
        fail_msg("%s has mean %g and deviation %g; %g and %g were expected", name, mean, spread, mean_expected,
                 expected);
}

static void test_fresh_weights(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = NULL;
    assert_status(TGR_OK,
                  test_model_create(&model, context,
                                    "preset=fashion depth=2 moe_blocks=2 method=tgr init_std=0.03 layer_scale=0.25 "
                                    "embed_dim=256 distillation_token=1 position_cls=0"));
    check_spread(model, "patch_embed.proj.weight", 0, 0.03);
    check_spread(model, "pos_embed", 0, 0.03);
    check_spread(model, "blocks.0.attn.qkv.weight", 0, 0.03);
    check_spread(model, "blocks.0.mlp.fc2.weight", 0, 0.03);
    check_spread(model, "blocks.1.moe.experts.fc1.weight", 0, 0.03);
    check_spread(model, "head_dist.weight", 0, 0.03);
    check_spread(model, "dist_token", 0, 1e-6);
    check_spread(model, "cls_token", 0, 1e-6);
    check_spread(model, "blocks.1.norm2.weight", 1, 0);
    check_spread(model, "norm.weight", 1, 0);
    check_spread(model, "norm.bias", 0, 0);
    check_spread(model, "blocks.1.ls2.gamma", 0.25, 0);
    check_spread(model, "blocks.0.attn.qkv.bias", 0, 0);
    check_spread(model, "patch_embed.proj.bias", 0, 0);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_seed_decides_weights(void **state) {
    (void)state;
    tgr_model *models[3] = {0};
    for (int i = 0; i < 3; i++) {
        tgr_context *context = test_context(1, i == 2 ? 8 : 7);
        assert_status(TGR_OK, test_model_create(&models[i], context, ALL));
        tgr_context_free(context); /* the model holds it */
    }
    const tgr_parameters *a = test_model_parameters(models[0]), *b = test_model_parameters(models[1]),
                         *c = test_model_parameters(models[2]);
    assert_same_bytes(a->values, b->values, (size_t)a->floats * sizeof(float));
    assert_true(memcmp(a->values, c->values, (size_t)a->floats * sizeof(float)) != 0);
    for (int i = 0; i < 3; i++) tgr_model_free(models[i]);
}

/* What is refused. */

static void test_refused_configs(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    const struct {
        const char *options, *message;
    } cases[] = {
        {SMALL "patch_size=4", "patch_size is 4; it must divide image_size, 6"},
        {SMALL "patch_size=12", "patch_size is 12; it must divide image_size, 6"},
        {SMALL "heads=5", "embed_dim is 12; it must be a multiple of heads, 5"},
        {SMALL "heads=24", "embed_dim is 12; it must be a multiple of heads, 24"},
        {SMALL "method=tgr", "moe_blocks has 12; blocks must be 1 to depth, 3"},
        {SMALL "method=vmoe moe_blocks=1,4", "moe_blocks has 4; blocks must be 1 to depth, 3"},
        {SMALL "method=tgr moe_blocks=", "moe_blocks is empty"},
        {SMALL "method=tgr moe_blocks=2 experts=3 top_k=4", "top_k"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tgr_model *model = (tgr_model *)context; /* must stay as it is */
        assert_fails(TGR_ERROR_RANGE, cases[i].message, test_model_create(&model, context, cases[i].options));
        assert_ptr_equal(model, context);
    }
    tgr_context_free(context);
}

static void *modest_allocate(void *user, size_t bytes, size_t alignment) {
    (void)user;
    return bytes > 64 << 20 ? NULL : aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void modest_release(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

/* Every option within its range, and yet more than any memory holds. */
static void test_too_large_models(void **state) {
    (void)state;
    tgr_allocator allocator = {sizeof allocator, NULL, modest_allocate, modest_release};
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .allocator = &allocator};
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    assert_status(TGR_OK, tgr_context_create(&context, &options));
    assert_status(TGR_ERROR_MEMORY, test_model_create(&model, context,
                                                      "image_size=4 patch_size=1 embed_dim=65536 heads=1 depth=1024 "
                                                      "mlp_ratio=64 method=tgr experts=4096 moe_blocks=1,2,1024"));
    assert_status(TGR_ERROR_MEMORY,
                  test_model_create(&model, context, "image_size=8192 patch_size=1 embed_dim=64 heads=1 depth=1"));
    assert_status(TGR_ERROR_MEMORY, test_model_create(&model, context, "embed_dim=8192 heads=1 depth=1"));
    assert_null(model);
    tgr_context_free(context);
}

static void test_unused_options_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = NULL;
    assert_fails(TGR_ERROR_OPTION, "'z_weight' is set, but method 'dense' does not use it; these do: vmoe|tgr",
                 test_model_create(&model, context, SMALL "z_weight=2"));
    assert_fails(TGR_ERROR_OPTION, "'bias_rate' is set, but method 'tgr' does not use it; these do: loss-free",
                 test_model_create(&model, context, SMALL "method=tgr moe_blocks=2 bias_rate=0.1"));
    assert_null(model);
    model = test_model(context, SMALL "preset=fashion"); /* whose experts and moe_blocks were not set */
    int64_t count = tgr_model_moe_layer_count(model);
    assert_int_equal(count, 0);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_refused_arguments(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_config *config = test_config(context, ALL);
    tgr_model *model = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_model_create(NULL, context, config));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_model_create(&model, NULL, config));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_model_create(&model, context, NULL));
    assert_null(model);
    tgr_model_free(NULL);
    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    float *images = test_images(model, 2, 1);

    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_forward(NULL, TGR_TRAIN, images, 2));
    assert_fails(TGR_ERROR_ARGUMENT, "'images'", tgr_model_forward(model, TGR_TRAIN, NULL, 2));
    assert_fails(TGR_ERROR_RANGE, "'mode' is 2", tgr_model_forward(model, (tgr_mode)2, images, 2));
    assert_fails(TGR_ERROR_RANGE, "'batch' is 0", tgr_model_forward(model, TGR_TRAIN, images, 0));
    assert_fails(TGR_ERROR_RANGE, "'batch' is -3", tgr_model_forward(model, TGR_TRAIN, images, -3));
    assert_fails(TGR_ERROR_OVERFLOW, "'batch'", tgr_model_forward(model, TGR_TRAIN, images, INT64_MAX));
    assert_fails(TGR_ERROR_OVERFLOW, "'batch'", tgr_model_forward(model, TGR_EVAL, images, INT64_MAX / 16));

    int64_t number = 0;
    const float *lent = NULL;
    const tgr_routing *routing = NULL;
    uint64_t bytes = 0;
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_logits(NULL, &lent));
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_features(NULL, &lent));
    assert_fails(TGR_ERROR_STATE, "no forward pass", tgr_model_logits(model, &lent));
    assert_fails(TGR_ERROR_STATE, "no forward pass", tgr_model_features(model, &lent));
    assert_int_equal(tgr_model_moe_layer_count(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_moe_block(NULL, 0, &number));
    assert_fails(TGR_ERROR_ARGUMENT, "'block'", tgr_model_moe_block(model, 0, NULL));
    assert_fails(TGR_ERROR_RANGE, "'index' is 2; there are 2", tgr_model_moe_block(model, 2, &number));
    assert_fails(TGR_ERROR_RANGE, "'index' is -1", tgr_model_moe_block(model, -1, &number));
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_routing(NULL, 0, &routing));
    assert_fails(TGR_ERROR_ARGUMENT, "'routing'", tgr_model_routing(model, 0, NULL));
    assert_fails(TGR_ERROR_RANGE, "'index' is 2; there are 2", tgr_model_routing(model, 2, &routing));
    assert_fails(TGR_ERROR_RANGE, "'index' is -1", tgr_model_routing(model, -1, &routing));
    assert_null(tgr_model_parameters(NULL));
    assert_null(tgr_model_config(NULL));
    tgr_model_description sizes = {.struct_size = sizeof sizes};
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_describe(NULL, &sizes));
    assert_int_equal(tgr_model_batch(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_model_estimate(NULL, config, 1, &bytes));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_model_estimate(context, NULL, 1, &bytes));
    assert_fails(TGR_ERROR_ARGUMENT, "'bytes'", tgr_model_estimate(context, config, 1, NULL));
    assert_fails(TGR_ERROR_RANGE, "'batch' is 0", tgr_model_estimate(context, config, 0, &bytes));
    assert_fails(TGR_ERROR_OVERFLOW, "'batch'", tgr_model_estimate(context, config, INT64_MAX / 8, &bytes));
    assert_true(number == 0 && lent == NULL && routing == NULL && bytes == 0);

    assert_status(TGR_OK, tgr_model_moe_block(model, 1, &number));
    assert_int_equal(number, 3);
    assert_status(TGR_OK, tgr_model_routing(model, 0, &routing));
    assert_non_null(routing);
    free(images);
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_backward_out_of_order(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, ALL), *headless = test_model(context, SMALL "classes=0");
    float *images = test_images(model, 2, 1), gradient[2 * 6 * 12] = {1};
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_backward(NULL, gradient, NULL));
    assert_fails(TGR_ERROR_STATE, "no forward pass yet", tgr_model_backward(model, gradient, NULL));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 2));
    assert_fails(TGR_ERROR_STATE, "TGR_EVAL", tgr_model_backward(model, gradient, NULL));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 2));
    assert_fails(TGR_ERROR_ARGUMENT, "are NULL", tgr_model_backward(model, NULL, NULL));
    assert_true(tgr_model_can_backward(model));
    assert_status(TGR_OK, tgr_model_backward(model, gradient, NULL));
    assert_fails(TGR_ERROR_STATE, "had its backward already", tgr_model_backward(model, gradient, NULL));
    assert_int_equal(tgr_parameters_micro_count(test_model_parameters(model)), 1);
    assert_int_equal(tgr_model_batch(model), 2);
    tgr_model_description sizes = {.struct_size = sizeof sizes};
    assert_status(TGR_OK, tgr_model_describe(model, &sizes));
    assert_true(sizes.classes == 5 && sizes.tokens == 6 && sizes.dim == 12);

    const float *logits = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "'logits'", tgr_model_logits(model, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'features'", tgr_model_features(model, NULL));
    assert_status(TGR_OK, tgr_model_forward(headless, TGR_TRAIN, images, 2));
    assert_fails(TGR_ERROR_STATE, "classes is 0", tgr_model_logits(headless, &logits));
    assert_fails(TGR_ERROR_ARGUMENT, "classes is 0", tgr_model_backward(headless, gradient, gradient));
    assert_status(TGR_OK, tgr_model_backward(headless, NULL, gradient));
    free(images);
    tgr_model_free(headless);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* Results that must be equal bit for bit. */

static void check_batch_independence(const char *options, int64_t batch) {
    tgr_context *context = test_context(2, 5);
    tgr_model *model = test_model(context, options);
    const tgr_dimensions *d = tgr_model_dimensions(model);
    int64_t pixels = d->channels * d->image_size * d->image_size;
    float *images = test_images(model, batch, 3);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, batch));
    size_t row_bytes = (size_t)d->classes * sizeof(float);
    float *together = copy_of(test_logits(model), (size_t)batch * row_bytes);
    FOR(first, batch) { /* alone, and at the front of the rest */
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images + first * pixels, 1));
        assert_same_bytes(test_logits(model), together + first * d->classes, row_bytes);
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images + first * pixels, batch - first));
        assert_same_bytes(test_logits(model), together + first * d->classes, (size_t)(batch - first) * row_bytes);
    }
    free(together);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_batch_independence(void **state) {
    (void)state;
    check_batch_independence(SMALL, 7);
    check_batch_independence("preset=fashion depth=2 distillation_token=1 layer_scale=0.5", 5);
    check_batch_independence("image_size=20 patch_size=2 embed_dim=40 heads=5 depth=1 classes=3", 4);
}

static void test_eval_equals_train_without_noise(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 5);
    tgr_model *model = test_model(context, SMALL "layer_scale=0.5 method=tgr moe_blocks=2 router_noise=0");
    float *images = test_images(model, 4, 3);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 4));
    float *logits = copy_of(test_logits(model), 4 * 5 * sizeof(float));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 4));
    assert_same_bytes(test_logits(model), logits, 4 * 5 * sizeof(float));
    free(logits);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* Some steps of plain gradient descent; returns the weights after them. */
static float *train(int threads, const char *options, int64_t batch, size_t *bytes) {
    tgr_context *context = test_context(threads, 5);
    tgr_model *model = test_model(context, options);
    tgr_parameters *parameters = test_model_parameters(model);
    const tgr_dimensions *d = tgr_model_dimensions(model);
    test_random random = test_random_start(2);
    float *images = test_images(model, batch, 3), *logits_weight = test_random_floats(&random, batch * d->classes);
    float *features_weight = test_random_floats(&random, batch * d->tokens * d->dim);
    for (int step = 0; step < 4; step++) {
        for (int micro = 0; micro < 2; micro++) {
            assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, batch - micro));
            assert_status(TGR_OK, tgr_model_backward(model, logits_weight, micro ? features_weight : NULL));
        }
        FOR(i, parameters->floats) parameters->values[i] -= 1e-3f / (float)batch * parameters->gradients[i];
        tgr_parameters_clear_gradients(parameters);
        parameters->step++;
    }
    *bytes = (size_t)parameters->floats * sizeof(float);
    float *weights = copy_of(parameters->values, *bytes);
    FOR(i, parameters->floats) assert_true(isfinite(weights[i]));
    free(features_weight);
    free(logits_weight);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
    return weights;
}

static void check_threads(const char *options, int64_t batch) {
    size_t bytes = 0;
    float *single = train(1, options, batch, &bytes);
    for (int threads = 2; threads <= 3; threads++) {
        float *several = train(threads, options, batch, &bytes);
        assert_same_bytes(several, single, bytes);
        free(several);
    }
    free(single);
}

static void test_threads_give_same_bytes(void **state) {
    (void)state;
    check_threads(ALL, 5);
    check_threads(SMALL, 9);
    check_threads("preset=fashion depth=2 method=tgr moe_blocks=2 drop_path=0.2", 11);
}

static void test_capture_changes_nothing(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 5);
    tgr_model *model = test_model(context, ALL);
    const tgr_dimensions *d = tgr_model_dimensions(model);
    int64_t batch = 3, count = batch * d->tokens * d->dim;
    float *images = test_images(model, batch, 3), *seen = calloc((size_t)count + 1, sizeof(float));
    seen[count] = 42;
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, batch));
    float *features = copy_of(test_features(model), (size_t)count * sizeof(float));
    tgr_model_capture(model, 1, TGR_FEATURE_FFN_INPUT, seen);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, batch));
    assert_same_bytes(test_features(model), features, (size_t)count * sizeof(float));
    double length = 0;
    FOR(i, count) length += (double)seen[i] * (double)seen[i];
    assert_true(length > 0);
    assert_true(seen[count] == 42);

    tgr_model_capture(model, 1, TGR_FEATURE_FFN_INPUT, NULL);
    memset(seen, 0, (size_t)count * sizeof(float));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, batch));
    FOR(i, count) assert_true(seen[i] == 0);
    free(features);
    free(seen);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* Memory. */

static void run_step(tgr_model *model, const float *images, int64_t batch) {
    float gradient[16 * 5];
    for (int i = 0; i < 16 * 5; i++) gradient[i] = 0.1f * (float)(i % 7);
    assert_true(batch <= 16);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, batch));
    assert_status(TGR_OK, tgr_model_backward(model, gradient, NULL));
}

static void test_steps_allocate_nothing(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 5);
    tgr_model *model = test_model(context, ALL);
    float *images = test_images(model, 16, 3);
    int64_t before = 0, after = 0;
    run_step(model, images, 16);
    before = tgr_context_allocation_count(context);
    for (int64_t batch = 16; batch > 0; batch -= 3) {
        run_step(model, images, batch);
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, batch));
        run_step(model, images, 16);
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 16));
    }
    after = tgr_context_allocation_count(context);
    assert_int_equal(after, before);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

static uint64_t eval_activations(const char *options) {
    tgr_context *context = test_context(1, 5);
    tgr_model *model = test_model(context, options);
    float *images = test_images(model, 16, 3);
    int64_t before = 0, after = 0;
    before = tgr_context_bytes(context);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 16));
    after = tgr_context_bytes(context);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
    return after - before;
}

static void test_eval_needs_memory_for_one_block(void **state) {
    (void)state;
    assert_int_equal(eval_activations("preset=fashion depth=9"), eval_activations("preset=fashion depth=1"));
}

static void check_estimate(const char *options, int64_t batch) {
    tgr_context *context = test_context(1, 5);
    tgr_model *model = NULL;
    uint64_t estimate = 0, before = 0, after = 0, train = 0, eval = 0;
    tgr_config *config = test_config(context, options);
    before = tgr_context_bytes(context);
    assert_status(TGR_OK, tgr_model_estimate(context, config, batch, &estimate));
    after = tgr_context_bytes(context);
    assert_int_equal(after, before);

    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    float *images = test_images(model, batch, 3);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, batch));
    eval = tgr_context_bytes(context);
    run_step(model, images, batch);
    train = tgr_context_bytes(context);
    /* The handle itself, its config and its table of tensors are left out of the estimate. */
    assert_in_range(train - before, estimate, estimate + 512 * 1024);
    assert_true(eval < train);
    free(images);
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_estimate(void **state) {
    (void)state;
    check_estimate(ALL, 16);
    check_estimate("preset=fashion classes=5", 4);
    check_estimate("preset=fashion classes=5 method=tgr layer_scale=1", 4);
}

static tgr_status life_of_a_model(const tgr_allocator *allocator, void *user) {
    float images[3 * 2 * 6 * 6] = {1}, gradient[3 * 5] = {1};
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    tgr_model *model = NULL;
    uint64_t bytes = 0;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 2, .allocator = allocator};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_context_create(&context, &options));
    TGR_TRY_DONE(tgr_config_create(&config, context));
    TGR_TRY_DONE(test_config_set_all(config, user));
    TGR_TRY_DONE(tgr_model_estimate(context, config, 2, &bytes));
    TGR_TRY_DONE(tgr_model_create(&model, context, config));
    tgr_config_free(config); /* the model keeps them alive */
    tgr_context_free(context);
    config = NULL, context = NULL;
    TGR_TRY_DONE(tgr_model_forward(model, TGR_EVAL, images, 2));
    TGR_TRY_DONE(tgr_model_forward(model, TGR_TRAIN, images, 2));
    TGR_TRY_DONE(tgr_model_backward(model, gradient, NULL));
    TGR_TRY_DONE(tgr_model_forward(model, TGR_TRAIN, images, 3));
done:
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_context_free(context);
    return status;
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    assert_true(test_each_allocation_failing(life_of_a_model, (void *)SMALL) > 10);
    assert_true(test_each_allocation_failing(life_of_a_model, (void *)ALL) > 12);
}

/* A forward pass that finds no memory, or is refused, leaves all as it was: the pass before can still go back. */
static void test_failed_growth_keeps_state(void **state) {
    (void)state;
    test_allocator memory;
    test_allocator_start(&memory, -1);
    tgr_context *context = NULL;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 2, .allocator = &memory.allocator};
    assert_status(TGR_OK, tgr_context_create(&context, &options));
    tgr_model *model = test_model(context, ALL);
    tgr_parameters *parameters = test_model_parameters(model);
    size_t bytes = (size_t)parameters->floats * sizeof(float);
    float *images = test_images(model, 8, 3);
    memory.fail_at = atomic_load(&memory.calls);
    assert_status(TGR_ERROR_MEMORY, tgr_model_forward(model, TGR_TRAIN, images, 2));
    const float *features = NULL;
    assert_fails(TGR_ERROR_STATE, "no forward pass", tgr_model_features(model, &features));
    run_step(model, images, 2);
    float *gradients = copy_of(parameters->gradients, bytes);
    tgr_parameters_clear_gradients(parameters);

    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 2));
    const tgr_routing *routing = NULL;
    assert_status(TGR_OK, tgr_model_routing(model, 1, &routing));
    const float *logits = test_logits(model), *router_logits = test_routing_view(routing).logits;
    float *kept = copy_of(logits, 2 * 5 * sizeof(float)),
          *kept_router = copy_of(router_logits, 2 * 6 * 3 * sizeof(float));
    memory.fail_at = atomic_load(&memory.calls);
    assert_status(TGR_ERROR_MEMORY, tgr_model_forward(model, TGR_TRAIN, images, 8));
    assert_status(TGR_ERROR_OVERFLOW, tgr_model_forward(model, TGR_EVAL, images, INT64_MAX / 4));
    assert_status(TGR_ERROR_OVERFLOW, tgr_model_forward(model, TGR_EVAL, images, INT64_MAX / 32));
    const tgr_routing_view now = test_routing_view(routing);
    assert_ptr_equal(test_logits(model), logits);
    assert_ptr_equal(now.logits, router_logits);
    assert_int_equal(now.tokens, 2 * 6);
    assert_same_bytes(logits, kept, 2 * 5 * sizeof(float));
    assert_same_bytes(router_logits, kept_router, 2 * 6 * 3 * sizeof(float));

    float gradient[16 * 5];
    for (int i = 0; i < 16 * 5; i++) gradient[i] = 0.1f * (float)(i % 7);
    assert_status(TGR_OK, tgr_model_backward(model, gradient, NULL));
    assert_same_bytes(parameters->gradients, gradients, bytes);
    free(kept_router);
    free(kept);
    free(gradients);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
    memory.fail_at = -1;
    assert_true(test_allocator_done(&memory, TGR_OK));
}

static void test_references(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, SMALL);
    float *images = test_images(model, 1, 1);
    tgr_model_retain(model);
    assert_ptr_equal(tgr_model_context(model), context);
    tgr_context_free(context);
    tgr_model_free(model);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 1));
    assert_int_equal(tgr_model_batch(model), 1);
    assert_int_equal(tgr_model_mode(model), TGR_EVAL);
    tgr_model_free(model);
    free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_dense_model),
        cmocka_unit_test(test_names_of_sparse_model),
        cmocka_unit_test(test_parameter_counts),
        cmocka_unit_test(test_fresh_weights),
        cmocka_unit_test(test_seed_decides_weights),
        cmocka_unit_test(test_refused_configs),
        cmocka_unit_test(test_too_large_models),
        cmocka_unit_test(test_unused_options_are_refused),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_backward_out_of_order),
        cmocka_unit_test(test_batch_independence),
        cmocka_unit_test(test_eval_equals_train_without_noise),
        cmocka_unit_test(test_threads_give_same_bytes),
        cmocka_unit_test(test_capture_changes_nothing),
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_eval_needs_memory_for_one_block),
        cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_failed_growth_keeps_state),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
