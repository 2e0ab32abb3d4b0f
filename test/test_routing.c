/* SPDX-License-Identifier: MIT */
/* The routing core on logits made up to be awkward: top-K, capacity, priorities, balance losses, guidance. Everything
 * is compared with a plain restatement of the rule. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/parallel_rows.h"
#include "routing/gates/topk.h"
#include "routing/losses/guidance.h"
#include "routing/method.h"
#include "routing/slots/capacity.h"
#include "support.h"

/* A router alone, fed with logits. */
typedef struct fixture {
    tgr_context *context;
    tgr_layer_router router;
    tgr_routing_pass pass;
    tgr_routing routing;
    tgr_routing_work work;
    void *memory;
} fixture;

/* `options`: "key=value key=value …" */
static fixture fixture_start(int threads, const char *options, int64_t tokens) {
    fixture f = {.context = test_context(threads, 11)};
    tgr_config *config = test_config(f.context, "method=tgr");
    assert_status(TGR_OK, test_config_set_all(config, options));
    assert_status(TGR_OK, tgr_router_options_read(&f.router.options, config));
    tgr_config_free(config);
    f.router.method = tgr_method_of(f.router.options.method);
    f.router.compute = &f.context->compute;
    f.pass.tokens = f.routing.tokens = tokens;
    f.routing.experts = f.router.options.experts;
    f.routing.top_k = f.router.options.top_k;
    tgr_arena arena = {0};
    tgr_routing_plan(&f.router, TGR_TRAIN, &arena, tokens, &f.routing, &f.work);
    assert_false(arena.overflow);
    arena.capacity = arena.used;
    f.memory = arena.base = aligned_alloc(64, (size_t)arena.used);
    memset(f.memory, 0x5a, (size_t)arena.used);
    arena.used = 0;
    tgr_routing_plan(&f.router, TGR_TRAIN, &arena, tokens, &f.routing, &f.work);
    assert_false(arena.overflow);
    return f;
}

static void fixture_end(fixture *f) {
    free(f->memory);
    tgr_context_free(f->context);
}

/* Routes by the record's logits, which the caller has filled; in TGR_EVAL by `override` [tokens, E] unless NULL. */
static void fixture_route_by(fixture *f, tgr_mode mode, uint32_t step, uint32_t micro, const float *override) {
    const tgr_method *method = f->router.method;
    tgr_routing *r = &f->routing;
    f->pass.mode = mode;
    f->pass.override = mode == TGR_EVAL ? override : NULL;
    f->pass.random =
        (tgr_random){.seed = 11, .step = step, .place = tgr_random_place(TGR_PLACE_ROUTER_NOISE, 2, micro)};
    r->losses.term_count = 0;
    memset(r->losses.dlogits, 0, (size_t)(r->tokens * r->experts) * sizeof(float));
    tgr_softmax_rows(f->router.compute, r->tokens, r->experts, 1.0f, r->scores.logits, r->scores.probabilities, NULL);
    r->choices.gate_logits = r->scores.logits;
    r->choices.gate_probabilities = f->pass.override != NULL ? f->pass.override : r->scores.probabilities;
    method->route(&f->router, &f->pass, &r->scores, &f->work, &r->choices);
    method->assign(&f->router, &f->pass, &r->choices, &f->work, &r->slots);
    method->losses(&f->router, &f->pass, &r->scores, &r->choices, &f->work, &r->losses);
}

static void fixture_route(fixture *f, tgr_mode mode, uint32_t step, uint32_t micro) {
    fixture_route_by(f, mode, step, micro, NULL);
}

/* From work.dgates, which the caller has filled. */
static void fixture_route_backward(fixture *f) {
    tgr_routing *r = &f->routing;
    f->router.method->route_backward(&f->router, &f->pass, &r->choices, &r->slots, f->work.dgates, &f->work,
                                     r->losses.dlogits);
}

static double as_rank(float value) {
    return isnan(value) ? -INFINITY : value;
}

