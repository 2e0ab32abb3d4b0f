/* SPDX-License-Identifier: MIT */
/* The same training on all kernels of this machine: the loss of every step is that of the portable kernels, within
 * rounding.
 *
 * Two paths may differ by more than rounding. A token whose two best experts are equal except for rounding may go
 * to one here and to the other there, and then losses have no bound that means anything. So where a method decides, the
 * seed is one for which no decision of any step is as close as that: the reference run checks it, the other runs must
 * keep its logits within LOGIT_TOLERANCE, and their decisions are the same then. Methods that decide nothing (dense,
 * Soft MoE) need no such care. AdamW divides by the gradient's own size, so that it makes whole steps of what should
 * be zero and is rounding; its epsilon is set so high that it does not. */
#include "kernels_support.h"
#include "model_support.h"
#include "routing/routing.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/optimizer.h"

enum {
    STEPS = 30,
    BATCH = 4,
    SETS = 3, /* of images that take turns */
    SIDE = 16,
    PIXELS = SIDE * SIDE,
    CLASSES = 4,
    LAYERS = 2,
    EXPERTS = 4,
    MOST_K = 2,
    TOKENS = BATCH * 17,
};

#define SIZES                                                                                                  \
    "image_size=16 patch_size=4 channels=1 classes=4 embed_dim=48 depth=3 heads=3 lr=0.003 adam_epsilon=1e-5 " \
    "total_steps=60 warmup_steps=5 drop_path=0.1 clip_norm=1 "
#define SPARSE SIZES "moe_blocks=2,3 experts=4 router_init_std=0.5 "

/* Each step of training adds its own rounding, so the bound grows with the steps; losses begin near 1.4. */
#define FIRST_TOLERANCE 5e-7
#define STEP_TOLERANCE  5e-8
/* Of logits up to 10. */
#define LOGIT_TOLERANCE 1.5e-4

typedef struct run {
    double loss[STEPS];
    double margin; /* the smallest distance of any decision from a tie */
    int32_t choices[STEPS][LAYERS][TOKENS * MOST_K];
    float logits[STEPS][LAYERS][TOKENS * EXPERTS]; /* with the noise, which is the same on all paths */
} run;

/* Images of class c have bright stripes of their own; the rest is noise. */
static void make_batch(float *images, int32_t *labels, int64_t step) {
    test_random random = test_random_start((uint64_t)(step % SETS));
    FOR(i, BATCH) {
        labels[i] = (int32_t)(i % CLASSES);
        FOR(p, PIXELS)
            images[i * PIXELS + p] =
                (float)((p / SIDE % CLASSES == labels[i] ? 1 : 0) + test_random_uniform(&random, -1, 1));
    }
}

/* How far each choice is from what was not chosen yet, at least. */
static double margin_of(const float *logits, const int32_t *choices, int64_t top_k) {
    double margin = INFINITY;
    unsigned chosen = 0;
    FOR(k, top_k) {
        chosen |= 1u << choices[k];
        for (int e = 0; e < EXPERTS; e++)
            if ((chosen >> e & 1) == 0) margin = fmin(margin, (double)logits[choices[k]] - logits[e]);
    }
    return margin;
}

