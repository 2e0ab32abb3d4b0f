/* SPDX-License-Identifier: MIT */
/* Sparse upcycling: what is copied, what the sparse model computes then, noise, moments, guidance on top, and every
 * pair of models that does not match. */
#include <math.h>
#include <stdio.h>

#include "base/options.h"
#include "model_support.h"
#include "optimizer/optimizer.h"
#include "routing/method.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/teacher.h"

#define SIZES "image_size=8 channels=2 patch_size=4 classes=5 embed_dim=12 heads=3 depth=3 mlp_ratio=2 "
#define DENSE SIZES "method=dense"

enum { BATCH = 4, CLASSES = 5 };

static tgr_model *fresh(tgr_context *context, const char *options) {
    tgr_model *model = NULL;
    assert_status(TGR_OK, test_model_create(&model, context, options));
    return model;
}

static int64_t find(const tgr_model *model, const char *name) {
    int64_t index = tgr_parameters_find(test_model_parameters((tgr_model *)model), name);
    return index;
}

/* The tensor's numbers in the arena `of`, laid out as the model's values. */
static const float *numbers(const tgr_model *model, const float *of, const char *name) {
    return of + test_model_parameters((tgr_model *)model)->tensors[find(model, name)].offset;
}

/* `sparse` [4 experts in blocks 2 and 3] is made of `dense`, both arenas; what has no source is `rest`: 0 or anything.
 */
static void check_copied(const tgr_model *sparse, const float *to, const tgr_model *dense, const float *from,
                         int rest_is_zero) {
    const tgr_parameters *parameters = test_model_parameters((tgr_model *)sparse);
    const char *parts[] = {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};
    const size_t sizes[] = {24 * 12, 24, 24 * 12, 12};
    int64_t copied = 0;
    FOR(i, parameters->tensor_count) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        if (strstr(tensor->name, ".moe.") == NULL) {
            assert_same_bytes(to + tensor->offset, numbers(dense, from, tensor->name),
                              (size_t)tensor->count * sizeof(float));
            copied++;
        } else if (strstr(tensor->name, ".experts.") == NULL && rest_is_zero) {
            FOR(j, tensor->count) assert_true(to[tensor->offset + j] == 0);
        }
    }
    assert_int_equal(copied, parameters->tensor_count - 2 * 5);
    for (int block = 1; block <= 2; block++) {
        for (int part = 0; part < 4; part++) {
            char name[64], source[64];
            snprintf(name, sizeof name, "blocks.%d.moe.experts.%s", block, parts[part]);
            snprintf(source, sizeof source, "blocks.%d.mlp.%s", block, parts[part]);
            for (size_t e = 0; e < 4; e++)
                assert_same_bytes(numbers(sparse, to, name) + e * sizes[part], numbers(dense, from, source),
                                  sizes[part] * sizeof(float));
        }
    }
}

static const char *const sparse_options = SIZES "method=vmoe experts=4 moe_blocks=2,3 renormalize=1";

static void test_weights_are_copied(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_model *dense = test_model(context, DENSE), *sparse = fresh(context, sparse_options);
    tgr_model *untouched = fresh(context, sparse_options);
    tgr_parameters *to = test_model_parameters(sparse), *from = test_model_parameters(dense);
    to->step = 7;
    to->micro = 2;
    tgr_gradient(to, 0)[0] = 3;
    assert_status(TGR_OK, tgr_model_upcycle(sparse, dense));
    check_copied(sparse, to->values, dense, from->values, 0);
    const char *router = "blocks.1.moe.router.weight";
    assert_same_bytes(numbers(sparse, to->values, router),
                      numbers(untouched, test_model_parameters(untouched)->values, router), 48 * sizeof(float));
    assert_int_equal(to->step, 7);
    assert_int_equal(to->micro, 0);
    assert_true(tgr_gradient(to, 0)[0] == 0);
    tgr_model_free(dense), tgr_model_free(sparse), tgr_model_free(untouched);
    tgr_context_free(context);
}

