/* SPDX-License-Identifier: MIT */
/* Whole models against double precision and autograd: logits, features, every term of the loss, every routing decision
 * and the gradient of every parameter. The files are made by golden/make_goldens.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden/golden.h"
#include "support.h"
#include "tgrmoe/tgrmoe.h"

/* Largest difference allowed between a float32 tensor and the exact one, relative to the exact one's largest number. */
static const double TOLERANCE = 2e-5;

typedef struct golden_case {
    golden_file file;
    tgr_context *context;
    tgr_model *student, *backbone;
    tgr_teacher *teacher;
    tgr_loss *loss;
    const golden_record *images;
    int64_t batch;
} golden_case;

static const golden_record *need(const golden_case *golden, const char *name) {
    const golden_record *record = golden_find(&golden->file, name);
    if (!record) fail_msg("the golden file has no '%s'", name);
    return record;
}

/* Compares float32 numbers with a record of either floating type. */
static void compare(const golden_record *expected, const float *actual, int64_t count) {
    assert_int_equal(expected->count, count);
    double largest = 0, worst = 0;
    FOR(i, count) {
        const double exact =
            expected->type == GOLDEN_F64 ? ((const double *)expected->data)[i] : ((const float *)expected->data)[i];
        if (!isfinite(actual[i])) fail_msg("%s[%lld] is %g", expected->name, (long long)i, (double)actual[i]);
        largest = fmax(largest, fabs(exact));
        worst = fmax(worst, fabs(exact - (double)actual[i]));
    }
    if (!(worst <= TOLERANCE * largest + 1e-9)) {
        fail_msg("%s differs by %g, its largest number being %g", expected->name, worst, largest);
    }
}

static tgr_model *make_model(tgr_context *context, const golden_record *text) {
    tgr_model *model = NULL;
    tgr_config *config = test_config(context, text->data);
    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    tgr_config_free(config);
    return model;
}

/* Gives every parameter the value in "<prefix>value.<name>"; the file must have them all, and no more. */
static void fill(const golden_case *golden, const char *prefix, tgr_parameters *parameters) {
    int64_t count = 0, in_file = 0;
    count = tgr_parameters_count(parameters);
    FOR(i, count) {
        tgr_parameter_description tensor = {.struct_size = sizeof tensor};
        float *value = NULL;
        char key[160];
        assert_status(TGR_OK, tgr_parameters_describe(parameters, i, &tensor));
        assert_status(TGR_OK, tgr_parameters_value(parameters, i, &value));
        snprintf(key, sizeof key, "%svalue.%s", prefix, tensor.name);
        const golden_record *record = need(golden, key);
        memcpy(value, record->data, (size_t)record->count * sizeof *value);
    }
    char start[32];
    snprintf(start, sizeof start, "%svalue.", prefix);
    for (int i = 0; i < golden->file.count; i++)
        in_file += !strncmp(golden->file.records[i].name, start, strlen(start));
    assert_int_equal(count, in_file);
}

static void compare_gradients(const golden_case *golden, const char *prefix, tgr_parameters *parameters) {
    int64_t count = tgr_parameters_count(parameters);
    FOR(i, count) {
        tgr_parameter_description tensor = {.struct_size = sizeof tensor};
        float *gradient = NULL;
        char key[160];
        assert_status(TGR_OK, tgr_parameters_describe(parameters, i, &tensor));
        assert_status(TGR_OK, tgr_parameters_gradient(parameters, i, &gradient));
        snprintf(key, sizeof key, "%sgradient.%s", prefix, tensor.name);
        const golden_record *record = need(golden, key);
        compare(record, gradient, record->count);
    }
}

