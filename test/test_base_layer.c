/* SPDX-License-Identifier: MIT */
/* BASE layers: the balanced assignment against every other one, against the Hungarian method and against the proof that
 * its prices are; the layer's gates, gradients and evaluation. */
#include <float.h>

#include "moe_gradients.h"
#include "routing/slots/balanced_assignment.h"

typedef struct problem {
    tgr_balanced_assignment assignment;
    void *memory;
    int64_t tokens, experts;
    float *scores;   /* [T, E] */
    int32_t *expert; /* [T] */
} problem;

static problem problem_start(int64_t tokens, int64_t experts) {
    problem p = {.tokens = tokens, .experts = experts};
    tgr_arena arena = {0};
    tgr_balanced_assignment_plan(&p.assignment, &arena, tokens, experts);
    assert_false(arena.overflow);
    arena.capacity = arena.used;
    p.memory = arena.base = aligned_alloc(64, (size_t)arena.used);
    memset(p.memory, 0x5a, (size_t)arena.used);
    arena.used = 0;
    tgr_balanced_assignment_plan(&p.assignment, &arena, tokens, experts);
    p.scores = calloc((size_t)(tokens * experts), sizeof *p.scores);
    p.expert = calloc((size_t)tokens, sizeof *p.expert);
    return p;
}

static void problem_end(problem *p) {
    free(p->memory), free(p->scores), free(p->expert);
}

enum { NOISE, TIES, SKEWED, LOW_RANK, EQUAL, EQUAL_ROWS, GROUPS, KINDS };

static void fill(problem *p, int kind, uint64_t seed) {
    test_random random = test_random_start(seed);
    double direction[64];
    FOR(e, p->experts) direction[e] = test_random_uniform(&random, -1, 1);
    FOR(t, p->tokens) {
        double along = test_random_uniform(&random, -1, 3);
        FOR(e, p->experts) {
            double noise = test_random_uniform(&random, -1, 1);
            const double values[KINDS] = {[NOISE] = noise,
                                          [TIES] = (double)test_random_integer(&random, -1, 1),
                                          [SKEWED] = noise + (e == p->experts / 2 ? 5 : 0),
                                          [LOW_RANK] = along * direction[e],
                                          [EQUAL] = 0.25,
                                          [EQUAL_ROWS] = direction[e],
                                          [GROUPS] = (double)(t % 13 * (e + 3) % 7)};
            p->scores[t * p->experts + e] = (float)values[kind];
        }
    }
}

/* Assigns, and checks that loads are floor(T / E) or ceil(T / E). */
static void assign(problem *p) {
    int64_t least = p->tokens / p->experts, most = (p->tokens + p->experts - 1) / p->experts;
    int64_t *load = calloc((size_t)p->experts, sizeof *load);
    memset(p->expert, 0x5a, (size_t)p->tokens * sizeof *p->expert);
    tgr_assign_balanced(&p->assignment, p->tokens, p->scores, p->expert);
    FOR(t, p->tokens) {
        assert_true(p->expert[t] >= 0 && p->expert[t] < p->experts);
        load[p->expert[t]]++;
    }
    FOR(e, p->experts) assert_true(load[e] >= least && load[e] <= most);
    free(load);
}

static double sum_of_scores(const problem *p) {
    double sum = 0;
    FOR(t, p->tokens) sum += (double)p->scores[t * p->experts + p->expert[t]];
    return sum;
}

/* The best sum when tokens from `token` on still have to go to experts with that many places. */
static double best_by_trying(const problem *p, int64_t token, int64_t *load) {
    int64_t least = p->tokens / p->experts, most = (p->tokens + p->experts - 1) / p->experts;
    double best = -INFINITY;
    if (token == p->tokens) {
        FOR(e, p->experts)
            if (load[e] < least) return -INFINITY;
        return 0;
    }
    FOR(e, p->experts) {
        if (load[e] == most) continue;
        load[e]++;
        best = fmax(best, (double)p->scores[token * p->experts + e] + best_by_trying(p, token + 1, load));
        load[e]--;
    }
    return best;
}

static void test_tiny_ones_are_the_best_of_all(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    for (int round = 0; round < 400; round++) {
        problem p = problem_start(test_random_integer(&random, 1, 7), test_random_integer(&random, 1, 4));
        int64_t load[4] = {0};
        fill(&p, round % KINDS, (uint64_t)round);
        assign(&p);
        assert_close(sum_of_scores(&p), best_by_trying(&p, 0, load), 1e-12);
        problem_end(&p);
    }
}

/* The Hungarian method (Kuhn and Munkres) on places: rows are tokens and then nobodies, who may take the last place of
 * an expert alone. Returns the largest sum of scores. */