/* The largest difference of logits in evaluation. */
static double difference(tgr_model *sparse, tgr_model *dense) {
    float *images = test_images(dense, BATCH, 5);
    double worst = 0;
    assert_status(TGR_OK, tgr_model_forward(sparse, TGR_EVAL, images, BATCH));
    assert_status(TGR_OK, tgr_model_forward(dense, TGR_EVAL, images, BATCH));
    FOR(i, BATCH * CLASSES) {
        const double gap = fabs((double)test_logits(sparse)[i] - (double)test_logits(dense)[i]);
        if (!(gap <= worst)) worst = gap;
    }
    free(images);
    return worst;
}

/* With gates that sum to one, experts that are all the same are the FFN. */
static void test_student_equals_its_parent(void **state) {
    (void)state;
    const char *same[] = {"method=vmoe experts=4 top_k=4 renormalize=1 moe_blocks=1,2,3",
                          "method=vmoe experts=4 top_k=1 renormalize=1 moe_blocks=2",
                          "method=tgr experts=5 top_k=2 renormalize=1 moe_blocks=1,3",
                          "method=loss-free experts=3 top_k=2 renormalize=1 moe_blocks=3",
                          "method=vmoe experts=1 moe_blocks=2 shared_experts=2",
                          "method=hash experts=4 moe_blocks=2,3",
                          "method=switch experts=2 renormalize=1 moe_blocks=2 shared_experts=1"};
    const char *other[] = {"method=vmoe experts=4 top_k=1 moe_blocks=2",
                           "method=vmoe experts=4 top_k=4 renormalize=1 moe_blocks=2 upcycle_noise=0.5"};
    tgr_context *context = test_context(2, 3);
    tgr_model *dense = test_model(context, DENSE);
    for (size_t i = 0; i < sizeof same / sizeof *same + sizeof other / sizeof *other; i++) {
        const size_t first_other = sizeof same / sizeof *same;
        char options[256];
        snprintf(options, sizeof options, SIZES "%s", i < first_other ? same[i] : other[i - first_other]);
        tgr_model *sparse = fresh(context, options);
        assert_true(difference(sparse, dense) > 0.01);
        assert_status(TGR_OK, tgr_model_upcycle(sparse, dense));
        if (i < first_other)
            assert_close(difference(sparse, dense), 0, 2e-5);
        else
            assert_true(difference(sparse, dense) > 0.01);
        tgr_model_free(sparse);
    }
    tgr_model_free(dense);
    tgr_context_free(context);
}

/* Distances of the experts' first matrix from the FFN's: their deviation over the FFN's own. */
static double check_noise(const tgr_model *sparse, const tgr_model *dense, int64_t expert) {
    const float *to = test_model_parameters((tgr_model *)sparse)->values;
    const float *from = test_model_parameters((tgr_model *)dense)->values;
    const float *copy = numbers(sparse, to, "blocks.1.moe.experts.fc1.weight") + expert * 288;
    const float *weight = numbers(dense, from, "blocks.1.mlp.fc1.weight");
    double mean = 0, own = 0, gap = 0;
    for (int i = 0; i < 288; i++) mean += weight[i] / 288.0;
    for (int i = 0; i < 288; i++) {
        own += (weight[i] - mean) * (weight[i] - mean);
        gap += ((double)copy[i] - weight[i]) * ((double)copy[i] - weight[i]);
    }
    assert_same_bytes(numbers(sparse, to, "blocks.1.moe.experts.fc1.bias") + expert * 24,
                      numbers(dense, from, "blocks.1.mlp.fc1.bias"), 24 * sizeof(float));
    return sqrt(gap / own);
}

static void test_noise_is_drawn_by_the_seed(void **state) {
    (void)state;
    const char *options = SIZES "method=vmoe experts=4 moe_blocks=2,3 upcycle_noise=0.25";
    tgr_context *contexts[] = {test_context(1, 3), test_context(2, 3), test_context(1, 4)};
    tgr_model *dense = test_model(contexts[0], DENSE), *sparse[3];
    const float *values[3];
    const char *name = "blocks.1.moe.experts.fc1.weight";
    for (int i = 0; i < 3; i++) {
        sparse[i] = fresh(contexts[i], options);
        assert_status(TGR_OK, tgr_model_upcycle(sparse[i], dense));
        values[i] = numbers(sparse[i], test_model_parameters(sparse[i])->values, name);
    }
    assert_same_bytes(values[1], values[0], 4 * 288 * sizeof(float));
    assert_memory_not_equal(values[2], values[0], 288 * sizeof(float));
    FOR(e, 4) {
        assert_close(check_noise(sparse[0], dense, e), 0.25, 0.04);
        if (e > 0) assert_memory_not_equal(values[0] + e * 288, values[0], 288 * sizeof(float));
    }
    for (int i = 0; i < 3; i++) tgr_model_free(sparse[i]);
    tgr_model_free(dense);
    for (int i = 0; i < 3; i++) tgr_context_free(contexts[i]);
}