/* Whether a at i comes before b at j. */
static int precedes(float a, int64_t i, float b, int64_t j) {
    return as_rank(a) > as_rank(b) || (as_rank(a) == as_rank(b) && i < j);
}

static void naive_top_k(const float *values, int64_t count, int64_t k, int32_t *indices) {
    FOR(i, count) {
        int64_t before = 0;
        FOR(j, count) before += precedes(values[j], j, values[i], i);
        if (before < k) indices[before] = (int32_t)i;
    }
}

static void test_top_k_equals_sorting(void **state) {
    (void)state;
    const float awkward[] = {0, -0.0f, 1, 1, -1, NAN, INFINITY, -INFINITY, FLT_MIN, 0.5f};
    test_random random = test_random_start(1);
    for (int round = 0; round < 3000; round++) {
        float values[9];
        int32_t expected[9], actual[9];
        int64_t count = test_random_integer(&random, 1, 9), k = test_random_integer(&random, 1, count);
        FOR(i, count) values[i] = awkward[test_random_integer(&random, 0, 9)];
        naive_top_k(values, count, k, expected);
        tgr_top_k(values, count, k, actual);
        assert_same_bytes(actual, expected, (size_t)k * sizeof *actual);
    }
}

/* What must hold of every assignment, whatever the logits. */
static void check_slots(const fixture *f) {
    const tgr_routing *r = &f->routing;
    int64_t top_k = r->top_k, experts = r->experts, kept = 0;
    int64_t capacity = tgr_capacity(&f->router.options, f->pass.mode, r->tokens);
    assert_true(capacity >= 1);
    FOR(t, r->tokens) {
        for (int64_t i = t * top_k; i < (t + 1) * top_k; i++) {
            assert_in_range(r->choices.experts[i], 0, experts - 1);
            for (int64_t j = t * top_k; j < i; j++) assert_int_not_equal(r->choices.experts[i], r->choices.experts[j]);
            assert_in_range(r->slots.kept[i], 0, 1);
            kept += r->slots.kept[i];
            assert_int_equal(r->slots.kept[i], r->slots.slot_of_choice[i] >= 0);
            if (!r->slots.kept[i]) continue;
            int64_t slot = r->slots.slot_of_choice[i], expert = r->choices.experts[i];
            assert_true(slot >= r->slots.first_slot[expert] && slot < r->slots.first_slot[expert + 1]);
            assert_int_equal(r->slots.token_of_slot[slot], t);
        }
    }
    assert_int_equal(r->slots.count, kept);
    assert_int_equal(r->slots.first_slot[0], 0);
    FOR(e, experts) {
        assert_int_equal(r->slots.first_slot[e + 1] - r->slots.first_slot[e], r->slots.load[e]);
        assert_true(r->slots.load[e] <= capacity);
        for (int64_t s = r->slots.first_slot[e] + 1; s < r->slots.first_slot[e + 1]; s++)
            assert_true(r->slots.token_of_slot[s] > r->slots.token_of_slot[s - 1]);
    }
    assert_int_equal(r->slots.first_slot[experts], kept);
}

/* A choice is kept when fewer than C choices of its expert come before it: all first choices before any second, and
 * within a rank by largest gate (or by token alone). */
static void check_priorities(const fixture *f) {
    const tgr_routing *r = &f->routing;
    int64_t top_k = r->top_k, capacity = tgr_capacity(&f->router.options, f->pass.mode, r->tokens);
    FOR(i, r->tokens * top_k) {
        int64_t before = 0, token = i / top_k, rank = i % top_k;
        FOR(j, r->tokens * top_k) {
            if (r->choices.experts[j] != r->choices.experts[i]) continue;
            int64_t other = j / top_k;
            int earlier = other < token;
            if (f->router.options.batch_prioritized)
                earlier = precedes(r->choices.gates[other * top_k], other, r->choices.gates[token * top_k], token);
            before += j % top_k < rank || (j % top_k == rank && earlier);
        }
        assert_int_equal(r->slots.kept[i], before < capacity);
    }
}