static void record_routing(run *r, int64_t step, tgr_model *model) {
    FOR(layer, LAYERS) {
        const tgr_routing *routing;
        int64_t tokens, experts, top_k;
        assert_status(TGR_OK, tgr_model_routing(model, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        tokens = view.tokens;
        experts = view.experts;
        top_k = view.top_k;
        assert_true(tokens == TOKENS && experts == EXPERTS && top_k <= MOST_K);
        FOR(t, TOKENS)
            r->margin = fmin(r->margin, margin_of(routing->choices.gate_logits + t * EXPERTS,
                                                  routing->choices.experts + t * top_k, top_k));
        memcpy(r->choices[step][layer], routing->choices.experts, (size_t)(TOKENS * top_k) * sizeof(int32_t));
        memcpy(r->logits[step][layer], routing->choices.gate_logits, TOKENS * EXPERTS * sizeof(float));
    }
}

static void train(run *r, const tgr_kernels *kernels, uint64_t seed, const char *options, int decides) {
    static float images[BATCH * PIXELS];
    int32_t labels[BATCH];
    tgr_context *context = test_context_with(kernels, 2, seed);
    tgr_model *model = NULL;
    tgr_loss *loss = NULL;
    tgr_optimizer *optimizer = NULL;
    assert_status(TGR_OK, test_model_create(&model, context, options));
    const tgr_config *config = tgr_model_config(model);
    assert_status(TGR_OK, tgr_loss_create(&loss, model, NULL));
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(model)));
    *r = (run){.margin = INFINITY};
    FOR(step, STEPS) {
        make_batch(images, labels, step);
        assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, BATCH));
        if (decides) record_routing(r, step, model);
        assert_status(TGR_OK, tgr_loss_compute(loss, labels, &r->loss[step]));
        assert_status(TGR_OK, tgr_loss_backward(loss));
        assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    }
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* The largest distance of logits in a step. */
static double logits_apart(const run *a, const run *b, int step) {
    const float *x = a->logits[step][0], *y = b->logits[step][0];
    double apart = 0;
    FOR(i, LAYERS * TOKENS * EXPERTS) apart = fmax(apart, fabs((double)x[i] - y[i]));
    return apart;
}

static void check_run(const char *name, const run *r, const run *reference) {
    double worst = 0, worst_logits = 0;
    for (int step = 0; step < STEPS; step++) {
        const double apart = fabs(r->loss[step] - reference->loss[step]), logits = logits_apart(r, reference, step);
        const double tolerance = FIRST_TOLERANCE + STEP_TOLERANCE * step;
        worst = fmax(worst, apart);
        worst_logits = fmax(worst_logits, logits);
        if (!(apart <= tolerance && logits <= LOGIT_TOLERANCE))
            fail_msg("%s, step %d: loss %.9g, on portable kernels %.9g; logits apart by %.2g", name, step,
                     r->loss[step], reference->loss[step], logits);
    }
    print_message("  %s: losses apart by %.2g, logits by %.2g\n", name, worst, worst_logits);
    assert_memory_equal(r->choices, reference->choices, sizeof r->choices);
}

static void compare(uint64_t seed, const char *options, int decides) {
    static run reference, other;
    train(&reference, &tgr_kernels_portable, seed, options, decides);
    print_message("%s\n  loss %.6f to %.6f, margin %.2g\n", options, reference.loss[0], reference.loss[STEPS - 1],
                  reference.margin);
    assert_true(reference.loss[STEPS - 1] < 0.7 * reference.loss[0]); /* there is something to compare */
    assert_true(reference.margin > 2 * LOGIT_TOLERANCE);
    FOR_KERNELS(kernels) {
        train(&other, kernels, seed, options, decides);
        check_run(kernels->name, &other, &reference);
    }
}

static void test_dense_models_train_alike(void **state) {
    (void)state;
    compare(5, SIZES "method=dense", 0);
    compare(5, SIZES "method=dense optimizer=sgd lr=0.05 layer_scale=0.1 distillation_token=1", 0);
}

static void test_mixtures_train_alike(void **state) {
    (void)state;
    compare(5, SIZES "moe_blocks=2,3 experts=4 method=soft", 0);
}

static void test_sparse_models_train_alike(void **state) {
    (void)state;
    compare(6, SPARSE "method=vmoe optimizer=sgd lr=0.01", 1);
    compare(5, SPARSE "method=vmoe top_k=2 shared_experts=1 optimizer=sgd lr=0.01", 1);
    compare(4, SPARSE "method=vmoe top_k=2 shared_experts=1 lr=0.001", 1);
    compare(6, SPARSE "method=switch optimizer=sgd lr=0.02", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense_models_train_alike),
        cmocka_unit_test(test_mixtures_train_alike),
        cmocka_unit_test(test_sparse_models_train_alike),
    };
    return cmocka_run_group_tests_name("kernel_paths", tests, NULL, NULL);
}
