/* SPDX-License-Identifier: MIT */
/* Default MoE against its formulas in double: forward, update, every gradient by finite differences, micro-batches; and
 * what must not change by a bit. (Threads, resuming and scarce memory: test_methods.c.) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_support.h"
#include "routing/routing.h"
#include "tgrmoe/optimizer.h"

enum { MOST_TOKENS = 150, MOST_EXPERTS = 9, MOST_DIM = 70, MOST_HIDDEN = 70 };

/* The layer as its formulas say, one number at a time. The weights [of each tensor, in the order of the parameters] are
 * doubles, so that they can be moved by little. */
typedef struct reference {
    int64_t tokens, dim, hidden, experts, top_k;
    double beta;
    int weighted, frozen; /* frozen: gates and Ê as they were in the run before, whatever the weights */
    double *router, *fc1, *bias1, *fc2, *bias2, *x;

    double p[MOST_TOKENS][MOST_EXPERTS], y[MOST_TOKENS][MOST_DIM];
    int chosen[MOST_TOKENS][MOST_EXPERTS];
    double given[MOST_TOKENS][MOST_EXPERTS][MOST_DIM];
    double value[MOST_EXPERTS][MOST_DIM];                     /* Ê, as of the start of the step */
    double used[MOST_EXPERTS][MOST_DIM];                      /* Ê in this pass */
    double sum[MOST_EXPERTS][MOST_DIM], weight[MOST_EXPERTS]; /* over the tokens of the step so far */
} reference;

static reference r; /* too large for a stack */

static void run_expert(int64_t e, const double *x, double *y) {
    double hidden[MOST_HIDDEN];
    FOR(h, r.hidden) {
        double sum = r.bias1[e * r.hidden + h];
        FOR(i, r.dim) sum += r.fc1[(e * r.hidden + h) * r.dim + i] * x[i];
        hidden[h] = sum * 0.5 * (1 + erf(sum / sqrt(2)));
    }
    FOR(i, r.dim) {
        y[i] = r.bias2[e * r.dim + i];
        FOR(h, r.hidden) y[i] += r.fc2[(e * r.dim + i) * r.hidden + h] * hidden[h];
    }
}

static void route_token(int64_t t) {
    double total = 0;
    FOR(e, r.experts) {
        double logit = 0;
        FOR(i, r.dim) logit += r.router[e * r.dim + i] * r.x[t * r.dim + i];
        r.p[t][e] = exp(logit);
        total += r.p[t][e];
    }
    FOR(e, r.experts) r.p[t][e] /= total;
    if (r.frozen) return;
    FOR(e, r.experts) {
        int64_t before = 0;
        FOR(j, r.experts) before += r.p[t][j] > r.p[t][e];
        r.chosen[t][e] = before < r.top_k;
    }
}

static void begin_step(void) {
    memset(r.sum, 0, sizeof r.sum);
    memset(r.weight, 0, sizeof r.weight);
}

static void blend(double value[MOST_EXPERTS][MOST_DIM], double sum[MOST_EXPERTS][MOST_DIM], const double *weight) {
    FOR(e, r.experts) {
        if (weight[e] == 0) continue;
        FOR(i, r.dim) value[e][i] = r.beta * value[e][i] + (1 - r.beta) * sum[e][i] / weight[e];
    }
}

/* used = β · Ê as of the step's start + (1 - β) · the mean over this batch, which is added to the step's sums. */
static void update(void) {
    static double sum[MOST_EXPERTS][MOST_DIM], weights[MOST_EXPERTS];
    memset(sum, 0, sizeof sum);
    memset(weights, 0, sizeof weights);
    FOR(t, r.tokens)
        FOR(e, r.experts) {
            if (!r.chosen[t][e]) continue;
            double weight = r.weighted ? r.p[t][e] : 1;
            FOR(i, r.dim) sum[e][i] += weight * r.given[t][e][i];
            weights[e] += weight;
        }
    memcpy(r.used, r.value, sizeof r.used);
    blend(r.used, sum, weights);
    FOR(e, r.experts) {
        FOR(i, r.dim) r.sum[e][i] += sum[e][i];
        r.weight[e] += weights[e];
    }
}