static void test_every_method_may_be_upcycled(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 3);
    tgr_model *dense = test_model(context, DENSE);
    float *images = test_images(dense, BATCH, 5), gradient[BATCH * CLASSES] = {1, -1, 0.5f};
    FOR(i, tgr_method_count()) {
        if (tgr_method_of((int)i) == NULL) continue;
        char options[256];
        snprintf(options, sizeof options, SIZES "method=%s experts=3 moe_blocks=2,3 upcycle=1 total_steps=10",
                 tgr_method_name(i));
        tgr_model *sparse = fresh(context, options);
        assert_status(TGR_OK, tgr_model_upcycle(sparse, dense));
        assert_status(TGR_OK, tgr_model_forward(sparse, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_model_backward(sparse, gradient, NULL));
        for (int j = 0; j < BATCH * CLASSES; j++) assert_true(isfinite(test_logits(sparse)[j]));
        tgr_model_free(sparse);
    }
    free(images);
    tgr_model_free(dense);
    tgr_context_free(context);
}

/* One training step; returns the term "distill". */
static double guided_step(tgr_model *sparse, tgr_teacher *teacher, tgr_loss *loss, tgr_optimizer *optimizer,
                          const float *images) {
    const int32_t labels[BATCH] = {0, 3, 1, 4};
    double total, distill = NAN;
    assert_status(TGR_OK, tgr_model_forward(sparse, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_teacher_forward(teacher, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_loss_compute(loss, labels, &total));
    assert_true(isfinite(total));
    assert_status(TGR_OK, tgr_loss_term_value(loss, "distill", &distill));
    assert_status(TGR_OK, tgr_loss_backward(loss));
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    return distill;
}

/* A student that starts as its dense parent, guided by it: with one renormalised gate the task gives the router no
 * gradient, the teacher does. */
static void test_guidance_goes_with_upcycling(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 3);
    tgr_model *dense = test_model(context, DENSE);
    tgr_model *sparse = fresh(context, SIZES
                              "method=tgr experts=4 moe_blocks=2,3 renormalize=1 router_noise=0 "
                              "upcycle=1 lr=0.01 teacher_router=frozen");
    tgr_teacher *teacher;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    float *images = test_images(dense, BATCH, 6);
    assert_status(TGR_OK, tgr_model_upcycle(sparse, dense));
    assert_close(difference(sparse, dense), 0, 2e-5);
    const tgr_config *config = tgr_model_config(sparse);
    assert_status(TGR_OK, tgr_teacher_create(&teacher, dense, sparse));
    assert_status(TGR_OK, tgr_loss_create(&loss, sparse, teacher));
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(sparse)));
    double first = guided_step(sparse, teacher, loss, optimizer, images), last = first;
    for (int i = 0; i < 30; i++) last = guided_step(sparse, teacher, loss, optimizer, images);
    assert_true(first > 0);
    assert_true(last < 0.5 * first);
    free(images);
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
    tgr_teacher_free(teacher);
    tgr_model_free(sparse), tgr_model_free(dense);
    tgr_context_free(context);
}

