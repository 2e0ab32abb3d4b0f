/* SPDX-License-Identifier: MIT */
/* Soft MoE: that mixtures are mixtures and images keep to themselves, forward and every gradient against the formulas
 * in double, and what is refused. */
#include <stdio.h>

#include "layer_support.h"
#include "routing/handles/standalone.h"
#include "routing/inside.h"
#include "tgrmoe/teacher.h"

enum { IMAGES = 3, SEQUENCE = 7, TOKENS = IMAGES * SEQUENCE, DIM = 5, EXPERTS = 3, SLOTS = 2, ALL = EXPERTS * SLOTS };

#define LAYER "method=soft experts=3 soft_slots=2 mlp_ratio=1.4"

static test_layer start(int threads, uint64_t seed) {
    test_layer layer = test_layer_start(LAYER, TOKENS, SEQUENCE, DIM, threads, seed);
    *tgr_value(layer.parameters, 1) = 3; /* the scale: mixtures that are far from even */
    layer.values[layer.start[2]] = 3;
    return layer;
}

static void forward(test_layer *layer, tgr_mode mode) {
    assert_status(TGR_OK, tgr_moe_forward(layer->moe, mode, layer->x, layer->tokens, layer->y));
}

static void unit(const double *x, double *y) {
    double sum = 1e-6;
    FOR(i, DIM) sum += x[i] * x[i];
    FOR(i, DIM) y[i] = x[i] / sqrt(sum);
}

/* One image in double: dispatch and combine [SEQUENCE, ALL]. */
static void weigh(const test_layer *layer, const double *x, double dispatch[SEQUENCE][ALL],
                  double combine[SEQUENCE][ALL]) {
    const double *slots = test_layer_tensor(layer, "router.phi"), scale = *test_layer_tensor(layer, "router.scale");
    double of_slot[ALL] = {0}, of_token[SEQUENCE] = {0};
    FOR(t, SEQUENCE)
        FOR(s, ALL) {
            double token[DIM], slot[DIM], score = 0;
            unit(x + t * DIM, token);
            unit(slots + s * DIM, slot);
            FOR(i, DIM) score += scale * token[i] * slot[i];
            dispatch[t][s] = combine[t][s] = exp(score);
            of_slot[s] += exp(score);
            of_token[t] += exp(score);
        }
    FOR(t, SEQUENCE)
        FOR(s, ALL) {
            dispatch[t][s] /= of_slot[s];
            combine[t][s] /= of_token[t];
        }
}

/* y [SEQUENCE, DIM] of one image */
static void mix(const test_layer *layer, const double *x, double *y) {
    double dispatch[SEQUENCE][ALL], combine[SEQUENCE][ALL];
    weigh(layer, x, dispatch, combine);
    FOR(i, SEQUENCE * DIM) y[i] = 0;
    FOR(s, ALL) {
        double input[DIM] = {0}, output[DIM];
        FOR(t, SEQUENCE)
            FOR(i, DIM) input[i] += dispatch[t][s] * x[t * DIM + i];
        test_layer_expert(layer, s / SLOTS, input, output);
        FOR(t, SEQUENCE)
            FOR(i, DIM) y[t * DIM + i] += combine[t][s] * output[i];
    }
}

static double loss_of(test_layer *layer) {
    double loss = 0, y[SEQUENCE * DIM];
    FOR(image, layer->tokens / SEQUENCE) {
        mix(layer, layer->values + image * SEQUENCE * DIM, y);
        FOR(i, SEQUENCE * DIM) loss += y[i] * layer->y_gradient[image * SEQUENCE * DIM + i];
    }
    return loss;
}

static void test_numbers_are_the_formulas(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        test_layer layer = start(1 + (int)seed % 2, seed);
        double y[SEQUENCE * DIM];
        if (seed == 2) layer.values[layer.start[2]] = -1.5;
        if (seed == 3) layer.values[layer.start[2]] = 0; /* even mixtures; the scale learns all the same */
        if (seed == 4)
            FOR(i, DIM) layer.values[i] *= 0.05; /* a short token */
        test_layer_copy_values(&layer);
        FOR(i, layer.start[1]) layer.values[i] = layer.x[i];
        forward(&layer, TGR_TRAIN);
        FOR(image, IMAGES) {
            mix(&layer, layer.values + image * SEQUENCE * DIM, y);
            FOR(i, SEQUENCE * DIM) assert_close(layer.y[image * SEQUENCE * DIM + i], y[i], 2e-6);
        }
        assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
        test_layer_check_gradients(&layer, loss_of);
        test_layer_end(&layer);
    }
}

