/* SPDX-License-Identifier: MIT */
/* The counter-based generator: published vectors, which index reads which word, and the shape of the distributions. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "support.h"

/* Known answers published with Random123 for philox4x32, 10 rounds: counter, key, result. */
static const uint32_t published[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
     0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
     0x24126ea1},
};

static void test_published_vectors(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        const uint32_t *row = published[i];
        uint32_t words[4];
        tgr_philox(row[4] | (uint64_t)row[5] << 32, row, words);
        assert_same_bytes(words, row + 6, sizeof words);
    }
}

static double uniform_of_word(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, int word) {
    uint32_t words[4];
    tgr_philox(seed, (const uint32_t[]){c0, c1, c2, c3}, words);
    return (words[word] + 0.5) / 4294967296.0;
}

static void test_which_word_an_index_reads(void **state) {
    (void)state;
    tgr_random random = {.seed = 0x123456789abcdef0, .step = 77, .place = tgr_random_place(TGR_PLACE_HOST, 5, 6)};
    assert_int_equal(random.place, 4 + 5 * 16 + 6 * 65536);
    static const uint64_t indices[] = {0, 1, 2, 3, 4, 1001, UINT64_C(1) << 33, (UINT64_C(1) << 34) + 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        uint64_t block = indices[i] / 4;
        double expected = uniform_of_word(random.seed, (uint32_t)block, (uint32_t)(block >> 32), random.place,
                                          random.step, (int)(indices[i] % 4));
        assert_true(tgr_random_uniform(&random, indices[i]) == expected);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        double u0 = tgr_random_uniform(&random, i & ~UINT64_C(1)), u1 = tgr_random_uniform(&random, i | 1);
        double angle = 2 * acos(-1.0) * u1, expected = sqrt(-2 * log(u0)) * (i % 2 ? sin(angle) : cos(angle));
        assert_close(tgr_random_normal(&random, i), expected, 1e-12);
    }
}

/* Many at a time are the same as one by one, wherever they start and end. */
static void test_normals(void **state) {
    (void)state;
    tgr_random random = {.seed = 46, .step = 3};
    for (int64_t count = 0; count < 300; count += 1 + count / 9) {
        for (uint64_t first = UINT64_C(0xfffffffc); first < UINT64_C(0x100000002); first++) {
            double normals[301] = {0};
            normals[count] = 77;
            tgr_random_normals(&random, first, count, normals);
            FOR(i, count) assert_true(normals[i] == tgr_random_normal(&random, first + (uint64_t)i));
            assert_true(normals[count] == 77);
        }
    }
}

/* The same on every machine: sums of exact bits, from one machine for all others. */
static void test_normals_to_the_bit(void **state) {
    (void)state;
    tgr_random random = {.seed = 47};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        double normal = tgr_random_normal(&random, i);
        uint64_t bits;
        memcpy(&bits, &normal, sizeof bits);
        sum = sum * UINT64_C(0x9E3779B97F4A7C15) + bits;
    }
    assert_true(sum == UINT64_C(0x91ab63cedf4ee12e));
}

static void test_seed_step_and_place_matter(void **state) {
    (void)state;
    const tgr_random base = {.seed = 1, .step = 2, .place = 3};
    tgr_random others[] = {base, base, base, base};
    others[0].seed = 2;
    others[1].seed = 1 + (UINT64_C(1) << 32);
    others[2].step = 3;
    others[3].place = 2;
    for (int i = 0; i < 4; i++) assert_true(tgr_random_uniform(&base, 9) != tgr_random_uniform(&others[i], 9));
}

static void test_uniform(void **state) {
    (void)state;
    enum { DRAWS = 200000, BINS = 16 };
    tgr_random random = {.seed = 42};
    double sum = 0, squares = 0, low = 1, high = 0;
    int bins[BINS] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        double u = tgr_random_uniform(&random, i);
        assert_true(u > 0 && u < 1);
        sum += u;
        squares += u * u;
        low = fmin(low, u);
        high = fmax(high, u);
        bins[(int)(u * BINS)]++;
    }
    /* Five standard errors of each moment. */
    assert_close(sum / DRAWS, 0.5, 5 * sqrt(1.0 / 12 / DRAWS));
    assert_close(squares / DRAWS, 1.0 / 3, 5 * sqrt(4.0 / 45 / DRAWS));
    assert_true(low < 1e-4 && high > 1 - 1e-4);
    for (int i = 0; i < BINS; i++) assert_close(bins[i], DRAWS / BINS, 5 * sqrt((double)DRAWS / BINS));
}

static void test_normal(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    tgr_random random = {.seed = 43, .step = 1};
    double moments[5] = {0}, neighbours = 0, previous = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double z = tgr_random_normal(&random, i);
        assert_true(isfinite(z));
        for (int power = 1; power <= 4; power++) moments[power] += pow(z, power) / DRAWS;
        neighbours += z * previous / DRAWS;
        previous = z;
    }
    /* Five standard errors: Var z = 1, Var z² = 2, Var z³ = 15, Var z⁴ = 96. */
    assert_close(moments[1], 0, 5 * sqrt(1.0 / DRAWS));
    assert_close(moments[2], 1, 5 * sqrt(2.0 / DRAWS));
    assert_close(moments[3], 0, 5 * sqrt(15.0 / DRAWS));
    assert_close(moments[4], 3, 5 * sqrt(96.0 / DRAWS));
    assert_close(neighbours, 0, 5 * sqrt(1.0 / DRAWS));
}

static void test_truncated(void **state) {
    (void)state;
    enum { DRAWS = 100000 };
    tgr_random random = {.seed = 44};
    /* At deviation 1 the variance of a normal cut at ±2 is 1 - 4φ(2)/(Φ(2) - Φ(-2)). */
    const double variance = 1 - 4 * exp(-2.0) / sqrt(2 * acos(-1.0)) / erf(sqrt(2.0));
    double sum = 0, squares = 0, high = 0;
    int redrawn = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double z = tgr_random_truncated(&random, i, 1);
        assert_true(fabs(z) <= 2);
        double first = tgr_random_normal(&random, i);
        if (fabs(first) > 2) {
            redrawn++;
            double second = tgr_random_normal(&random, i + (UINT64_C(1) << 40));
            if (fabs(second) <= 2) assert_true(z == second);
        } else {
            assert_true(z == first);
        }
        sum += z;
        squares += z * z;
        high = fmax(high, fabs(z));
    }
    assert_close(sum / DRAWS, 0, 5 * sqrt(variance / DRAWS));
    assert_close(squares / DRAWS, variance, 5 * sqrt(2.0 / DRAWS));
    assert_close(redrawn, DRAWS * erfc(sqrt(2.0)), 5 * sqrt(DRAWS * erfc(sqrt(2.0))));
    assert_true(high > 1.99);
    /* The usual initialisation: the cut is far away. */
    for (uint64_t i = 0; i < 1000; i++)
        assert_close(tgr_random_truncated(&random, i, 0.02), 0.02 * tgr_random_normal(&random, i), 1e-15);
}

static void test_truncated_always_ends(void **state) {
    (void)state;
    tgr_random random = {.seed = 45};
    static const double deviations[] = {0, 1e12, INFINITY, NAN};
    for (size_t d = 0; d < sizeof deviations / sizeof deviations[0]; d++)
        for (uint64_t i = 0; i < 100; i++) assert_true(fabs(tgr_random_truncated(&random, i, deviations[d])) <= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_which_word_an_index_reads),
        cmocka_unit_test(test_seed_step_and_place_matter),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_normals),
        cmocka_unit_test(test_normals_to_the_bit),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_truncated_always_ends),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