/* The step moves Ê once. */
static void end_step(void) {
    blend(r.value, r.sum, r.weight);
    begin_step();
}

/* Fills p, chosen, given, y, and in training used; returns ⟨y, y_gradient⟩ if there is one. */
static double run(int train, const float *y_gradient) {
    double task = 0;
    FOR(t, r.tokens) {
        route_token(t);
        FOR(e, r.experts)
            if (r.chosen[t][e]) run_expert(e, r.x + t * r.dim, r.given[t][e]);
    }
    if (!train) memcpy(r.used, r.value, sizeof r.used);
    if (train && !r.frozen) update();
    FOR(t, r.tokens)
        FOR(i, r.dim) {
            r.y[t][i] = 0;
            FOR(e, r.experts) r.y[t][i] += r.p[t][e] * (r.chosen[t][e] ? r.given[t][e][i] : r.used[e][i]);
            if (y_gradient != NULL) task += r.y[t][i] * y_gradient[t * r.dim + i];
        }
    return task;
}

/* A layer of the library next to the reference. */
typedef struct fixture {
    tgr_context *context;
    tgr_moe *moe;
    tgr_optimizer *optimizer; /* of rate 0: its steps move nothing but Ê */
    tgr_parameters *parameters;
    double *numbers; /* of the reference */
    test_random random;
} fixture;

static float *tensor(const fixture *f, const char *name) {
    int64_t index = tgr_parameters_find(f->parameters, name);
    return tgr_value(f->parameters, index);
}

static float *gradient(const fixture *f, const char *name) {
    int64_t index = tgr_parameters_find(f->parameters, name);
    return tgr_gradient(f->parameters, index);
}

static double *take(double **at, const float *from, int64_t count) {
    double *numbers = *at;
    FOR(i, count) numbers[i] = from[i];
    *at += count;
    return numbers;
}

/* Reference and layer with the same lively weights, and an Ê that is not zero. r.dim, hidden, experts, top_k, beta and
 * weighted are set. */
static fixture start(int threads, uint64_t seed) {
    char options[256];
    fixture f = {.context = test_context(threads, 5), .random = test_random_start(seed)};
    snprintf(options, sizeof options,
             "method=default experts=%d top_k=%d mlp_ratio=%.17g default_beta=%.17g default_weighted=%d "
             "switch_weight=0 lr=0",
             (int)r.experts, (int)r.top_k, (double)r.hidden / (double)r.dim, r.beta, r.weighted);
    tgr_config *config = test_config(f.context, options);
    assert_status(TGR_OK, tgr_moe_create(&f.moe, f.context, config, r.dim));
    f.parameters = tgr_moe_parameters(f.moe);
    assert_status(TGR_OK, tgr_optimizer_create(&f.optimizer, config, f.parameters));
    tgr_config_free(config);
    begin_step();
    FOR(i, f.parameters->tensor_count) {
        const tgr_tensor *t = &f.parameters->tensors[i];
        double width = 1.5 / sqrt((double)t->dims[t->ndim - 1]);
        test_random_fill(&f.random, tgr_value(f.parameters, i), t->count, -width, width);
    }
    f.numbers = malloc((size_t)(f.parameters->floats + MOST_TOKENS * MOST_DIM) * sizeof(double));
    double *at = f.numbers;
    int64_t matrix = r.experts * r.hidden * r.dim;
    r.router = take(&at, tensor(&f, "router.weight"), r.experts * r.dim);
    r.fc1 = take(&at, tensor(&f, "experts.fc1.weight"), matrix);
    r.bias1 = take(&at, tensor(&f, "experts.fc1.bias"), r.experts * r.hidden);
    r.fc2 = take(&at, tensor(&f, "experts.fc2.weight"), matrix);
    r.bias2 = take(&at, tensor(&f, "experts.fc2.bias"), r.experts * r.dim);
    r.x = at;
    const float *value = tensor(&f, "router.default");
    FOR(e, r.experts)
        FOR(i, r.dim) r.value[e][i] = value[e * r.dim + i];
    r.frozen = 0;
    return f;
}

static void finish(fixture *f) {
    free(f->numbers);
    tgr_optimizer_free(f->optimizer);
    tgr_moe_free(f->moe);
    tgr_context_free(f->context);
}

