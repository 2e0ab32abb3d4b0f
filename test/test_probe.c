/* SPDX-License-Identifier: MIT */
/* The probe against what the model's routings say, by hand where it can be. */
#include "model_support.h"
#include "tgrmoe/tgrmoe.h"

#define OPTIONS                                                                                               \
    "method=vmoe image_size=8 channels=2 patch_size=4 classes=3 embed_dim=12 depth=3 heads=2 moe_blocks=1,3 " \
    "experts=5 "                                                                                              \
    "top_k=2 eval_capacity_factor=0.9"

enum { IMAGES = 7, BATCH = 3, PATCHES = 5, LAYERS = 2, EXPERTS = 5, TOKENS = IMAGES * PATCHES };

/* What a probe should hold after one run. */
typedef struct expectation {
    int32_t choices[2][LAYERS][TOKENS];
    double load[LAYERS][EXPERTS], entropy[LAYERS], dropped[LAYERS], margin[LAYERS];
} expectation;

static void expect_batch(expectation *out, tgr_model *model, int64_t at, int64_t images) {
    const double share = (double)images / IMAGES;
    FOR(layer, LAYERS) {
        const tgr_routing *routing;
        tgr_routing_measures measures = {.struct_size = sizeof measures};
        assert_status(TGR_OK, tgr_model_routing(model, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        const int32_t *choices = view.choices;
        const int64_t *load = view.load;
        assert_status(TGR_OK, tgr_measure_routing(routing, &measures));
        FOR(t, images * PATCHES)
            FOR(k, 2) out->choices[k][layer][at * PATCHES + t] = choices[t * 2 + k];
        FOR(e, EXPERTS) out->load[layer][e] += (double)load[e];
        out->entropy[layer] += measures.entropy * share;
        out->dropped[layer] += measures.dropped * share;
        out->margin[layer] += measures.margin * share;
    }
}

static expectation expect(tgr_model *model, const float *images) {
    expectation out = {0};
    const tgr_dimensions *d = tgr_model_dimensions(model);
    for (int64_t at = 0; at < IMAGES; at += BATCH) {
        const int64_t count = IMAGES - at < BATCH ? IMAGES - at : BATCH;
        const float *from = images + at * d->channels * d->image_size * d->image_size;
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, from, count));
        expect_batch(&out, model, at, count);
    }
    return out;
}

static void check_run(const tgr_probe *probe, int64_t run, const expectation *expected) {
    const int32_t *choices;
    double dropped_sum = 0;
    int64_t dead_sum = 0;
    FOR(k, 2) {
        assert_status(TGR_OK, tgr_probe_choices(probe, run, k, &choices));
        assert_same_bytes(choices, expected->choices[k], sizeof expected->choices[k]);
    }
    FOR(layer, LAYERS) {
        double shares[EXPERTS], sum = 0, square = 0;
        int64_t idle = 0;
        tgr_routing_measures measures = {.struct_size = sizeof measures};
        for (int e = 0; e < EXPERTS; e++) sum += expected->load[layer][e];
        assert_status(TGR_OK, tgr_probe_load(probe, layer, run, shares));
        for (int e = 0; e < EXPERTS; e++) {
            assert_close(shares[e], expected->load[layer][e] / sum, 1e-12);
            square += (shares[e] * EXPERTS - 1) * (shares[e] * EXPERTS - 1) / EXPERTS;
            idle += expected->load[layer][e] == 0;
        }
        assert_status(TGR_OK, tgr_probe_measure(probe, layer, run, &measures));
        assert_close(measures.load_cv, sqrt(square), 1e-12);
        assert_close(measures.entropy, expected->entropy[layer], 1e-12);
        assert_close(measures.dropped, expected->dropped[layer], 1e-12);
        assert_close(measures.margin, expected->margin[layer], 1e-12);
        assert_int_equal(measures.dead, idle);
        dropped_sum += measures.dropped;
        dead_sum += idle;
    }
    tgr_routing_measures all = {.struct_size = sizeof all};
    assert_status(TGR_OK, tgr_probe_measure(probe, -1, run, &all));
    assert_close(all.dropped, dropped_sum / LAYERS, 1e-12);
    assert_int_equal(all.dead, dead_sum);
    assert_true(all.dropped > 0); /* or the test shows nothing */
}