static void test_random_batches_follow_the_rules(void **state) {
    (void)state;
    test_random random = test_random_start(2);
    for (int round = 0; round < 200; round++) {
        int64_t experts = test_random_integer(&random, 1, 9), top_k = test_random_integer(&random, 1, experts);
        int64_t tokens = test_random_integer(&random, 1, 150);
        char options[256];
        snprintf(options, sizeof options,
                 "experts=%d top_k=%d capacity_factor=%g batch_prioritized=%d router_noise=%d renormalize=%d",
                 (int)experts, (int)top_k, round % 5 == 0 ? 0 : test_random_uniform(&random, 0.01, 1.5), round % 2,
                 round % 3 == 0, round % 7 == 0);
        fixture f = fixture_start(1 + round % 2, options, tokens);
        FOR(i, tokens * experts) /* few distinct values: many ties */
            f.routing.scores.logits[i] = (float)test_random_integer(&random, -2, round % 4 == 0 ? 20 : 2);
        fixture_route(&f, TGR_TRAIN, (uint32_t)round, 0);
        check_slots(&f);
        check_priorities(&f);
        FOR(t, tokens) {
            int32_t expected[9];
            naive_top_k(f.routing.choices.gate_probabilities + t * experts, experts, top_k, expected);
            assert_same_bytes(f.routing.choices.experts + t * top_k, expected, (size_t)top_k * sizeof *expected);
        }
        fixture_end(&f);
    }
}