/* New inputs for the layer, the same in the reference; to be freed. */
static float *new_input(fixture *f, int64_t tokens) {
    float *x = test_random_floats(&f->random, tokens * r.dim);
    r.tokens = tokens;
    FOR(i, tokens * r.dim) r.x[i] = x[i];
    return x;
}

static void check_value(const fixture *f, double tolerance) {
    const float *value = tensor(f, "router.default");
    FOR(e, r.experts)
        FOR(i, r.dim) assert_close(value[e * r.dim + i], r.value[e][i], tolerance);
}

static void check_output(const float *y) {
    FOR(t, r.tokens)
        FOR(i, r.dim) assert_close(y[t * r.dim + i], r.y[t][i], 2e-5);
}

/* One pass through both. In training, backward with y_gradient. */
static void pass(fixture *f, tgr_mode mode, int64_t tokens) {
    float *x = new_input(f, tokens), *y = test_random_floats(&f->random, tokens * r.dim);
    assert_status(TGR_OK, tgr_moe_forward(f->moe, mode, x, tokens, y));
    run(mode == TGR_TRAIN, NULL);
    check_output(y);
    if (mode == TGR_TRAIN) assert_status(TGR_OK, tgr_moe_backward(f->moe, y, NULL));
    check_value(f, 1e-5); /* no pass moves it */
    free(x), free(y);
}

static void step(fixture *f) {
    assert_status(TGR_OK, tgr_optimizer_step(f->optimizer));
    end_step();
    check_value(f, 1e-5);
}

static void any_shape(fixture *f, test_random *random, int round) {
    const int64_t dims[] = {1, 7, 63, 64, 65, 70};
    r.dim = dims[test_random_integer(random, 0, 5)];
    r.hidden = test_random_integer(random, 1, 9);
    r.experts = test_random_integer(random, 1, MOST_EXPERTS);
    r.top_k = test_random_integer(random, 1, r.experts < 3 ? r.experts : 3);
    r.beta = test_random_uniform(random, 0, 1);
    r.weighted = round % 2;
    *f = start(1 + round % 2, (uint64_t)round);
}

/* Steps of one to three micro-batches of any size, with evaluation between. */
static void test_passes_follow_the_formulas(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    FOR(round, 30) {
        fixture f;
        any_shape(&f, &random, (int)round);
        FOR(steps, 3) {
            for (int64_t micro = test_random_integer(&random, 1, 3); micro > 0; micro--) {
                pass(&f, TGR_TRAIN, test_random_integer(&random, 1, MOST_TOKENS));
                pass(&f, TGR_EVAL, test_random_integer(&random, 1, 20));
            }
            step(&f);
        }
        finish(&f);
    }
}

/* How much the loss of frozen gates' choices and frozen Ê changes with *number. */
static double slope(double *number, const float *y_gradient) {
    const double kept = *number, width = 1e-5;
    *number = kept + width;
    double above = run(1, y_gradient);
    *number = kept - width;
    double below = run(1, y_gradient);
    *number = kept;
    return (above - below) / (2 * width);
}

static void check_slopes(const float *actual, double *numbers, int64_t count, const float *y_gradient) {
    FOR(i, count) {
        double expected = slope(&numbers[i], y_gradient);
        assert_close(actual[i], expected, 2e-5 * (1 + fabs(expected)));
    }
}

static void test_gradients_are_the_slopes(void **state) {
    (void)state;
    for (int top_k = 1; top_k <= 4; top_k++) {
        r = (reference){.dim = 5, .hidden = 7, .experts = 4, .top_k = top_k, .beta = 0.6, .weighted = top_k != 2};
        fixture f = start(2, 3);
        float *x = new_input(&f, 12), *dx = new_input(&f, 12), *dy = test_random_floats(&f.random, 60), y[60];
        FOR(i, 60) r.x[i] = x[i];
        begin_step();
        assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x, 12, y));
        assert_status(TGR_OK, tgr_moe_backward(f.moe, dy, dx));
        run(1, dy);
        check_output(y);
        r.frozen = 1;
        check_slopes(dx, r.x, 60, dy);
        check_slopes(gradient(&f, "router.weight"), r.router, 20, dy);
        check_slopes(gradient(&f, "experts.fc1.weight"), r.fc1, 140, dy);
        check_slopes(gradient(&f, "experts.fc1.bias"), r.bias1, 28, dy);
        check_slopes(gradient(&f, "experts.fc2.weight"), r.fc2, 140, dy);
        check_slopes(gradient(&f, "experts.fc2.bias"), r.bias2, 20, dy);
        free(x), free(dx), free(dy);
        finish(&f);
    }
}

