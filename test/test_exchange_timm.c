/* SPDX-License-Identifier: MIT */
/* Models that timm made, read here: logits, every block's output and a training step are timm's, and what is written
 * again is what was read. The files are made by golden/make_timm.py.
 *
 *     test_exchange_timm [FOLDER NAME…]       without arguments the tiny models in golden; with them the exported files
 *                                             stay in FOLDER, for make_timm.py --check */
#include <stdio.h>

#include "exchange_support.h"
#include "golden/golden.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/optimizer.h"

#define PATH_BYTES 512

static const char *folder = "test/golden";
static const char *const tiny_names[] = {"timm_vit", "timm_distilled", "timm_deit3", "timm_headless"};
static const char *const *names = tiny_names;
static int name_count = sizeof tiny_names / sizeof *tiny_names;

/* Largest difference allowed of a logit or feature, whose size is around 1 to 10, at any size of model. */
static const double TOLERANCE = 2e-4;

typedef struct timm_case {
    const char *name;
    golden_file *golden;
    tgr_context *context;
    tgr_safetensors *file;
    tgr_model *model;
    const float *images;
    int64_t batch;
} timm_case;

static const golden_record *need(const timm_case *timm, const char *name) {
    const golden_record *record = golden_find(timm->golden, name);
    if (record == NULL) fail_msg("%s.golden has no '%s'", timm->name, name);
    return record;
}

static void start(timm_case *timm, const char *name) {
    char path[PATH_BYTES], options[128];
    *timm = (timm_case){.name = name, .golden = calloc(1, sizeof(golden_file)), .context = test_context(2, 1)};
    snprintf(path, sizeof path, "%s/%s.golden", folder, name);
    golden_read(timm->golden, path);
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    timm->file = test_open(timm->context, path);
    snprintf(options, sizeof options, "heads=%d optimizer=sgd momentum=0 weight_decay=0 schedule=constant",
             ((const int32_t *)need(timm, "heads")->data)[0]);
    timm->model = test_import(timm->context, timm->file, options);
    const tgr_dimensions *d = tgr_model_dimensions(timm->model);
    const golden_record *images = need(timm, "images");
    timm->images = images->data;
    timm->batch = images->count / (d->channels * d->image_size * d->image_size);
}

static void finish(timm_case *timm) {
    tgr_model_free(timm->model);
    tgr_safetensors_close(timm->file);
    tgr_context_free(timm->context);
    golden_free(timm->golden);
    free(timm->golden);
}

static double record_number(const golden_record *record, int64_t i) {
    return record->type == GOLDEN_F64 ? ((const double *)record->data)[i] : (double)((const float *)record->data)[i];
}

/* Fails when a number is further off than allowed; returns the largest difference. */
static double compare(const timm_case *timm, const char *name, const float *actual, int64_t count) {
    const golden_record *expected = need(timm, name);
    double worst = 0;
    assert_int_equal(expected->count, count);
    FOR(i, count) {
        const double difference = fabs(record_number(expected, i) - (double)actual[i]);
        if (!(difference <= TOLERANCE))
            fail_msg("%s: %s[%lld] is %g instead of %g", timm->name, name, (long long)i, (double)actual[i],
                     record_number(expected, i));
        worst = fmax(worst, difference);
    }
    return worst;
}

static void test_logits_and_features(void **state) {
    (void)state;
    for (int n = 0; n < name_count; n++) {
        timm_case timm;
        start(&timm, names[n]);
        const tgr_dimensions *d = tgr_model_dimensions(timm.model);
        const int64_t numbers = timm.batch * d->tokens * d->dim;
        double blocks = 0, logits = 0;
        float *outputs = calloc((size_t)(numbers * d->depth), sizeof *outputs);
        assert_non_null(outputs);
        FOR(i, d->depth) tgr_model_capture(timm.model, i, TGR_FEATURE_BLOCK_OUTPUT, outputs + i * numbers);
        assert_status(TGR_OK, tgr_model_forward(timm.model, TGR_EVAL, timm.images, timm.batch));
        FOR(i, d->depth) {
            char name[32];
            snprintf(name, sizeof name, "block.%lld", (long long)i);
            blocks = fmax(blocks, compare(&timm, name, outputs + i * numbers, numbers));
        }
        compare(&timm, "features", test_features(timm.model), numbers);
        if (d->classes > 0) {
            logits = compare(&timm, "logits", test_logits(timm.model), timm.batch * d->classes);
            compare(&timm, "logits_float32", test_logits(timm.model), timm.batch * d->classes);
        }
        printf("# %s: largest difference of a block's output %.1e, of a logit %.1e\n", timm.name, blocks, logits);
        free(outputs);
        finish(&timm);
    }
}