static void test_capacity_is_the_formula(void **state) {
    (void)state;
    const struct {
        int64_t tokens, top_k, experts;
        double factor;
        int64_t expected;
    } cases[] = {{160, 1, 8, 1.05, 21}, {160, 2, 8, 1, 40}, {10, 1, 3, 1, 4}, {1, 1, 8, 0.01, 1}, {7, 2, 2, 4, 7},
                 {100, 1, 8, 0, 100},   {8, 1, 4, 1.5, 3},  {9, 1, 9, 1, 1},  {3, 1, 1, 0.5, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tgr_router_options options = {.top_k = cases[i].top_k, .experts = cases[i].experts};
        options.capacity_factor[TGR_EVAL] = cases[i].factor;
        options.capacity_factor[TGR_TRAIN] = 0.001;
        assert_int_equal(tgr_capacity(&options, TGR_EVAL, cases[i].tokens), cases[i].expected);
    }
}

static void test_hard_logits_are_safe(void **state) {
    (void)state;
    const float awkward[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0, 1};
    test_random random = test_random_start(3);
    for (int round = 0; round < 50; round++) {
        fixture f = fixture_start(2,
                                  "experts=5 top_k=3 capacity_factor=0.7 importance_weight=1 load_weight=1 "
                                  "switch_weight=1 z_weight=1 renormalize=1",
                                  130);
        FOR(i, 130 * 5) f.routing.scores.logits[i] = awkward[test_random_integer(&random, 0, 6)];
        FOR(i, 5) f.routing.scores.logits[i] = NAN;
        fixture_route(&f, TGR_TRAIN, 0, 0);
        check_slots(&f);
        check_priorities(&f);
        FOR(i, 130 * 3) f.work.dgates[i] = 1;
        fixture_route_backward(&f);
        assert_int_equal(f.routing.choices.experts[0], 0); /* all NaN: a tie, to the lowest indices */
        assert_int_equal(f.routing.choices.experts[1], 1);
        assert_int_equal(f.routing.choices.experts[2], 2);
        fixture_end(&f);
    }
}

static void test_all_tokens_to_one_expert(void **state) {
    (void)state;
    fixture f = fixture_start(2, "experts=4 capacity_factor=1 importance_weight=1 load_weight=1", 100);
    FOR(i, 400) f.routing.scores.logits[i] = i % 4 == 2 ? 30.0f : 0.0f;
    fixture_route(&f, TGR_TRAIN, 0, 0);
    check_slots(&f);
    assert_int_equal(f.routing.slots.load[2], 25);
    assert_int_equal(f.routing.slots.count, 25);
    FOR(i, 25) assert_int_equal(f.routing.slots.token_of_slot[i], i); /* ties go to lower tokens */
    assert_int_equal(f.routing.losses.term_count, 2);
    assert_close(f.routing.losses.terms[0].value, 3, 1e-6); /* loads (T, 0, 0, 0): var / mean² = E - 1 */
    assert_string_equal(f.routing.losses.terms[0].name, "importance");
    assert_string_equal(f.routing.losses.terms[1].name, "load");
    FOR(i, 400) assert_true(isfinite(f.routing.losses.dlogits[i]));
    fixture_end(&f);
}

static void test_perfect_balance_is_smooth(void **state) {
    (void)state;
    fixture f = fixture_start(1, "experts=4 router_noise=0 importance_weight=1 load_weight=1 switch_weight=1", 64);
    FOR(t, 64)
        FOR(e, 4) f.routing.scores.logits[t * 4 + e] = (float)((t + e) % 4);
    fixture_route(&f, TGR_TRAIN, 0, 0);
    FOR(e, 4) assert_int_equal(f.routing.slots.load[e], 16);
    assert_close(f.routing.losses.terms[0].value, 0, 1e-12);
    assert_close(f.routing.losses.terms[1].value, 0, 1e-12);
    assert_close(f.routing.losses.terms[2].value, 1, 1e-6); /* E · Σ 1/E · 1/E */
    FOR(i, 256) assert_close(f.routing.losses.dlogits[i], 0, 1e-7);
    fixture_end(&f);
}

/* Logits all equal: everybody chooses expert 0, all probabilities are the same. */
static void test_equal_logits_are_smooth(void **state) {
    (void)state;
    fixture f = fixture_start(1, "experts=8 top_k=2 router_noise=0 importance_weight=1 load_weight=1 z_weight=1", 50);
    FOR(i, 400) f.routing.scores.logits[i] = 0;
    fixture_route(&f, TGR_TRAIN, 0, 0);
    assert_int_equal(f.routing.slots.load[0], 50);
    assert_int_equal(f.routing.slots.load[1], 50);
    assert_close(f.routing.losses.terms[0].value, 0, 1e-15);
    assert_close(f.routing.losses.terms[1].value, 0, 1e-15);
    assert_close(f.routing.losses.terms[2].value, log(8) * log(8), 1e-12);
    FOR(i, 400) assert_close(f.routing.losses.dlogits[i], 2 * log(8) / 8 / 50, 1e-7);
    fixture_end(&f);
}

static void test_one_expert_and_one_token(void **state) {
    (void)state;
    const char *options[] = {"experts=1 capacity_factor=1 importance_weight=1 load_weight=1",
                             "experts=6 top_k=6 capacity_factor=1 importance_weight=1 load_weight=1",
                             "experts=6 capacity_factor=0.01 importance_weight=1 load_weight=1"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        fixture f = fixture_start(2, options[i], 1);
        FOR(e, f.routing.experts) f.routing.scores.logits[e] = (float)e / 3;
        fixture_route(&f, TGR_TRAIN, 0, 0);
        check_slots(&f);
        assert_int_equal(f.routing.slots.count, f.routing.top_k);
        FOR(e, f.routing.experts) assert_true(isfinite(f.routing.losses.dlogits[e]));
        if (f.routing.experts == 1) {
            assert_close(f.routing.choices.gates[0], 1, 0);
            assert_close(f.routing.losses.terms[0].value, 0, 0);
            assert_close(f.routing.losses.dlogits[0], 0, 0);
        }
        fixture_end(&f);
    }
}

static void test_renormalised_gates_sum_to_one(void **state) {
    (void)state;
    test_random random = test_random_start(4);
    for (int top_k = 1; top_k <= 4; top_k++) {
        char options[64];
        snprintf(options, sizeof options, "experts=4 top_k=%d renormalize=1", top_k);
        fixture f = fixture_start(1, options, 70);
        test_random_fill(&random, f.routing.scores.logits, 280, -3, 3);
        fixture_route(&f, TGR_TRAIN, 3, 1);
        FOR(t, 70) {
            double sum = 0;
            FOR(k, top_k) sum += f.routing.choices.gates[t * top_k + k];
            assert_close(sum, 1, 1e-6);
        }
        test_random_fill(&random, f.work.dgates, 70 * top_k, -1, 1);
        fixture_route_backward(&f);
        for (int64_t i = 0; top_k == 1 && i < 280; i++) assert_true(f.routing.losses.dlogits[i] == 0);
        fixture_end(&f);
    }
}

static void test_noise_is_drawn_as_said(void **state) {
    (void)state;
    enum { TOKENS = 4000, EXPERTS = 8, COUNT = TOKENS * EXPERTS };
    fixture f = fixture_start(2, "experts=8 router_noise=1.5", TOKENS);
    float *first = malloc(COUNT * sizeof(float));
    memset(f.routing.scores.logits, 0, COUNT * sizeof(float));
    fixture_route(&f, TGR_TRAIN, 5, 0);
    memcpy(first, f.routing.choices.gate_logits, COUNT * sizeof(float));
    double sum = 0, squares = 0;
    tgr_random random = {.seed = 11, .step = 5, .place = tgr_random_place(TGR_PLACE_ROUTER_NOISE, 2, 0)};
    FOR(i, COUNT) {
        sum += first[i];
        squares += (double)first[i] * first[i];
        assert_close(first[i], tgr_random_normal(&random, (uint64_t)i) * 1.5 / EXPERTS, 1e-7);
    }
    assert_close(sum / COUNT, 0, 0.005);
    assert_close(sqrt(squares / COUNT), 1.5 / EXPERTS, 0.003);
    fixture_route(&f, TGR_TRAIN, 5, 0);
    assert_same_bytes(f.routing.choices.gate_logits, first, COUNT * sizeof(float));
    const uint32_t others[][2] = {{6, 0}, {5, 1}};
    for (int i = 0; i < 2; i++) {
        fixture_route(&f, TGR_TRAIN, others[i][0], others[i][1]);
        int64_t same = 0;
        FOR(j, COUNT) same += f.routing.choices.gate_logits[j] == first[j];
        assert_true(same < COUNT / 100);
    }
    fixture_route(&f, TGR_EVAL, 5, 0);
    assert_same_bytes(f.routing.choices.gate_logits, f.routing.scores.logits, COUNT * sizeof(float));
    free(first);
    fixture_end(&f);
}

static void test_guidance_reaches_every_expert(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        enum { TOKENS = 200, EXPERTS = 5 };
        fixture f = fixture_start(threads, "experts=5 router_noise=1", TOKENS);
        test_random random = test_random_start(6);
        float teacher[TOKENS * EXPERTS];
        test_random_fill(&random, f.routing.scores.logits, TOKENS * EXPERTS, -2, 2);
        FOR(t, TOKENS) {
            double sum = 0;
            FOR(e, EXPERTS) {
                int zero = t % 3 == 0 && e == 1;
                teacher[t * EXPERTS + e] = zero ? 0 : (float)test_random_uniform(&random, 0.1, 1);
                sum += teacher[t * EXPERTS + e];
            }
            FOR(e, EXPERTS) teacher[t * EXPERTS + e] /= (float)sum;
        }
        double divergence, expected = 0;
        fixture_route(&f, TGR_TRAIN, 0, 0);
        divergence = tgr_guidance_divergence(&f.router, &f.pass, &f.routing.scores, teacher, &f.work);
        FOR(i, TOKENS * EXPERTS) assert_true(f.routing.losses.dlogits[i] == 0);
        tgr_guidance_backward(&f.router, &f.pass, &f.routing.scores, teacher, 5, f.routing.losses.dlogits);
        FOR(i, TOKENS * EXPERTS) {
            double p = f.routing.scores.probabilities[i], q = teacher[i];
            if (q > 0) expected += q * log(q / p) / TOKENS;
            assert_close(f.routing.losses.dlogits[i], 5 * (p - q) / TOKENS, 1e-8);
            assert_true(f.routing.losses.dlogits[i] != 0);
        }
        assert_close(divergence, expected, 1e-6);
        divergence =
            tgr_guidance_divergence(&f.router, &f.pass, &f.routing.scores, f.routing.scores.probabilities, &f.work);
        assert_close(divergence, 0, 1e-6);
        fixture_end(&f);
    }
}