/* Logits of experts that were not selected have the gradient that Ê gives them. What stands where a gradient of Ê would
 * are the sums that a step moves it by. */
static void test_unselected_logits_have_a_gradient(void **state) {
    (void)state;
    enum { TOKENS = 40, EXPERTS = 6, DIM = 8 };
    r = (reference){.dim = DIM, .hidden = 8, .experts = EXPERTS, .top_k = 1, .beta = 0.5};
    fixture f = start(1, 4);
    float *x = new_input(&f, TOKENS), *dy = test_random_floats(&f.random, TOKENS * DIM), y[TOKENS * DIM];
    assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x, TOKENS, y));
    assert_status(TGR_OK, tgr_moe_backward(f.moe, dy, NULL));
    const tgr_routing *routing = tgr_moe_routing(f.moe);
    run(1, NULL);
    FOR(t, TOKENS) {
        double sum = 0, task = 0;
        FOR(i, DIM) task += (double)dy[t * DIM + i] * y[t * DIM + i]; /* Σ_e p_e · ∂L/∂p_e */
        FOR(e, EXPERTS) {
            double slope_of_p = 0, actual = routing->losses.dlogits[t * EXPERTS + e];
            sum += actual;
            if (e == routing->choices.experts[t]) continue;
            FOR(i, DIM) slope_of_p += dy[t * DIM + i] * r.used[e][i];
            assert_close(actual, routing->scores.probabilities[t * EXPERTS + e] * (slope_of_p - task), 1e-6);
            assert_true(actual != 0);
        }
        assert_close(sum, 0, 1e-6);
    }
    FOR(e, EXPERTS) {
        assert_close(gradient(&f, "router.default_weight")[e], r.weight[e], 1e-5);
        FOR(i, DIM) assert_close(gradient(&f, "router.default")[e * DIM + i], r.sum[e][i], 1e-5);
    }
    free(x), free(dy);
    finish(&f);
}

/* Ê starts at zero, so that the first step makes it (1 - β) · mean. */
static void test_first_step_moves_from_zero(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 2);
    tgr_config *config = test_config(context,
                                     "method=default experts=2 init_std=0.5 router_init_std=1 mlp_ratio=1 "
                                     "default_weighted=0 default_beta=0.75 lr=0");
    tgr_moe *moe;
    tgr_optimizer *optimizer;
    float x[] = {1, 2, 3}, y[3];
    assert_status(TGR_OK, tgr_moe_create(&moe, context, config, 3));
    tgr_parameters *parameters = tgr_moe_parameters(moe);
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
    const tgr_routing *routing = tgr_moe_routing(moe);
    const float *value = tgr_value(parameters, tgr_parameters_find(parameters, "router.default"));
    FOR(i, 6) assert_true(value[i] == 0);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, 1, y));
    assert_status(TGR_OK, tgr_moe_backward(moe, y, NULL));
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    int64_t chosen = routing->choices.experts[0];
    FOR(i, 3) {
        double given = y[i] / routing->choices.gates[0]; /* the other expert's Ê is zero still */
        assert_true(given != 0);
        assert_close(value[chosen * 3 + i], 0.25 * given, 1e-6);
        assert_true(value[(1 - chosen) * 3 + i] == 0);
    }
    double term;
    const char *name;
    assert_status(TGR_OK, tgr_routing_term(routing, 0, &name, &term));
    assert_string_equal(name, "switch");
    assert_close(term, 0.01 * 2 * routing->choices.gates[0], 1e-8); /* the paper's weight is in force */
    tgr_optimizer_free(optimizer);
    tgr_config_free(config);
    tgr_moe_free(moe);
    tgr_context_free(context);
}