/* Changes some of the routers' weights, as training would. */
static void disturb(tgr_model *model, uint64_t seed) {
    tgr_parameters *parameters = test_model_parameters(model);
    test_random random = test_random_start(seed);
    FOR(t, parameters->tensor_count) {
        if (strstr(parameters->tensors[t].name, "router.weight") == NULL) continue;
        float *value = tgr_value(parameters, t);
        FOR(i, parameters->tensors[t].count)
            value[i] = (float)((double)value[i] + test_random_uniform(&random, -0.2, 0.2));
    }
}

static void test_runs_record_what_the_model_decides(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        tgr_context *context = test_context(threads, 7);
        tgr_model *model = test_model(context, OPTIONS);
        float *images = test_images(model, IMAGES, 3);
        tgr_probe *probe = NULL;
        tgr_probe_description sizes = {.struct_size = sizeof sizes};
        expectation expected[4];
        assert_status(TGR_OK, tgr_probe_create(&probe, model, images, IMAGES, BATCH));
        assert_status(TGR_OK, tgr_probe_describe(probe, &sizes));
        assert_true(sizes.layers == LAYERS && sizes.tokens == TOKENS && sizes.experts == EXPERTS && sizes.top_k == 2);
        for (int i = 0; i < 4; i++) {
            expected[i] = expect(model, images);
            if (i == 2) assert_status(TGR_OK, tgr_probe_record(probe)); /* a run begun by hand is given up */
            assert_status(TGR_OK, tgr_probe_run(probe));
            assert_int_equal(tgr_probe_run_count(probe), i + 1);
            for (int j = 0; j <= i; j++) check_run(probe, j, &expected[j]);
            disturb(model, (uint64_t)i);
        }
        tgr_probe_free(probe);
        free(images);
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

/* A probe whose history is written by hand: `runs` runs, first choices of layer 0 and 1, second choices all 4. */
static tgr_probe *probe_of(tgr_model *model, int64_t runs, const int32_t (*first)[LAYERS]) {
    tgr_probe *probe = NULL;
    void *bytes;
    uint64_t size;
    assert_status(TGR_OK, tgr_probe_create(&probe, model, NULL, 1, 1));
    assert_status(TGR_OK, tgr_probe_resize(probe, runs));
    assert_status(TGR_OK, tgr_probe_history(probe, &bytes, &size));
    assert_non_null(bytes);
    FOR(run, runs) {
        FOR(k, 2) {
            const int32_t *lent;
            assert_status(TGR_OK, tgr_probe_choices(probe, run, k, &lent));
            int32_t *choices = (int32_t *)((char *)bytes + ((const char *)lent - (char *)bytes));
            FOR(i, LAYERS * PATCHES) choices[i] = k == 1 ? 4 : 0;
            if (k == 0) choices[0] = first[run][0];
            if (k == 0) choices[PATCHES] = first[run][1];
        }
    }
    return probe;
}

static void test_comparisons_by_hand(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, OPTIONS);
    /* token 0 of each layer; all other tokens never change */
    const int32_t first[5][LAYERS] = {{1, 3}, {2, 3}, {1, 3}, {2, 3}, {2, 1}};
    tgr_probe *probe = probe_of(model, 5, first);
    const double all = LAYERS * PATCHES;
    int64_t last[LAYERS * PATCHES];
    double share;
    assert_status(TGR_OK, tgr_probe_agreement(probe, -1, 0, 1, &share));
    assert_close(share, 1 - 1 / all, 1e-15);
    assert_status(TGR_OK, tgr_probe_agreement(probe, -1, 0, 4, &share));
    assert_close(share, 1 - 2 / all, 1e-15);
    assert_status(TGR_OK, tgr_probe_agreement(probe, 1, 3, 0, &share));
    assert_close(share, 1, 0);
    assert_status(TGR_OK, tgr_probe_agreement(probe, 1, 3, 4, &share));
    assert_close(share, 1 - 1.0 / PATCHES, 1e-15);
    assert_status(TGR_OK, tgr_probe_overlap(probe, 1, 3, 4, &share));
    assert_close(share, 1 - 0.5 / PATCHES, 1e-15);
    assert_status(TGR_OK, tgr_probe_last_fluctuation(probe, -1, last));
    for (int i = 0; i < LAYERS * PATCHES; i++) assert_int_equal(last[i], i == 0 ? 2 : i == PATCHES ? 3 : -1);
    assert_status(TGR_OK, tgr_probe_last_fluctuation(probe, 1, last));
    assert_int_equal(last[0], 3);
    const double curve[] = {2, 2, 2, 1, 0, 0}; /* from run -1 on */
    for (int64_t run = -1; run < 5; run++) {
        assert_status(TGR_OK, tgr_probe_fluctuating(probe, -1, run, &share));
        assert_close(share, curve[run + 1] / all, 1e-15);
    }
    assert_status(TGR_OK, tgr_probe_fluctuating(probe, 0, 1, &share));
    assert_close(share, 1.0 / PATCHES, 1e-15);
    assert_status(TGR_OK, tgr_probe_resize(probe, 3)); /* the latest is now run 2 */
    assert_status(TGR_OK, tgr_probe_last_fluctuation(probe, 0, last));
    assert_int_equal(last[0], 1);
    tgr_probe_free(probe);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* Sets are compared as sets: the order of a token's experts does not matter to overlap. */
static void test_overlap_is_of_sets(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, OPTIONS);
    const int32_t first[2][LAYERS] = {{1, 3}, {1, 3}};
    tgr_probe *probe = probe_of(model, 2, first);
    const int32_t *a, *b;
    double share;
    assert_status(TGR_OK, tgr_probe_choices(probe, 1, 0, &a));
    assert_status(TGR_OK, tgr_probe_choices(probe, 1, 1, &b));
    ((int32_t *)a)[0] = 4;
    ((int32_t *)b)[0] = 1;
    assert_status(TGR_OK, tgr_probe_overlap(probe, -1, 0, 1, &share));
    assert_close(share, 1, 0);
    assert_status(TGR_OK, tgr_probe_agreement(probe, 0, 0, 1, &share));
    assert_close(share, 1 - 1.0 / PATCHES, 1e-15);
    tgr_probe_free(probe);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* The host evaluates by itself, in batches of its own, and gets the same history when they are cut the same way. */
static void test_recording_a_hosts_passes(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, OPTIONS);
    float *images = test_images(model, IMAGES, 3);
    const int64_t image = 2 * 8 * 8;
    tgr_probe *own = NULL, *host = NULL;
    void *own_bytes, *host_bytes;
    uint64_t own_size, host_size;
    int64_t runs;
    assert_status(TGR_OK, tgr_probe_create(&own, model, images, IMAGES, BATCH));
    assert_status(TGR_OK, tgr_probe_create(&host, model, NULL, IMAGES, 1));
    assert_fails(TGR_ERROR_STATE, "no forward pass", tgr_probe_record(host));
    assert_fails(TGR_ERROR_STATE, "without images", tgr_probe_run(host));
    for (int i = 0; i < 3; i++) {
        assert_status(TGR_OK, tgr_probe_run(own));
        for (int64_t at = 0; at < IMAGES; at += BATCH) {
            const int64_t count = IMAGES - at < BATCH ? IMAGES - at : BATCH;
            runs = tgr_probe_run_count(host);
            assert_int_equal(runs, i);
            assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images + at * image, count));
            assert_status(TGR_OK, tgr_probe_record(host));
        }
        disturb(model, (uint64_t)i);
    }
    assert_status(TGR_OK, tgr_probe_history(own, &own_bytes, &own_size));
    assert_status(TGR_OK, tgr_probe_history(host, &host_bytes, &host_size));
    assert_true(own_size > 0 && own_size == host_size);
    assert_same_bytes(host_bytes, own_bytes, own_size);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, BATCH));
    assert_status(TGR_OK, tgr_probe_record(host));
    assert_status(TGR_OK, tgr_probe_record(host));
    assert_fails(TGR_ERROR_SHAPE, "the run lacks 1", tgr_probe_record(host));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 1));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_probe_record(host));
    runs = tgr_probe_run_count(host);
    assert_int_equal(runs, 3);
    tgr_probe_free(own);
    tgr_model_free(model); /* the other probe keeps it alive */
    tgr_context_free(context);
    tgr_probe_free(host);
    free(images);
}