/* In evaluation a teacher's probabilities may choose instead; what the router says itself stays readable. */
static void test_oracle_chooses_in_evaluation_only(void **state) {
    (void)state;
    fixture f = fixture_start(1, "experts=4 top_k=2", 3);
    const float teacher[] = {0.1f, 0.2f, 0.3f, 0.4f, 0.4f, 0.3f, 0.2f, 0.1f, 0.25f, 0.25f, 0.25f, 0.25f};
    const int32_t expected[] = {3, 2, 0, 1, 0, 1};
    FOR(i, 12) f.routing.scores.logits[i] = i % 4 == 1 ? 5.0f : 0.0f;
    fixture_route_by(&f, TGR_EVAL, 0, 0, teacher);
    assert_same_bytes(f.routing.choices.experts, expected, sizeof expected);
    FOR(i, 6) assert_true(f.routing.choices.gates[i] == teacher[i / 2 * 4 + expected[i]]);
    assert_true(f.routing.scores.probabilities[1] > 0.9f);
    fixture_route_by(&f, TGR_TRAIN, 0, 0, teacher);
    FOR(t, 3) assert_int_equal(f.routing.choices.experts[t * 2], 1);
    fixture_end(&f);
}

static void test_plan_refuses_what_cannot_be_numbered(void **state) {
    (void)state;
    const int64_t too_many[] = {INT64_C(1) << 31, INT64_MAX, -1};
    for (int i = 0; i < 3; i++) {
        tgr_layer_router router = {.options = {.experts = 8, .top_k = 2}, .method = &tgr_method_vmoe};
        tgr_routing routing = {0};
        tgr_routing_work work = {0};
        tgr_arena arena = {0};
        tgr_routing_plan(&router, TGR_TRAIN, &arena, too_many[i], &routing, &work);
        assert_true(arena.overflow);
    }
}