/* Experts that no token chose keep Ê bit for bit, evaluation all of it. */
static void test_what_is_not_updated_is_kept(void **state) {
    (void)state;
    r = (reference){.dim = 6, .hidden = 6, .experts = 9, .top_k = 2, .beta = 0.9, .weighted = 1};
    fixture f = start(2, 6);
    float before[54], y[600], dy[12], *value = tensor(&f, "router.default");
    size_t all = (size_t)f.parameters->floats * sizeof(float);
    float *everything = malloc(all), *x = new_input(&f, 100);
    const tgr_routing *routing = tgr_moe_routing(f.moe);
    int64_t unused = 0;
    FOR(round, 20) {
        memcpy(before, value, sizeof before);
        assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x + round * 6, 2, y));
        memcpy(dy, y, sizeof dy);
        assert_status(TGR_OK, tgr_moe_backward(f.moe, dy, NULL));
        assert_same_bytes(value, before, sizeof before);
        assert_status(TGR_OK, tgr_optimizer_step(f.optimizer));
        FOR(e, 9) {
            size_t row = 6 * sizeof(float);
            if (routing->slots.load[e] > 0) assert_memory_not_equal(value + e * 6, before + e * 6, row);
            if (routing->slots.load[e] == 0) assert_same_bytes(value + e * 6, before + e * 6, row);
            unused += routing->slots.load[e] == 0;
        }
        memcpy(everything, f.parameters->values, all);
        assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_EVAL, x, 100, y));
        assert_same_bytes(f.parameters->values, everything, all);
    }
    assert_true(unused > 20);
    free(everything), free(x);
    finish(&f);
}

/* Three steps of 60 tokens, cut into `cuts` micro-batches each: Ê at the end. */
static void train_in_cuts(int64_t cuts, int weighted, float *value) {
    r = (reference){.dim = 6, .hidden = 6, .experts = 5, .top_k = 2, .beta = 0.7, .weighted = weighted};
    fixture f = start(1, 8);
    float *x = new_input(&f, 60), y[360];
    FOR(steps, 3) {
        FOR(cut, cuts) {
            int64_t first = 60 * cut * cut / (cuts * cuts), end = 60 * (cut + 1) * (cut + 1) / (cuts * cuts);
            assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x + first * 6, end - first, y));
            assert_status(TGR_OK, tgr_moe_backward(f.moe, y, NULL));
        }
        assert_status(TGR_OK, tgr_optimizer_step(f.optimizer));
    }
    memcpy(value, tensor(&f, "router.default"), 30 * sizeof *value);
    free(x);
    finish(&f);
}

static void test_cuts_do_not_matter_to_the_update(void **state) {
    (void)state;
    for (int weighted = 0; weighted < 2; weighted++) {
        float whole[30], cut[30];
        train_in_cuts(1, weighted, whole);
        for (int64_t cuts = 2; cuts <= 5; cuts++) {
            train_in_cuts(cuts, weighted, cut);
            assert_all_close(cut, whole, 30, 1e-6, 1e-6);
        }
    }
}

/* Discarded gradients take their batches with them. */
static void test_thrown_away_gradients_move_nothing(void **state) {
    (void)state;
    r = (reference){.dim = 4, .hidden = 4, .experts = 2, .top_k = 1, .beta = 0.5};
    fixture f = start(1, 9);
    FOR(round, 3) {
        pass(&f, TGR_TRAIN, 30);
        assert_status(TGR_OK, tgr_parameters_zero_gradients(f.parameters));
        begin_step();
        pass(&f, TGR_TRAIN, 20);
        step(&f);
    }
    finish(&f);
}