static double best_by_hungarian(const problem *p) {
    enum { MOST = 80 };
    int64_t places = (p->tokens + p->experts - 1) / p->experts, n = places * p->experts;
    static double value[MOST + 1][MOST + 1];
    double row_price[MOST + 1] = {0}, column_price[MOST + 1] = {0}, sum = 0;
    int64_t row_of[MOST + 1] = {0}, before[MOST + 1] = {0};
    assert_true(n <= MOST);
    for (int64_t i = 1; i <= n; i++)
        for (int64_t j = 1; j <= n; j++) {
            int last_place = (j - 1) % places == places - 1;
            value[i][j] = i <= p->tokens ? -(double)p->scores[(i - 1) * p->experts + (j - 1) / places]
                          : last_place   ? 0
                                         : 1e6;
        }
    for (int64_t i = 1; i <= n; i++) {
        double least[MOST + 1];
        int used[MOST + 1] = {0};
        int64_t column = 0;
        for (int64_t j = 0; j <= n; j++) least[j] = INFINITY;
        row_of[0] = i;
        do {
            int64_t row = row_of[column], next = 0;
            double delta = INFINITY;
            used[column] = 1;
            for (int64_t j = 1; j <= n; j++) {
                if (used[j]) continue;
                double reduced = value[row][j] - row_price[row] - column_price[j];
                if (reduced < least[j]) least[j] = reduced, before[j] = column;
                if (least[j] < delta) delta = least[j], next = j;
            }
            for (int64_t j = 0; j <= n; j++) {
                if (used[j])
                    row_price[row_of[j]] += delta, column_price[j] -= delta;
                else
                    least[j] -= delta;
            }
            column = next;
        } while (row_of[column] != 0);
        for (; column != 0; column = before[column]) row_of[column] = row_of[before[column]];
    }
    for (int64_t j = 1; j <= n; j++) sum -= value[row_of[j]][j];
    return sum;
}

static void test_moderate_ones_equal_the_hungarian_method(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    for (int round = 0; round < 350; round++) {
        problem p = problem_start(test_random_integer(&random, 1, 66), test_random_integer(&random, 1, 9));
        fill(&p, round % KINDS, (uint64_t)round);
        assign(&p);
        assert_close(sum_of_scores(&p), best_by_hungarian(&p), 1e-9);
        problem_end(&p);
    }
}

/* Large ones by duality: with prices at which no token would rather be elsewhere, and at which experts that stay below
 * the capacity are no dearer than the others, nothing can be better. */
static void check_prices(const problem *p) {
    int64_t *load = calloc((size_t)p->experts, sizeof *load), most = (p->tokens + p->experts - 1) / p->experts;
    const double *price = p->assignment.price;
    FOR(t, p->tokens) {
        const float *scores = p->scores + t * p->experts;
        double own = (double)scores[p->expert[t]] - price[p->expert[t]];
        FOR(e, p->experts) assert_true((double)scores[e] - price[e] <= own + 1e-9);
        load[p->expert[t]]++;
    }
    FOR(e, p->experts)
        FOR(other, p->experts)
            if (load[e] < most && load[other] == most) assert_true(price[e] <= price[other] + 1e-9);
    free(load);
}

