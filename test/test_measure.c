/* SPDX-License-Identifier: MIT */
/* The routing measures, by hand. */
#include <math.h>

#include "routing/routing.h"
#include "support.h"
#include "tgrmoe/measure.h"

static void test_measures(void **state) {
    (void)state;
    const int32_t a[] = {0, 1, 2, 3, 4, 5}, b[] = {0, 2, 2, 3, 5, 4};
    const int64_t even[] = {4, 4, 4}, none[] = {0, 0}, uneven[] = {0, 8};
    double value = -1;
    assert_status(TGR_OK, tgr_measure_agreement(a, b, 6, &value));
    assert_close(value, 0.5, 1e-15);
    assert_status(TGR_OK, tgr_measure_overlap(a, b, 6, 1, &value));
    assert_close(value, 0.5, 1e-15);
    assert_status(TGR_OK, tgr_measure_overlap(a, b, 3, 2, &value));
    assert_close(value, 5.0 / 6, 1e-15);
    assert_status(TGR_OK, tgr_measure_load_cv(even, 3, &value));
    assert_close(value, 0, 0);
    assert_status(TGR_OK, tgr_measure_load_cv(none, 2, &value));
    assert_close(value, 0, 0);
    assert_status(TGR_OK, tgr_measure_load_cv(uneven, 2, &value));
    assert_close(value, 1, 1e-15);
    assert_fails(TGR_ERROR_ARGUMENT, "'a'", tgr_measure_agreement(NULL, b, 6, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'b'", tgr_measure_agreement(a, NULL, 6, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'agreement'", tgr_measure_agreement(a, b, 6, NULL));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_measure_agreement(a, b, 0, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'a'", tgr_measure_overlap(NULL, b, 6, 1, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'b'", tgr_measure_overlap(a, NULL, 6, 1, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'overlap'", tgr_measure_overlap(a, b, 6, 1, NULL));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_measure_overlap(a, b, -2, 1, &value));
    assert_fails(TGR_ERROR_RANGE, "'top_k'", tgr_measure_overlap(a, b, 6, 0, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'load'", tgr_measure_load_cv(NULL, 3, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'cv'", tgr_measure_load_cv(even, 3, NULL));
    assert_fails(TGR_ERROR_RANGE, "'experts'", tgr_measure_load_cv(even, 0, &value));
    assert_close(value, 1, 1e-15); /* failures wrote nothing */
}

static void test_measures_of_a_routing(void **state) {
    (void)state;
    float p[] = {0.5f, 0.5f, 0, 0.125f, 0.125f, 0.75f};
    int64_t load[] = {2, 0, 1};
    uint8_t kept[] = {1, 1, 0, 1};
    tgr_routing routing = {.tokens = 2, .experts = 3, .top_k = 2};
    routing.scores.probabilities = p;
    routing.slots.load = load;
    routing.slots.kept = kept;
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    assert_status(TGR_OK, tgr_measure_routing(&routing, &measures));
    assert_close(measures.entropy, (log(2) + 0.25 * log(8) - 0.75 * log(0.75)) / 2, 1e-12);
    assert_close(measures.dropped, 0.25, 1e-15);
    assert_int_equal(measures.dead, 1);
    assert_close(measures.margin, 0.625 / 2, 1e-12);
    assert_close(measures.load_cv, sqrt(2.0 / 3), 1e-12); /* loads 2, 0, 1 */
    routing.experts = 1;
    routing.top_k = 1;
    assert_status(TGR_OK, tgr_measure_routing(&routing, &measures));
    assert_close(measures.margin, 1, 0);
    assert_close(measures.load_cv, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_measures_of_a_routing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