/* The change of a tensor against timm's, as norms: |ours - timm's| / |timm's|. */
static double change_error(const float *before, const float *after, const golden_record *change) {
    double error = 0, norm = 0;
    FOR(i, change->count) {
        const double expected = record_number(change, i), actual = (double)after[i] - (double)before[i];
        error += (actual - expected) * (actual - expected);
        norm += expected * expected;
    }
    return sqrt(error / norm);
}

static void run_step(const timm_case *timm) {
    tgr_loss *loss = NULL;
    tgr_optimizer *optimizer = NULL;
    const tgr_config *config = tgr_model_config(timm->model);
    assert_status(TGR_OK, tgr_loss_create(&loss, timm->model, NULL));
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(timm->model)));
    assert_status(TGR_OK, tgr_optimizer_set_learning_rate(optimizer, record_number(need(timm, "rate"), 0)));
    assert_status(TGR_OK, tgr_model_forward(timm->model, TGR_TRAIN, timm->images, timm->batch));
    assert_status(TGR_OK, tgr_loss_compute(loss, need(timm, "labels")->data, NULL));
    assert_status(TGR_OK, tgr_loss_backward(loss));
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
}

static void test_training_step(void **state) {
    (void)state;
    for (int n = 0; n < name_count; n++) {
        timm_case timm;
        start(&timm, names[n]);
        const tgr_parameters *parameters = test_model_parameters(timm.model);
        const size_t bytes = (size_t)parameters->floats * sizeof(float);
        float *before = malloc(bytes);
        double worst = 0;
        assert_non_null(before);
        memcpy(before, parameters->values, bytes);
        if (tgr_model_dimensions(timm.model)->classes > 0) {
            run_step(&timm);
            FOR(i, parameters->tensor_count) {
                const tgr_tensor *tensor = &parameters->tensors[i];
                char name[128];
                snprintf(name, sizeof name, "change.%s", tensor->name);
                assert_int_equal(tensor->count, need(&timm, name)->count);
                const double error = change_error(before + tensor->offset, tgr_value(parameters, i), need(&timm, name));
                if (!(error <= 1e-4)) fail_msg("%s: '%s' changes otherwise, by %g", timm.name, tensor->name, error);
                worst = fmax(worst, error);
            }
            printf("# %s: a step changes every tensor as timm's does to %.1e of the change\n", timm.name, worst);
        }
        free(before);
        finish(&timm);
    }
}

static void test_export(void **state) {
    (void)state;
    for (int n = 0; n < name_count; n++) {
        timm_case timm;
        start(&timm, names[n]);
        char kept[PATH_BYTES], *made = names == tiny_names ? test_file_create() : NULL;
        snprintf(kept, sizeof kept, "%s/%s.exported.safetensors", folder, timm.name);
        const char *path = made != NULL ? made : kept;
        assert_status(TGR_OK, tgr_model_export(timm.model, path, NULL));
        tgr_safetensors *file = test_open(timm.context, path);
        int64_t count = 0, exported = 0;
        count = tgr_safetensors_count(timm.file);
        exported = tgr_safetensors_count(file);
        assert_int_equal(count, exported);
        FOR(i, count) {
            tgr_safetensors_entry old = {.struct_size = sizeof old}, new;
            assert_status(TGR_OK, tgr_safetensors_entry_at(timm.file, i, &old));
            const int64_t index = test_entry(file, old.name, &new);
            assert_int_equal(old.ndim, new.ndim);
            assert_memory_equal(old.dims, new.dims, sizeof old.dims);
            assert_int_equal(old.bytes, new.bytes);
            char *bytes[2] = {malloc((size_t)old.bytes + 1), malloc((size_t)old.bytes + 1)};
            assert_status(TGR_OK, tgr_safetensors_read_bytes(timm.file, i, bytes[0]));
            assert_status(TGR_OK, tgr_safetensors_read_bytes(file, index, bytes[1]));
            assert_same_bytes(bytes[1], bytes[0], old.bytes);
            free(bytes[0]), free(bytes[1]);
        }
        tgr_safetensors_close(file);
        test_file_remove(made);
        finish(&timm);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits_and_features), cmocka_unit_test(test_training_step),
                                       cmocka_unit_test(test_export)};
    if (argc > 2) {
        folder = argv[1];
        names = (const char *const *)argv + 2;
        name_count = argc - 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