/* What the routing says of a token: the experts' shares, and the largest of them. */
static void test_record_is_the_shares(void **state) {
    (void)state;
    test_layer layer = start(2, 5);
    const tgr_routing *r = layer.routing;
    const double *slots = test_layer_tensor(&layer, "router.phi");
    forward(&layer, TGR_EVAL);
    FOR(t, TOKENS) {
        double share[EXPERTS] = {0}, total = 0, token[DIM], slot[DIM];
        unit(layer.values + t * DIM, token);
        FOR(s, ALL) {
            double score = 0;
            unit(slots + s * DIM, slot);
            FOR(i, DIM) score += 3 * token[i] * slot[i];
            share[s / SLOTS] += exp(score);
            total += exp(score);
        }
        FOR(e, EXPERTS) {
            assert_close(r->scores.probabilities[t * EXPERTS + e], share[e] / total, 1e-6);
            assert_close(r->scores.logits[t * EXPERTS + e], log(share[e]), 3e-6);
            assert_true(r->choices.gates[t] >= r->scores.probabilities[t * EXPERTS + e]);
        }
        assert_close(r->choices.gates[t], r->scores.probabilities[t * EXPERTS + r->choices.experts[t]], 0);
        assert_int_equal(r->slots.kept[t], 1);
    }
    FOR(e, EXPERTS) assert_int_equal(r->slots.load[e], IMAGES * SLOTS);
    test_layer_end(&layer);
}

/* Experts that see one number of a slot, which is 1 in every token: so it is in every mixture, and all experts say
 * gelu(1), and so does every mixture of what they say. */
static void test_mixtures_sum_to_one(void **state) {
    (void)state;
    test_layer layer = start(2, 6);
    double *fc1 = test_layer_tensor(&layer, "experts.fc1.weight"),
           *fc2 = test_layer_tensor(&layer, "experts.fc2.weight");
    double *bias1 = test_layer_tensor(&layer, "experts.fc1.bias"),
           *bias2 = test_layer_tensor(&layer, "experts.fc2.bias");
    FOR(t, TOKENS) layer.values[t * DIM] = 1;
    FOR(i, EXPERTS * layer.hidden * DIM) fc1[i] = i % DIM == 0;
    FOR(i, EXPERTS * layer.hidden * DIM) fc2[i] = 1 / (double)layer.hidden;
    FOR(i, EXPERTS * layer.hidden) bias1[i] = 0;
    FOR(i, EXPERTS * DIM) bias2[i] = 0;
    test_layer_copy_values(&layer);
    forward(&layer, TGR_TRAIN);
    FOR(i, TOKENS * DIM) assert_close(layer.y[i], 0.5 + 0.5 * erf(sqrt(0.5)), 1e-6);
    test_layer_end(&layer);
}

static void test_permuting_tokens_permutes_outputs(void **state) {
    (void)state;
    test_layer layer = start(1, 7), moved = start(1, 7);
    FOR(t, TOKENS) {
        const int64_t to = t / SEQUENCE * SEQUENCE + (t * 3 + 2) % SEQUENCE;
        FOR(i, DIM) {
            moved.x[to * DIM + i] = layer.x[t * DIM + i];
            moved.y_gradient[to * DIM + i] = layer.y_gradient[t * DIM + i];
        }
    }
    forward(&layer, TGR_TRAIN), forward(&moved, TGR_TRAIN);
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
    assert_status(TGR_OK, tgr_moe_backward(moved.moe, moved.y_gradient, moved.x_gradient));
    FOR(t, TOKENS) {
        const int64_t to = t / SEQUENCE * SEQUENCE + (t * 3 + 2) % SEQUENCE;
        assert_all_close(moved.y + to * DIM, layer.y + t * DIM, DIM, 1e-6, 1e-6);
        assert_all_close(moved.x_gradient + to * DIM, layer.x_gradient + t * DIM, DIM, 3e-6, 1e-6);
    }
    test_layer_end(&layer);
    test_layer_end(&moved);
}