/* The gradients of two layers, averaged by a host, move both as one batch of all tokens would. */
static void test_averaged_gradients_move_as_one_batch(void **state) {
    (void)state;
    enum { TOKENS = 40, DIM = 6 };
    float values[2][5 * DIM], whole[5 * DIM], y[2 * TOKENS * DIM];
    for (int weighted = 0; weighted < 2; weighted++) {
        r = (reference){.dim = DIM, .hidden = 6, .experts = 5, .top_k = 2, .beta = 0.7, .weighted = weighted};
        fixture ranks[2], one = start(1, 8);
        float *x = new_input(&one, 2 * TOKENS);
        FOR(i, 2) ranks[i] = start(1, 8);
        FOR(steps, 3) {
            FOR(i, 2) {
                assert_status(TGR_OK, tgr_moe_forward(ranks[i].moe, TGR_TRAIN, x + i * TOKENS * DIM, TOKENS, y));
                assert_status(TGR_OK, tgr_moe_backward(ranks[i].moe, y, NULL));
            }
            float *a = ranks[0].parameters->gradients, *b = ranks[1].parameters->gradients;
            FOR(i, ranks[0].parameters->floats) a[i] = b[i] = (a[i] + b[i]) / 2;
            FOR(i, 2) assert_status(TGR_OK, tgr_optimizer_step(ranks[i].optimizer));
            assert_status(TGR_OK, tgr_moe_forward(one.moe, TGR_TRAIN, x, 2 * TOKENS, y));
            assert_status(TGR_OK, tgr_moe_backward(one.moe, y, NULL));
            assert_status(TGR_OK, tgr_optimizer_step(one.optimizer));
        }
        FOR(i, 2) memcpy(values[i], tensor(&ranks[i], "router.default"), sizeof *values);
        memcpy(whole, tensor(&one, "router.default"), sizeof whole);
        assert_same_bytes(values[1], values[0], sizeof *values);
        assert_all_close(values[0], whole, 5 * DIM, 1e-6, 1e-6);
        FOR(i, 2) finish(&ranks[i]);
        free(x);
        finish(&one);
    }
}

static void test_beta_at_its_ends(void **state) {
    (void)state;
    for (int beta = 0; beta < 2; beta++) {
        r = (reference){.dim = 4, .hidden = 4, .experts = 3, .top_k = 3, .beta = beta};
        fixture f = start(1, 10);
        float before[12], y[20], *value = tensor(&f, "router.default"), *x = new_input(&f, 5);
        memcpy(before, value, sizeof before);
        assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x, 5, y));
        run(1, NULL);
        check_output(y); /* K = E: there is no expert to replace */
        assert_status(TGR_OK, tgr_moe_backward(f.moe, y, NULL));
        step(&f);
        if (beta == 1) assert_same_bytes(value, before, sizeof before);
        free(x);
        finish(&f);
    }
}

/* An input that overflows spoils the means of the experts that got it; their Ê stays, the others' moves. (As a rule the
 * step is refused; here a host mends the gradients.) */
static void test_overflow_is_not_remembered(void **state) {
    (void)state;
    r = (reference){.dim = 4, .hidden = 4, .experts = 4, .top_k = 1, .beta = 0.5};
    const float awkward[] = {INFINITY, NAN, -INFINITY};
    FOR(round, 3) {
        fixture f = start(1, 12);
        float before[16], y[160], *value = tensor(&f, "router.default"), *x = new_input(&f, 40);
        FOR(i, 4) x[28 + i] = awkward[round];
        memcpy(before, value, sizeof before);
        const tgr_routing *routing = tgr_moe_routing(f.moe);
        assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x, 40, y));
        assert_status(TGR_OK, tgr_moe_backward(f.moe, y, NULL));
        FOR(i, f.parameters->tensor_count)
            if ((f.parameters->tensors[i].flags & TGR_TENSOR_STATE) == 0)
                memset(tgr_gradient(f.parameters, i), 0, (size_t)f.parameters->tensors[i].count * sizeof(float));
        assert_status(TGR_OK, tgr_optimizer_step(f.optimizer));
        FOR(e, 4) {
            size_t row = 4 * sizeof(float);
            FOR(i, 4) assert_true(isfinite(value[e * 4 + i]));
            if (routing->slots.load[e] > 0 && routing->choices.experts[7] != e)
                assert_memory_not_equal(value + e * 4, before + e * 4, row);
        }
        assert_same_bytes(value + routing->choices.experts[7] * 4, before + routing->choices.experts[7] * 4,
                          4 * sizeof(float));
        free(x);
        finish(&f);
    }
}