static void test_every_method_has_a_row(void **state) {
    (void)state;
    FOR(i, tgr_method_count()) {
        const tgr_method *method = tgr_method_of((int)i);
        assert_true((method == NULL) == (i == TGR_METHOD_DENSE));
        if (method == NULL) continue;
        assert_true(method->declare && method->score && method->route && method->assign && method->score_backward);
        assert_true(method->gather && method->combine && method->combine_backward && method->gather_backward);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top_k_equals_sorting),
        cmocka_unit_test(test_random_batches_follow_the_rules),
        cmocka_unit_test(test_capacity_is_the_formula),
        cmocka_unit_test(test_hard_logits_are_safe),
        cmocka_unit_test(test_all_tokens_to_one_expert),
        cmocka_unit_test(test_perfect_balance_is_smooth),
        cmocka_unit_test(test_equal_logits_are_smooth),
        cmocka_unit_test(test_one_expert_and_one_token),
        cmocka_unit_test(test_renormalised_gates_sum_to_one),
        cmocka_unit_test(test_noise_is_drawn_as_said),
        cmocka_unit_test(test_guidance_reaches_every_expert),
        cmocka_unit_test(test_oracle_chooses_in_evaluation_only),
        cmocka_unit_test(test_plan_refuses_what_cannot_be_numbered),
        cmocka_unit_test(test_every_method_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