/* Even NaN in one image does nothing to another, and an image is worth the same alone. */
static void test_images_keep_to_themselves(void **state) {
    (void)state;
    test_layer layer = start(2, 8), other = start(2, 8);
    const size_t image = SEQUENCE * DIM * sizeof(float);
    other.x[SEQUENCE * DIM + 4] = NAN;
    FOR(i, SEQUENCE * DIM) other.x[i] = 1;
    forward(&layer, TGR_TRAIN), forward(&other, TGR_TRAIN);
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
    assert_status(TGR_OK, tgr_moe_backward(other.moe, other.y_gradient, other.x_gradient));
    assert_same_bytes(other.y + 2 * SEQUENCE * DIM, layer.y + 2 * SEQUENCE * DIM, image);
    assert_same_bytes(other.x_gradient + 2 * SEQUENCE * DIM, layer.x_gradient + 2 * SEQUENCE * DIM, image);
    FOR(i, SEQUENCE * DIM) assert_true(isnan(other.y[SEQUENCE * DIM + i]));
    assert_status(TGR_OK, tgr_moe_forward(other.moe, TGR_EVAL, layer.x + 2 * SEQUENCE * DIM, SEQUENCE, other.y));
    assert_same_bytes(other.y, layer.y + 2 * SEQUENCE * DIM, image);
    test_layer_end(&layer);
    test_layer_end(&other);
}

/* Tokens of length 0, and a scale at which mixtures become choices. */
static void test_hard_inputs_are_finite(void **state) {
    (void)state;
    test_layer layer = start(1, 9);
    FOR(i, 2 * DIM) layer.x[i] = 0;
    FOR(i, DIM) layer.x[(SEQUENCE + 1) * DIM + i] *= 1e15f;
    *tgr_value(layer.parameters, 1) = 1e4f;
    forward(&layer, TGR_TRAIN);
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
    FOR(i, TOKENS * DIM) assert_true(isfinite(layer.y[i]) && isfinite(layer.x_gradient[i]));
    FOR(i, TOKENS * EXPERTS) assert_true(isfinite(layer.routing->scores.probabilities[i]));
    FOR(i, layer.parameters->floats) assert_true(isfinite(layer.parameters->gradients[i]));
    test_layer_end(&layer);
}

/* Whoever wants no gradient of x gets the same for everything else. */
static void test_x_gradient_may_be_left_out(void **state) {
    (void)state;
    test_layer layer = start(2, 10), without = start(2, 10);
    forward(&layer, TGR_TRAIN), forward(&without, TGR_TRAIN);
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
    assert_status(TGR_OK, tgr_moe_backward(without.moe, without.y_gradient, NULL));
    assert_same_bytes(without.parameters->gradients, layer.parameters->gradients,
                      (size_t)layer.parameters->floats * sizeof(float));
    test_layer_end(&layer);
    test_layer_end(&without);
}

/* Two passes without a step between give twice the gradients. */
static void test_gradients_accumulate(void **state) {
    (void)state;
    test_layer once = start(1, 12), twice = start(1, 12);
    for (int pass = 0; pass < 3; pass++) {
        test_layer *layer = pass == 0 ? &once : &twice;
        forward(layer, TGR_TRAIN);
        assert_status(TGR_OK, tgr_moe_backward(layer->moe, layer->y_gradient, layer->x_gradient));
    }
    FOR(i, once.parameters->floats) once.parameters->gradients[i] *= 2;
    assert_all_close(twice.parameters->gradients, once.parameters->gradients, once.parameters->floats, 1e-6, 1e-6);
    assert_same_bytes(twice.x_gradient, once.x_gradient, TOKENS * DIM * sizeof(float));
    test_layer_end(&once);
    test_layer_end(&twice);
}