/* State is not trained: it does not count, has no moments, and is in the way of no option. */
static void test_defaults_are_state(void **state) {
    (void)state;
    r = (reference){.dim = 8, .hidden = 8, .experts = 3, .top_k = 1, .beta = 0.9, .weighted = 1};
    fixture f = start(1, 13);
    int64_t total = tgr_parameters_number_count(f.parameters);
    assert_int_equal(total, 3 * 8 + 3 * (8 * 8 + 8) * 2);
    const char *states[] = {"router.default", "router.default_weight"};
    FOR(s, 2) {
        int64_t index = tgr_parameters_find(f.parameters, states[s]);
        assert_true(f.parameters->tensors[index].flags & TGR_TENSOR_STATE);
    }
    finish(&f);
}

/* Without experts there are no defaults: the gradient is that of the chosen gates, batch after batch. */
static void test_router_alone_learns_from_its_gates(void **state) {
    (void)state;
    enum { TOKENS = 50, DIM = 6, EXPERTS = 4 };
    tgr_context *context = test_context(1, 2);
    const char *options[] = {"method=default experts=4 top_k=2 switch_weight=0 router_init_std=1",
                             "method=vmoe router_noise=0 importance_weight=0 load_weight=0 experts=4 top_k=2 "
                             "router_init_std=1"};
    test_random random = test_random_start(14);
    tgr_router *routers[2];
    FOR(i, 2) {
        tgr_config *config = test_config(context, options[i]);
        assert_status(TGR_OK, tgr_router_create(&routers[i], context, config, DIM));
        tgr_config_free(config);
    }
    FOR(round, 3) {
        float *x = test_random_floats(&random, TOKENS * DIM), *dgates = test_random_floats(&random, TOKENS * 2);
        float dx[2][TOKENS * DIM];
        FOR(i, 2) {
            assert_status(TGR_OK, tgr_router_forward(routers[i], TGR_TRAIN, x, TOKENS));
            assert_status(TGR_OK, tgr_router_backward(routers[i], dgates, dx[i]));
        }
        assert_all_close(dx[0], dx[1], TOKENS * DIM, 1e-6, 1e-5);
        free(x), free(dgates);
    }
    FOR(i, 2) tgr_router_free(routers[i]);
    tgr_context_free(context);
}

/* A teacher guides it as any softmax router, on top of the dense gradient. */
static void test_a_teacher_may_guide(void **state) {
    (void)state;
    enum { TOKENS = 20, EXPERTS = 3, DIM = 4 };
    r = (reference){.dim = DIM, .hidden = 4, .experts = EXPERTS, .top_k = 1, .beta = 0.9, .weighted = 1};
    fixture f = start(1, 15);
    float teacher[TOKENS * EXPERTS], y[TOKENS * DIM], *x = new_input(&f, TOKENS), zero[TOKENS * DIM] = {0};
    FOR(i, TOKENS * EXPERTS) teacher[i] = i % EXPERTS == 1 ? 0.5f : 0.25f;
    const tgr_routing *routing = tgr_moe_routing(f.moe);
    assert_status(TGR_OK, tgr_moe_forward(f.moe, TGR_TRAIN, x, TOKENS, y));
    assert_status(TGR_OK, tgr_moe_guide(f.moe, teacher, 2, NULL));
    assert_status(TGR_OK, tgr_moe_backward(f.moe, zero, NULL));
    FOR(i, TOKENS * EXPERTS)
        assert_close(routing->losses.dlogits[i], 2 * (routing->scores.probabilities[i] - teacher[i]) / TOKENS, 1e-7);
    free(x);
    finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes_follow_the_formulas),
        cmocka_unit_test(test_gradients_are_the_slopes),
        cmocka_unit_test(test_unselected_logits_have_a_gradient),
        cmocka_unit_test(test_first_step_moves_from_zero),
        cmocka_unit_test(test_what_is_not_updated_is_kept),
        cmocka_unit_test(test_cuts_do_not_matter_to_the_update),
        cmocka_unit_test(test_thrown_away_gradients_move_nothing),
        cmocka_unit_test(test_averaged_gradients_move_as_one_batch),
        cmocka_unit_test(test_beta_at_its_ends),
        cmocka_unit_test(test_overflow_is_not_remembered),
        cmocka_unit_test(test_defaults_are_state),
        cmocka_unit_test(test_router_alone_learns_from_its_gates),
        cmocka_unit_test(test_a_teacher_may_guide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