static void test_mismatches_are_named(void **state) {
    (void)state;
    const struct {
        const char *sparse, *text;
    } cases[] = {
        {"embed_dim=24", "'cls_token' is 1 x 1 x 24; it cannot be copied from 'cls_token', which is 1 x 1 x 12"},
        {"mlp_ratio=3",
         "'blocks.0.mlp.fc1.weight' is 36 x 12; it cannot be copied from 'blocks.0.mlp.fc1.weight', which "
         "is 24 x 12"},
        {"mlp_ratio=3 moe_blocks=1,2,3",
         "'blocks.0.moe.experts.fc1.weight' is 4 x 36 x 12; it cannot be copied from "
         "'blocks.0.mlp.fc1.weight', which is 24 x 12"},
        {"classes=7", "'head.weight' is 7 x 12; it cannot be copied from 'head.weight', which is 5 x 12"},
        {"image_size=12", "'pos_embed' is 1 x 10 x 12; it cannot be copied from 'pos_embed', which is 1 x 5 x 12"},
        {"depth=4", "no 'blocks.3.norm1.weight'"},
        {"depth=2 moe_blocks=2", "no place for 'blocks.2.norm1.weight'"},
        {"distillation_token=1", "no 'dist_token'"},
        {"layer_scale=0.1", "no 'blocks.0.ls1.gamma'"},
        {"classes=0", "no place for 'head.weight'"},
        {"heads=2", "option 'heads' is 2; it must be as in the dense model, 3"},
    };
    tgr_context *context = test_context(1, 3);
    tgr_model *dense = test_model(context, DENSE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char options[256];
        snprintf(options, sizeof options, SIZES "method=vmoe experts=4 moe_blocks=2,3 %s", cases[i].sparse);
        tgr_model *sparse = fresh(context, options);
        const tgr_parameters *parameters = test_model_parameters(sparse);
        const size_t bytes = (size_t)parameters->floats * sizeof(float);
        float *before = malloc(bytes);
        memcpy(before, parameters->values, bytes);
        assert_fails(TGR_ERROR_SHAPE, cases[i].text, tgr_model_upcycle(sparse, dense));
        assert_same_bytes(parameters->values, before, bytes);
        free(before);
        tgr_model_free(sparse);
    }
    tgr_model_free(dense);
    tgr_context_free(context);
}