/* A history survives a file, and is continued. */
static void test_history_in_a_checkpoint(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, OPTIONS);
    float *images = test_images(model, IMAGES, 3);
    char *path = test_file_create();
    tgr_probe *probe = NULL, *later = NULL;
    expectation expected[3];
    for (int round = 0; round < 2; round++) {
        tgr_probe **of = round == 0 ? &probe : &later;
        tgr_checkpoint *file = NULL;
        void *bytes;
        uint64_t size;
        assert_status(TGR_OK, tgr_probe_create(of, model, images, IMAGES, BATCH));
        assert_status(TGR_OK, tgr_probe_history(*of, &bytes, &size));
        assert_true(bytes == NULL && size == 0);
        for (int i = 0; i < 2 && round == 0; i++) {
            expected[i] = expect(model, images);
            assert_status(TGR_OK, tgr_probe_run(probe));
            disturb(model, (uint64_t)i);
        }
        if (round == 1) assert_status(TGR_OK, tgr_probe_resize(later, 2));
        assert_status(TGR_OK, tgr_probe_history(*of, &bytes, &size));
        assert_status(TGR_OK, tgr_checkpoint_create(&file, context));
        assert_status(TGR_OK, tgr_checkpoint_add_bytes(file, "probe", bytes, size));
        assert_status(TGR_OK, round == 0 ? tgr_checkpoint_save(file, path) : tgr_checkpoint_load(file, path));
        tgr_checkpoint_free(file);
    }
    expected[2] = expect(model, images);
    assert_status(TGR_OK, tgr_probe_run(later));
    for (int i = 0; i < 3; i++) check_run(later, i, &expected[i]);
    tgr_probe_free(probe);
    tgr_probe_free(later);
    test_file_remove(path);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_wrong_calls(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, OPTIONS);
    tgr_model *dense = test_model(context, "method=dense image_size=8 patch_size=4 embed_dim=12 depth=1 heads=2");
    float image[2 * 8 * 8] = {0};
    tgr_probe *probe = NULL;
    double share = -1, shares[EXPERTS];
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    tgr_probe_description sizes = {.struct_size = sizeof sizes};
    int64_t last[TOKENS];
    const int32_t *choices;
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_probe_create(NULL, model, image, 1, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_probe_create(&probe, NULL, image, 1, 1));
    assert_fails(TGR_ERROR_RANGE, "'count'", tgr_probe_create(&probe, model, image, 0, 1));
    assert_fails(TGR_ERROR_RANGE, "'batch'", tgr_probe_create(&probe, model, image, 1, 0));
    assert_fails(TGR_ERROR_STATE, "no MoE layer", tgr_probe_create(&probe, dense, image, 1, 1));
    assert_fails(TGR_ERROR_OVERFLOW, "", tgr_probe_create(&probe, model, NULL, INT64_MAX / 6, 1));
    assert_null(probe);
    assert_status(TGR_OK, tgr_probe_create(&probe, model, image, 1, 1));
    assert_fails(TGR_ERROR_STATE, "no run", tgr_probe_last_fluctuation(probe, -1, last));
    assert_fails(TGR_ERROR_STATE, "no run", tgr_probe_fluctuating(probe, -1, -1, &share));
    assert_fails(TGR_ERROR_RANGE, "'run' is 0", tgr_probe_agreement(probe, -1, 0, 0, &share));
    assert_status(TGR_OK, tgr_probe_run(probe));
    assert_fails(TGR_ERROR_RANGE, "'other' is 1", tgr_probe_agreement(probe, -1, 0, 1, &share));
    assert_fails(TGR_ERROR_RANGE, "'layer' is 2", tgr_probe_agreement(probe, 2, 0, 0, &share));
    assert_fails(TGR_ERROR_RANGE, "'layer' is -2", tgr_probe_overlap(probe, -2, 0, 0, &share));
    assert_fails(TGR_ERROR_RANGE, "'run' is -1", tgr_probe_load(probe, 0, -1, shares));
    assert_fails(TGR_ERROR_RANGE, "'run' is 1", tgr_probe_measure(probe, 0, 1, &measures));
    assert_fails(TGR_ERROR_RANGE, "'run' is -2", tgr_probe_fluctuating(probe, 0, -2, &share));
    assert_fails(TGR_ERROR_RANGE, "'k' is 2", tgr_probe_choices(probe, 0, 2, &choices));
    assert_fails(TGR_ERROR_RANGE, "'runs' is -1", tgr_probe_resize(probe, -1));
    assert_fails(TGR_ERROR_RANGE, "'runs'", tgr_probe_resize(probe, INT64_MAX));
    assert_fails(TGR_ERROR_ARGUMENT, "'probe'", tgr_probe_run(NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'share'", tgr_probe_agreement(probe, 0, 0, 0, NULL));
    uint64_t size = 42;
    void *bytes = NULL;
    assert_int_equal(tgr_probe_run_count(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "'probe'", tgr_probe_describe(NULL, &sizes));
    assert_fails(TGR_ERROR_ARGUMENT, "'description'", tgr_probe_describe(probe, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'probe'", tgr_probe_history(NULL, &bytes, &size));
    assert_fails(TGR_ERROR_ARGUMENT, "'bytes'", tgr_probe_history(probe, NULL, &size));
    assert_fails(TGR_ERROR_ARGUMENT, "'size'", tgr_probe_history(probe, &bytes, NULL));
    assert_true(sizes.tokens == 0 && size == 42 && bytes == NULL);
    assert_close(share, -1, 0);
    assert_fails(TGR_ERROR_ARGUMENT, "'measures'", tgr_probe_measure(probe, 0, 0, NULL));
    tgr_probe_free(probe);
    tgr_probe_free(NULL);
    tgr_model_free(dense);
    tgr_model_free(model);
    tgr_context_free(context);
}

static tgr_status probe_with_little_memory(const tgr_allocator *allocator, void *user) {
    const float *images = user;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    tgr_probe *probe = NULL;
    int64_t runs = 0;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(test_model_create(&model, context, OPTIONS));
    TGR_TRY_DONE(tgr_probe_create(&probe, model, images, IMAGES, BATCH));
    for (int i = 0; i < 3; i++) {
        status = tgr_probe_run(probe);
        runs = tgr_probe_run_count(probe);
        assert_int_equal(runs, status == TGR_OK ? i + 1 : i);
        TGR_TRY_DONE(status);
    }
done:
    tgr_probe_free(probe);
    tgr_model_free(model);
    tgr_context_free(context);
    return status;
}

static void test_memory_that_fails(void **state) {
    (void)state;
    float images[IMAGES * 2 * 8 * 8] = {0};
    assert_true(test_each_allocation_failing(probe_with_little_memory, images) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_record_what_the_model_decides),
        cmocka_unit_test(test_comparisons_by_hand),
        cmocka_unit_test(test_overlap_is_of_sets),
        cmocka_unit_test(test_recording_a_hosts_passes),
        cmocka_unit_test(test_history_in_a_checkpoint),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_memory_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