static void test_runs_agree(void **state) {
    (void)state;
    test_moe_runs("method=soft experts=6 mlp_ratio=2 soft_slots=5", 17 * 30, 24, 17);
    test_moe_runs("method=soft experts=70 mlp_ratio=0.5 soft_slots=1 shared_experts=1", 9 * 40, 8, 9);
}

/* S of a model: slots enough for all tokens. */
static void test_slots_of_a_model(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    const char *options =
        "method=soft image_size=8 patch_size=2 channels=1 embed_dim=8 heads=2 depth=2 moe_blocks=2 "
        "experts=4 classes=3 mlp_ratio=1";
    tgr_model *model = test_model(context, options);
    tgr_parameters *parameters = test_model_parameters(model);
    int64_t index = tgr_parameters_find(parameters, "blocks.1.moe.router.phi");
    assert_int_equal(parameters->tensors[index].dims[0], 4 * 5); /* 17 tokens */
    assert_int_equal(parameters->tensors[index].dims[1], 8);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_bad_uses_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    const char *wrong[][2] = {{"top_k", "2"},         {"capacity_factor", "1"}, {"router_task_gradient", "0"},
                              {"z_weight", "0.1"},    {"router_noise", "1"},    {"renormalize", "1"},
                              {"distill_weight", "1"}};
    tgr_config *config = test_config(context, "method=soft");
    assert_fails(TGR_ERROR_RANGE, "'soft_slots' is 0", tgr_moe_create(&moe, context, config, 8));
    assert_fails(TGR_ERROR_UNSUPPORTED, "without experts", tgr_router_create(&router, context, config, 8));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tgr_config *more;
        assert_status(TGR_OK, tgr_config_copy(&more, config));
        assert_status(TGR_OK, tgr_config_set(more, "soft_slots", "2"));
        assert_status(TGR_OK, tgr_config_set(more, wrong[i][0], wrong[i][1]));
        assert_fails(TGR_ERROR_OPTION, wrong[i][0], tgr_moe_create(&moe, context, more, 8));
        tgr_config_free(more);
    }
    assert_null(moe);
    assert_null(router);
    tgr_config_free(config);
    test_layer layer = start(1, 11);
    float teacher[TOKENS * EXPERTS];
    FOR(i, TOKENS * EXPERTS) teacher[i] = 1.0f / EXPERTS;
    forward(&layer, TGR_TRAIN);
    assert_fails(TGR_ERROR_UNSUPPORTED, "softmax router", tgr_moe_guide(layer.moe, teacher, 1, NULL));
    assert_fails(TGR_ERROR_SHAPE, "'tokens'", tgr_moe_forward(layer.moe, TGR_EVAL, layer.x, 8, layer.y));
    assert_int_equal(tgr_layer_router_most_slots(&layer.moe->inside.layer->router, TGR_TRAIN, 8), 2 * ALL);
    test_layer_end(&layer);
    tgr_context_free(context);
}

static void test_teachers_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    const char *sizes = "image_size=8 patch_size=4 channels=1 embed_dim=8 heads=2 depth=2 classes=3";
    char options[256];
    snprintf(options, sizeof options, "%s method=soft moe_blocks=2", sizes);
    tgr_model *backbone = test_model(context, sizes), *student = test_model(context, options);
    tgr_teacher *teacher = NULL;
    assert_fails(TGR_ERROR_UNSUPPORTED, "without a softmax router", tgr_teacher_create(&teacher, backbone, student));
    assert_null(teacher);
    tgr_model_free(student);
    tgr_model_free(backbone);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_the_formulas),   cmocka_unit_test(test_record_is_the_shares),
        cmocka_unit_test(test_mixtures_sum_to_one),        cmocka_unit_test(test_permuting_tokens_permutes_outputs),
        cmocka_unit_test(test_images_keep_to_themselves),  cmocka_unit_test(test_hard_inputs_are_finite),
        cmocka_unit_test(test_x_gradient_may_be_left_out), cmocka_unit_test(test_runs_agree),
        cmocka_unit_test(test_gradients_accumulate),       cmocka_unit_test(test_slots_of_a_model),
        cmocka_unit_test(test_bad_uses_are_refused),       cmocka_unit_test(test_teachers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