static void test_bad_arguments_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_model *dense = test_model(context, DENSE), *sparse = fresh(context, sparse_options);
    tgr_optimizer *optimizer;
    const tgr_config *config = tgr_model_config(dense);
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(dense)));
    assert_fails(TGR_ERROR_ARGUMENT, "'sparse' is NULL", tgr_model_upcycle(NULL, dense));
    assert_fails(TGR_ERROR_ARGUMENT, "'dense' is NULL", tgr_model_upcycle(sparse, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'dense' has 2 blocks with experts", tgr_model_upcycle(sparse, sparse));
    assert_fails(TGR_ERROR_ARGUMENT, "'sparse' has no experts", tgr_model_upcycle(dense, dense));
    assert_fails(TGR_ERROR_ARGUMENT, "'sparse' is NULL", tgr_optimizer_upcycle(NULL, optimizer));
    assert_fails(TGR_ERROR_ARGUMENT, "'dense' is NULL", tgr_optimizer_upcycle(optimizer, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'sparse' has no experts", tgr_optimizer_upcycle(optimizer, optimizer));
    tgr_optimizer_free(optimizer);
    tgr_model_free(sparse), tgr_model_free(dense);
    tgr_context_free(context);
}

/* What ran before was a different model: neither its outputs nor its backward are available. */
static void test_a_pass_before_does_not_count(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_model *dense = test_model(context, DENSE), *sparse = fresh(context, sparse_options);
    float *images = test_images(dense, BATCH, 5), gradient[BATCH * CLASSES] = {1};
    const float *logits;
    assert_status(TGR_OK, tgr_model_forward(sparse, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_model_upcycle(sparse, dense));
    assert_fails(TGR_ERROR_STATE, "forward", tgr_model_backward(sparse, gradient, NULL));
    assert_fails(TGR_ERROR_STATE, "forward", tgr_model_logits(sparse, &logits));
    assert_status(TGR_OK, tgr_model_forward(sparse, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_model_backward(sparse, gradient, NULL));
    free(images);
    tgr_model_free(sparse), tgr_model_free(dense);
    tgr_context_free(context);
}

static tgr_optimizer *optimizer_of(tgr_model *model) {
    tgr_optimizer *optimizer;
    const tgr_config *config = tgr_model_config(model);
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(model)));
    return optimizer;
}

static void step(tgr_model *model, tgr_optimizer *optimizer) {
    float *images = test_images(model, BATCH, 8), gradient[BATCH * CLASSES] = {0.3f, -0.2f, 0.1f};
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, BATCH));
    assert_status(TGR_OK, tgr_model_backward(model, gradient, NULL));
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    free(images);
}

static void check_moments(const char *kind) {
    char options[2][256];
    snprintf(options[0], sizeof options[0], DENSE " optimizer=%s lr=0.01", kind);
    snprintf(options[1], sizeof options[1], "%s optimizer=%s lr=0.01", sparse_options, kind);
    tgr_context *context = test_context(1, 3);
    tgr_model *dense = test_model(context, options[0]), *sparse = fresh(context, options[1]);
    tgr_optimizer *from = optimizer_of(dense), *to = optimizer_of(sparse);
    for (int i = 0; i < 3; i++) step(dense, from);
    step(sparse, to); /* what it holds of its own must go */
    assert_status(TGR_OK, tgr_model_upcycle(sparse, dense));
    assert_status(TGR_OK, tgr_optimizer_upcycle(to, from));
    check_copied(sparse, to->first_moment, dense, from->first_moment, 1);
    if (to->second_moment != NULL) check_copied(sparse, to->second_moment, dense, from->second_moment, 1);
    assert_int_equal(to->steps, 3);
    assert_int_equal(test_model_parameters(sparse)->step, 1);

    /* The same gradient moves a copied tensor as it moves the original. */
    tgr_parameters *one = test_model_parameters(sparse), *other = test_model_parameters(dense);
    tgr_gradient(one, find(sparse, "norm.weight"))[2] = 0.5f;
    tgr_gradient(other, find(dense, "norm.weight"))[2] = 0.5f;
    one->micro = other->micro = 1;
    assert_status(TGR_OK, tgr_optimizer_step(to));
    assert_status(TGR_OK, tgr_optimizer_step(from));
    check_copied(sparse, one->values, dense, other->values, 0);
    tgr_optimizer_free(from), tgr_optimizer_free(to);
    tgr_model_free(sparse), tgr_model_free(dense);
    tgr_context_free(context);
}

static void test_moments_take_the_same_way(void **state) {
    (void)state;
    check_moments("adamw");
    check_moments("sgd");
}

static void test_optimizers_that_do_not_match(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_model *models[] = {test_model(context, DENSE), test_model(context, DENSE " optimizer=sgd"),
                           test_model(context, DENSE " mlp_ratio=3"), fresh(context, sparse_options)};
    tgr_optimizer *optimizers[4];
    for (int i = 0; i < 4; i++) {
        optimizers[i] = optimizer_of(models[i]);
        step(models[i], optimizers[i]);
    }
    tgr_optimizer *sparse = optimizers[3];
    const size_t bytes = (size_t)sparse->parameters->floats * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, sparse->first_moment, bytes);
    sparse->steps = 9;
    assert_fails(TGR_ERROR_ARGUMENT, "'sparse' has optimizer=adamw, 'dense' has optimizer=sgd",
                 tgr_optimizer_upcycle(sparse, optimizers[1]));
    assert_fails(TGR_ERROR_SHAPE, "'blocks.0.mlp.fc1.weight' is 24 x 12", tgr_optimizer_upcycle(sparse, optimizers[2]));
    assert_same_bytes(sparse->first_moment, before, bytes);
    assert_int_equal(sparse->steps, 9);
    assert_status(TGR_OK, tgr_optimizer_upcycle(sparse, optimizers[0]));
    free(before);
    for (int i = 0; i < 4; i++) tgr_optimizer_free(optimizers[i]), tgr_model_free(models[i]);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_copied),           cmocka_unit_test(test_student_equals_its_parent),
        cmocka_unit_test(test_noise_is_drawn_by_the_seed),   cmocka_unit_test(test_every_method_may_be_upcycled),
        cmocka_unit_test(test_guidance_goes_with_upcycling), cmocka_unit_test(test_mismatches_are_named),
        cmocka_unit_test(test_bad_arguments_are_refused),    cmocka_unit_test(test_a_pass_before_does_not_count),
        cmocka_unit_test(test_moments_take_the_same_way),    cmocka_unit_test(test_optimizers_that_do_not_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