static void start(golden_case *golden, const char *name, int threads) {
    memset(golden, 0, sizeof *golden);
    char path[128];
    snprintf(path, sizeof path, "test/golden/%s.golden", name);
    golden_read(&golden->file, path);
    golden->context = test_context(threads, (uint64_t)((const int32_t *)need(golden, "seed")->data)[0]);
    golden->student = make_model(golden->context, need(golden, "student.config"));
    golden->images = need(golden, "images");
    tgr_parameters *parameters = tgr_model_parameters(golden->student);
    fill(golden, "student.", parameters);
    const golden_record *teacher = golden_find(&golden->file, "teacher.config");
    if (teacher) {
        golden->backbone = make_model(golden->context, teacher);
        parameters = tgr_model_parameters(golden->backbone);
        fill(golden, "teacher.", parameters);
        assert_status(TGR_OK, tgr_teacher_create(&golden->teacher, golden->backbone, golden->student));
        parameters = tgr_teacher_parameters(golden->teacher);
        fill(golden, "teacher_router.", parameters);
    }
    assert_status(TGR_OK, tgr_loss_create(&golden->loss, golden->student, golden->teacher));
    const golden_record *labels = golden_find(&golden->file, "labels");
    if (labels) {
        golden->batch = labels->count;
    } else {
        int64_t classes = 0;
        const tgr_config *config = tgr_model_config(golden->student);
        assert_status(TGR_OK, tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
        golden->batch = need(golden, "targets")->count / classes;
    }
}

static void finish(golden_case *golden) {
    tgr_loss_free(golden->loss);
    tgr_teacher_free(golden->teacher);
    tgr_model_free(golden->backbone);
    tgr_model_free(golden->student);
    tgr_context_free(golden->context);
    golden_free(&golden->file);
}

static void run(golden_case *golden) {
    assert_status(TGR_OK, tgr_model_forward(golden->student, TGR_TRAIN, golden->images->data, golden->batch));
    if (golden->teacher) {
        assert_status(TGR_OK, tgr_teacher_forward(golden->teacher, TGR_TRAIN, golden->images->data, golden->batch));
    }
    const golden_record *labels = golden_find(&golden->file, "labels");
    double total = NAN;
    if (labels) {
        assert_status(TGR_OK, tgr_loss_compute(golden->loss, labels->data, &total));
    } else {
        assert_status(TGR_OK, tgr_loss_compute_soft(golden->loss, need(golden, "targets")->data, &total));
    }
    const double exact = ((const double *)need(golden, "total")->data)[0];
    assert_close(total, exact, TOLERANCE * fabs(exact));
    assert_status(TGR_OK, tgr_loss_backward(golden->loss));
}

static void compare_outputs(const golden_case *golden) {
    const float *numbers = NULL;
    assert_status(TGR_OK, tgr_model_logits(golden->student, &numbers));
    compare(need(golden, "logits"), numbers, need(golden, "logits")->count);
    assert_status(TGR_OK, tgr_model_features(golden->student, &numbers));
    compare(need(golden, "features"), numbers, need(golden, "features")->count);
    int compared = 0;
    for (int i = 0; i < golden->file.count; i++) {
        const golden_record *record = &golden->file.records[i];
        if (strncmp(record->name, "term.", 5) != 0) continue;
        double value = NAN;
        const double exact = ((const double *)record->data)[0];
        assert_status(TGR_OK, tgr_loss_term_value(golden->loss, record->name + 5, &value));
        assert_close(value, exact, TOLERANCE * fabs(exact));
        compared++;
    }
    assert_true(compared > 0);
}

static void compare_routing(const golden_case *golden) {
    int64_t layers = tgr_model_moe_layer_count(golden->student);
    FOR(layer, layers) {
        const tgr_routing *routing = NULL;
        char key[64];
        assert_status(TGR_OK, tgr_model_routing(golden->student, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        const float *probabilities = view.probabilities;
        const int32_t *experts = view.choices;
        const uint8_t *kept = view.kept;
        snprintf(key, sizeof key, "probabilities.%d", (int)layer);
        compare(need(golden, key), probabilities, need(golden, key)->count);
        snprintf(key, sizeof key, "choices.%d", (int)layer);
        const golden_record *choices = need(golden, key);
        assert_same_bytes(experts, choices->data, (size_t)choices->count * sizeof *experts);
        snprintf(key, sizeof key, "kept.%d", (int)layer);
        FOR(i, choices->count) {
            assert_int_equal(kept[i], ((const int32_t *)need(golden, key)->data)[i]);
        }
        if (golden->teacher) {
            assert_status(TGR_OK, tgr_teacher_probabilities(golden->teacher, layer, &probabilities));
            snprintf(key, sizeof key, "teacher_probabilities.%d", (int)layer);
            compare(need(golden, key), probabilities, need(golden, key)->count);
        }
    }
}

/* State after an optimizer step, which alone moves it: "student.after.<name>". */
static void compare_state(const golden_case *golden, tgr_parameters *parameters) {
    const char prefix[] = "student.after.";
    tgr_optimizer *optimizer = NULL;
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, tgr_model_config(golden->student), parameters));
    assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    tgr_optimizer_free(optimizer);
    for (int i = 0; i < golden->file.count; i++) {
        const golden_record *record = &golden->file.records[i];
        if (strncmp(record->name, prefix, strlen(prefix)) != 0) continue;
        float *value = NULL;
        int64_t index = tgr_parameters_find(parameters, record->name + strlen(prefix));
        assert_status(TGR_OK, tgr_parameters_value(parameters, index, &value));
        compare(record, value, record->count);
    }
}

static void test_golden(void **state) {
    FOR_THREADS(threads) {
        golden_case golden;
        start(&golden, *state, threads);
        run(&golden);
        compare_outputs(&golden);
        compare_routing(&golden);
        tgr_parameters *parameters = tgr_model_parameters(golden.student);
        compare_gradients(&golden, "student.", parameters);
        compare_state(&golden, parameters);
        if (golden.teacher) {
            parameters = tgr_teacher_parameters(golden.teacher);
            compare_gradients(&golden, "teacher_router.", parameters);
        }
        finish(&golden);
    }
}

#define GOLDEN(name) \
    { "golden " name, test_golden, NULL, NULL, (void *)(name) }

int main(void) {
    const struct CMUnitTest tests[] = {
        GOLDEN("dense"),
        GOLDEN("deit"),
        GOLDEN("deit3"),
        GOLDEN("vmoe"),
        GOLDEN("vmoe_top2"),
        GOLDEN("vmoe_position"),
        GOLDEN("tgr"),
        GOLDEN("tgr_deit"),
        GOLDEN("tgr_last_layer"),
        GOLDEN("switch"),
        GOLDEN("hash"),
        GOLDEN("loss_free"),
        GOLDEN("shared"),
        GOLDEN("default"),
        GOLDEN("default_top2"),
        GOLDEN("default_unused"),
        GOLDEN("stable"),
        GOLDEN("stable_stage2"),
        GOLDEN("expert_choice"),
        GOLDEN("expert_choice_tgr"),
        GOLDEN("soft"),
        GOLDEN("soft_slots"),
        GOLDEN("base"),
        GOLDEN("base_uneven"),
        GOLDEN("dense_train"),
        GOLDEN("dense_train_guided"),
        GOLDEN("evomoe"),
        GOLDEN("evomoe_renormalized"),
        GOLDEN("evomoe_sparse"),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