static void test_large_ones_are_proved_by_prices(void **state) {
    (void)state;
    const int64_t sizes[][2] = {{6400, 8}, {3001, 32}, {1023, 7}, {257, 64}, {513, 2}, {256, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            problem p = problem_start(sizes[i][0], sizes[i][1]);
            fill(&p, kind, (uint64_t)i);
            assign(&p);
            check_prices(&p);
            problem_end(&p);
        }
}

static void test_awkward_scores_are_safe(void **state) {
    (void)state;
    const float awkward[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0, -0.0f, 1, FLT_MIN};
    test_random random = test_random_start(3);
    for (int round = 0; round < 200; round++) {
        problem p = problem_start(test_random_integer(&random, 1, 700), test_random_integer(&random, 1, 12));
        FOR(i, p.tokens * p.experts)
            p.scores[i] = round == 0 ? NAN : awkward[test_random_integer(&random, 0, round % 9)];
        assign(&p);
        problem_end(&p);
    }
}

/* Buffers for many tokens serve few, and what was assigned before does not matter. */
static void test_buffers_may_be_larger(void **state) {
    (void)state;
    problem large = problem_start(900, 5);
    for (int64_t tokens = 900; tokens > 0; tokens -= 123) {
        problem fitting = problem_start(tokens, 5);
        fill(&fitting, NOISE, (uint64_t)tokens);
        assign(&fitting);
        tgr_assign_balanced(&large.assignment, tokens, fitting.scores, large.expert);
        assert_same_bytes(large.expert, fitting.expert, (size_t)tokens * sizeof *large.expert);
        problem_end(&fitting);
    }
    problem_end(&large);
}

static void test_equal_tokens_go_in_order(void **state) {
    (void)state;
    problem p = problem_start(3, 5); /* fewer tokens than experts: one each */
    fill(&p, EQUAL, 0);
    assign(&p);
    problem_end(&p);
    p = problem_start(5, 2);
    fill(&p, EQUAL, 0);
    assign(&p);
    FOR(t, 5) assert_int_equal(p.expert[t], t % 2);
    problem_end(&p);
    p = problem_start(4, 2);
    FOR(t, 4) p.scores[t * 2] = 1; /* all would rather go to expert 0: the first ones leave */
    assign(&p);
    assert_true(p.expert[0] == 1 && p.expert[1] == 1 && p.expert[2] == 0 && p.expert[3] == 0);
    problem_end(&p);
}

#define LAYER "method=base experts=5 mlp_ratio=2 "

static void test_training_balances_and_evaluation_does_not(void **state) {
    (void)state;
    test_layer layer = test_layer_start(2, LAYER, 43, 8);
    const tgr_routing *r = layer.routing;
    FOR(t, 43) layer.x[t * 8] += 2; /* in the direction that some experts like */
    for (tgr_mode mode = TGR_EVAL; mode <= TGR_TRAIN; mode++) {
        int64_t best_ones = 0, balanced = 1;
        assert_status(TGR_OK, tgr_moe_forward(layer.moe, mode, layer.x, 43, layer.y));
        FOR(t, 43) {
            const float *scores = r->scores.logits + t * 5;
            int64_t best = 0;
            for (int64_t e = 1; e < 5; e++) best = scores[e] > scores[best] ? e : best;
            best_ones += r->choices.experts[t] == best;
            assert_true(r->slots.kept[t]);
            assert_close(r->choices.gates[t], 1 / (1 + exp(-(double)scores[r->choices.experts[t]])), 1e-7);
        }
        FOR(e, 5) balanced &= r->slots.load[e] == 8 || r->slots.load[e] == 9;
        assert_int_equal(balanced, mode == TGR_TRAIN);
        assert_int_equal(best_ones == 43, mode == TGR_EVAL);
        assert_int_equal(r->losses.term_count, 0);
    }
    test_layer_end(&layer);
}

static void test_gradients_equal_differences(void **state) {
    (void)state;
    test_layer layer = test_layer_start(2, LAYER, 13, 8);
    test_layer_check_gradients(&layer);
    test_layer_end(&layer);
    layer = test_layer_start(1, LAYER "shared_experts=1", 3, 8); /* fewer tokens than experts */
    assert_int_equal(layer.parameters->tensor_count, 9);
    test_layer_loss(&layer);
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.weights, layer.x_gradient));
    assert_int_equal(layer.routing->slots.count, 3);
    test_layer_end(&layer);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    test_layer_check_threads(LAYER, 1003, 12);
}

static void test_centroids_start_orthogonal(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe;
    assert_status(TGR_OK, test_moe_create(&moe, context, LAYER, 8));
    tgr_parameters *parameters = tgr_moe_parameters(moe);
    const float *centroids = tgr_value(parameters, 0);
    assert_string_equal(parameters->tensors[0].name, "router.weight");
    FOR(a, 5)
        FOR(b, 5) {
            double product = 0;
            FOR(i, 8) product += (double)centroids[a * 8 + i] * (double)centroids[b * 8 + i];
            assert_close(product, a == b ? 0.01 : 0, 1e-7);
        }
    tgr_moe_free(moe);
    tgr_context_free(context);
}

static void test_misfits_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe = NULL;
    assert_fails(TGR_ERROR_RANGE, "at most 512", test_moe_create(&moe, context, "method=base experts=513", 8));
    assert_fails(TGR_ERROR_OPTION, "'top_k'", test_moe_create(&moe, context, LAYER "top_k=1", 8));
    assert_fails(TGR_ERROR_OPTION, "'capacity_factor'", test_moe_create(&moe, context, LAYER "capacity_factor=1", 8));
    assert_fails(TGR_ERROR_OPTION, "'mi_weight'", test_moe_create(&moe, context, LAYER "mi_weight=1", 8));
    assert_null(moe);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_ones_are_the_best_of_all),
        cmocka_unit_test(test_moderate_ones_equal_the_hungarian_method),
        cmocka_unit_test(test_large_ones_are_proved_by_prices),
        cmocka_unit_test(test_awkward_scores_are_safe),
        cmocka_unit_test(test_buffers_may_be_larger),
        cmocka_unit_test(test_equal_tokens_go_in_order),
        cmocka_unit_test(test_training_balances_and_evaluation_does_not),
        cmocka_unit_test(test_gradients_equal_differences),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_centroids_start_orthogonal),
        cmocka_unit_test(test_misfits_are_refused),
    };
    return cmocka_run_group_tests_name("base layer", tests, NULL, NULL);
}
