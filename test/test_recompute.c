/* SPDX-License-Identifier: MIT */
/* Option recompute: the same weights and gradients as without, bit for bit, for every method; less memory, as planned.
 */
#include "base/context.h"
#include "base/parameters.h"
#include "tgrmoe/teacher.h"
#include "training_support.h"

enum { CHOICES = 3, STEPS = 3 };

static const char *const choices[CHOICES] = {"recompute=none ", "recompute=experts ", "recompute=blocks "};

/* A dense block between sparse ones, whose experts are so far from equal that nothing is the same by chance. */
#define DEEP "depth=4 moe_blocks=1,2,4 drop_path=0.4 "

static void check_same_state(tgr_model *a, tgr_model *b) {
    const tgr_parameters *one = test_model_parameters(a), *other = test_model_parameters(b);
    assert_same_bytes(one->values, other->values, (size_t)one->floats * sizeof(float));
    assert_same_bytes(one->gradients, other->gradients, (size_t)one->floats * sizeof(float));
}

static void check_steps(const char *method, const char *more, const char *size) {
    training runs[CHOICES];
    for (int i = 0; i < CHOICES; i++) {
        char options[256];
        snprintf(options, sizeof options, "%s%s%s", choices[i], size, more);
        assert_status(TGR_OK, training_start(&runs[i], test_context(1 + i % 2, 7), method, options));
        FOR(position, STEPS * MICRO + 1) assert_status(TGR_OK, train(&runs[i], position));
        check_same_state(runs[i].model, runs[0].model);
    }
    for (int i = 0; i < CHOICES; i++) training_end(&runs[i]);
}

static void check_method(const char *method, const char *more) {
    print_message("%s %s\n", method, more);
    check_steps(method, more, DEEP);
    check_steps(method, more, DEEP "layer_scale=0.5 ");
    check_steps(method, more, "depth=3 drop_path=0.4 "); /* the last block is dense */
}

static void test_results_are_the_same_for_every_method(void **state) {
    (void)state;
    each_method(check_method);
    check_method("dense", "");
    if (bfloat16_is_there()) check_method("tgr", "shared_experts=1 precision=bfloat16");
    check_method("vmoe", "top_k=2 renormalize=1 capacity_factor=0.6 distillation_token=1");
}

/* A teacher adds to the gradient of the logits between forward and backward. */
static void guide(training *t, tgr_teacher *teacher, tgr_loss *loss) {
    const int32_t labels[BATCH] = {1, 2, 3};
    for (uint64_t position = 0; position < STEPS; position++) {
        float *images = test_images(t->model, BATCH, position);
        double value;
        assert_status(TGR_OK, tgr_teacher_forward(teacher, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_model_forward(t->model, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(loss, labels, &value));
        assert_status(TGR_OK, tgr_loss_backward(loss));
        assert_status(TGR_OK, tgr_optimizer_step(t->optimizer));
        assert_status(TGR_OK, tgr_teacher_step(teacher));
        free(images);
    }
}

static void test_guidance_is_not_lost(void **state) {
    (void)state;
    training runs[CHOICES];
    for (int i = 0; i < CHOICES; i++) {
        char options[256];
        snprintf(options, sizeof options, "%s" DEEP "z_weight=0.1", choices[i]);
        assert_status(TGR_OK, training_start(&runs[i], test_context(2, 7), "tgr", options));
        tgr_model *backbone = test_model(runs[i].context, SIZES "depth=4 method=dense");
        tgr_teacher *teacher = NULL;
        tgr_loss *loss = NULL;
        assert_status(TGR_OK, tgr_teacher_create(&teacher, backbone, runs[i].model));
        assert_status(TGR_OK, tgr_loss_create(&loss, runs[i].model, teacher));
        guide(&runs[i], teacher, loss);
        tgr_loss_free(loss);
        tgr_teacher_free(teacher);
        tgr_model_free(backbone);
        check_same_state(runs[i].model, runs[0].model);
    }
    for (int i = 0; i < CHOICES; i++) training_end(&runs[i]);
}

/* Another host's loss reads logits, features and routing between the passes, and after. */
static void test_results_stay_readable(void **state) {
    (void)state;
    training t;
    assert_status(TGR_OK, training_start(&t, test_context(1, 7), "evomoe", "recompute=blocks " DEEP));
    float *images = test_images(t.model, BATCH, 5), before[BATCH * CLASSES];
    const tgr_routing *routing;
    assert_status(TGR_OK, tgr_model_forward(t.model, TGR_TRAIN, images, BATCH));
    memcpy(before, test_logits(t.model), sizeof before);
    assert_status(TGR_OK, tgr_model_routing(t.model, 0, &routing));
    const float *gates = test_routing_view(routing).gates, first = gates[0];
    assert_status(TGR_OK, tgr_model_backward(t.model, before, NULL));
    assert_ptr_equal(gates, test_routing_view(routing).gates);
    assert_true(gates[0] == first);
    assert_same_bytes(test_logits(t.model), before, sizeof before);
    free(images);
    training_end(&t);
}

/* Bytes of the activations of a pass of 32 images of 5 tokens. */
static int64_t activations(const char *options) {
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, options);
    float *images = test_images(model, 32, 5);
    uint64_t before, after;
    before = tgr_context_bytes(context);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 32));
    after = tgr_context_bytes(context);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
    return (int64_t)(after - before);
}

/* Experts keep their outputs and what is before GELU, which a dense FFN keeps, too. The rest is for all layers. */
static void test_layers_share_what_backward_makes_again(void **state) {
    (void)state;
    const int64_t output = 32 * 5 * 64 * (int64_t)sizeof(float);
    const int64_t one = activations(SIZES "embed_dim=64 depth=4 method=vmoe experts=2 moe_blocks=4");
    const int64_t three = activations(SIZES "embed_dim=64 depth=4 method=vmoe experts=2 moe_blocks=1,2,4");
    assert_in_range(three - one, 2 * output, 4 * output); /* and what is known of the routing */
}

/* What the estimate says is what is taken, and more is saved the more is made again. */
static void test_memory_is_saved_as_estimated(void **state) {
    (void)state;
    uint64_t estimates[CHOICES], taken[CHOICES]; /* of a model, of its activations */
    for (int i = 0; i < CHOICES; i++) {
        tgr_context *context = test_context(1, 7);
        char options[256];
        snprintf(options, sizeof options, SIZES "%s" DEEP "method=tgr experts=4", choices[i]);
        tgr_model *model = test_model(context, options);
        float *images = test_images(model, 32, 5);
        const tgr_config *config = tgr_model_config(model);
        assert_status(TGR_OK, tgr_model_estimate(context, config, 32, &estimates[i]));
        uint64_t before = tgr_context_bytes(context);
        assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 32));
        taken[i] = tgr_context_bytes(context);
        taken[i] -= before;
        const uint64_t weights = 2 * (uint64_t)test_model_parameters(model)->floats * sizeof(float);
        assert_int_equal(taken[i] + weights, estimates[i]);
        print_message("%s%llu bytes\n", choices[i], (unsigned long long)taken[i]);
        if (i > 0) assert_true((double)taken[i] < 0.9 * (double)taken[i - 1]);
        free(images);
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_the_same_for_every_method),
        cmocka_unit_test(test_guidance_is_not_lost),
        cmocka_unit_test(test_results_stay_readable),
        cmocka_unit_test(test_layers_share_what_backward_makes_again),
        cmocka_unit_test(test_memory_is_saved_as_estimated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
