/* SPDX-License-Identifier: MIT */
/* Files of other libraries: sizes from shapes, shapes that mean the same, and what is refused without a trace. */
#include "exchange_support.h"
#include "safetensors_support.h"

static const char distilled[] =
    "image_size=8 patch_size=4 channels=2 classes=5 embed_dim=12 depth=2 heads=1 "
    "mlp_ratio=1.5 distillation_token=1 layer_scale=0.1";

/* An open file of the model's tensors, built again each time. */
typedef struct made_file {
    test_bytes memory;
    tgr_safetensors *file;
} made_file;

static made_file make_file(tgr_model *model, test_edit edit) {
    made_file made = {.memory = test_build(test_model_parameters(model), &edit)};
    assert_status(
        TGR_OK, tgr_safetensors_open_memory(&made.file, tgr_model_context(model), made.memory.bytes, made.memory.size));
    return made;
}

static void end_file(made_file *made) {
    tgr_safetensors_close(made->file);
    free(made->memory.bytes);
}

/* Imports fail with that message and leave no trace: weights, gradients, the pass that backward belongs to. */
static void check_refused(tgr_model *model, const made_file *made, const tgr_import_options *options, tgr_status status,
                          const char *text) {
    const tgr_parameters *parameters = test_model_parameters(model);
    const size_t bytes = (size_t)parameters->floats * sizeof(float);
    float *before = malloc(2 * bytes);
    assert_non_null(before);
    memcpy(before, parameters->values, bytes);
    memcpy(before + parameters->floats, parameters->gradients, bytes);
    const int can_backward = tgr_model_can_backward(model);
    assert_fails(status, text, tgr_model_import(model, made->file, options));
    assert_same_bytes(parameters->values, before, bytes);
    assert_same_bytes(parameters->gradients, before + parameters->floats, bytes);
    assert_int_equal(tgr_model_can_backward(model), can_backward);
    free(before);
}

/* The same numbers except those whose name starts with `but`. */
static void check_same(tgr_model *a, tgr_model *b, const char *but) {
    const tgr_parameters *one = test_model_parameters(a), *other = test_model_parameters(b);
    assert_int_equal(one->tensor_count, other->tensor_count);
    FOR(i, one->tensor_count) {
        assert_string_equal(one->tensors[i].name, other->tensors[i].name);
        if (*but != '\0' && strncmp(one->tensors[i].name, but, strlen(but)) == 0) continue;
        assert_int_equal(one->tensors[i].count, other->tensors[i].count);
        assert_same_bytes(tgr_value(one, i), tgr_value(other, i), (size_t)one->tensors[i].count * sizeof(float));
    }
}

static void test_sizes_come_from_shapes(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    test_random random = test_random_start(4);
    for (int n = 0; n < 40; n++) {
        const long long patch = test_random_integer(&random, 1, 4), heads = test_random_integer(&random, 1, 2);
        char options[512];
        snprintf(options, sizeof options,
                 "patch_size=%lld image_size=%lld channels=%lld classes=%lld embed_dim=%lld heads=%lld depth=%lld "
                 "mlp_ratio=%g distillation_token=%lld position_cls=%lld layer_scale=%s",
                 patch, patch * (long long)test_random_integer(&random, 1, 4),
                 (long long)test_random_integer(&random, 1, 3), (long long)test_random_integer(&random, 0, 3),
                 64 * heads, heads, (long long)test_random_integer(&random, 1, 3),
                 (double)test_random_integer(&random, 1, 100) / 32, (long long)test_random_integer(&random, 0, 1),
                 (long long)test_random_integer(&random, 0, 1), test_random_integer(&random, 0, 1) ? "1e-6" : "0");
        tgr_model *model = test_model(context, options), *again;
        made_file made = make_file(model, (test_edit){0});
        snprintf(options, sizeof options, "heads=%lld", heads);
        again = test_import(context, made.file, options);
        check_same(model, again, "");
        float *images = test_images(model, 2, 9);
        const int64_t numbers = 2 * tgr_model_dimensions(model)->tokens * tgr_model_dimensions(model)->dim;
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 2));
        assert_status(TGR_OK, tgr_model_forward(again, TGR_EVAL, images, 2));
        assert_same_bytes(test_features(again), test_features(model), (size_t)numbers * sizeof(float));
        free(images);
        end_file(&made);
        tgr_model_free(again);
        tgr_model_free(model);
    }
    tgr_context_free(context);
}

static const char *shape_text(char text[128], int ndim, const int64_t *dims) {
    int used = sprintf(text, "[");
    for (int i = 0; i < ndim; i++) used += sprintf(text + used, "%s%lld", i ? ", " : "", (long long)dims[i]);
    sprintf(text + used, "]");
    return text;
}

/* Every tensor of the model in turn is missing, has a different shape, has a different element type. */
static void test_misfits_are_named(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, distilled), *model = test_model(context, distilled);
    const tgr_parameters *parameters = test_model_parameters(model);
    test_random random = test_random_start(2);
    FOR(i, parameters->tensor_count) {
        test_random_fill(&random, tgr_value(parameters, i), parameters->tensors[i].count, -1, 1);
        test_random_fill(&random, tgr_gradient(parameters, i), parameters->tensors[i].count, -1, 1);
    }
    float *images = test_images(model, 1, 5);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 1));
    FOR(i, parameters->tensor_count) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        char here[128], there[128], text[512];
        shape_text(here, tensor->ndim, tensor->dims);
        made_file missing = make_file(source, (test_edit){.name = tensor->name, .drop = 1});
        snprintf(text, sizeof text, "the file has no '%s', which is %s in the model", tensor->name, here);
        check_refused(model, &missing, NULL, TGR_ERROR_FILE_MISMATCH, text);
        end_file(&missing);

        test_edit edit = {.name = tensor->name, .ndim = tensor->ndim};
        memcpy(edit.dims, tensor->dims, sizeof edit.dims);
        edit.dims[tensor->ndim - 1]++;
        made_file other = make_file(source, edit);
        snprintf(text, sizeof text, "'%s' is %s in the file and %s in the model", tensor->name,
                 shape_text(there, edit.ndim, edit.dims), here);
        check_refused(model, &other, NULL, TGR_ERROR_FILE_MISMATCH, text);
        end_file(&other);

        made_file integers = make_file(source, (test_edit){.name = tensor->name, .its_element = i % 2 ? "I32" : "I64"});
        check_refused(model, &integers, NULL, TGR_ERROR_UNSUPPORTED, tensor->name);
        end_file(&integers);
    }
    free(images);
    tgr_model_free(model);
    tgr_model_free(source);
    tgr_context_free(context);
}

/* What computes nothing may be skipped; what is part of another architecture may not, whatever the host says. */
static void test_extra_tensors_are_skipped_only_if_idle(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        int skipped;
    } cases[] = {{"norm_pre.weight", "'norm_pre.weight', [2, 3], which belongs to another architecture (normalises", 0},
                 {"reg_token", "register tokens", 0},
                 {"fc_norm.weight", "mean of all tokens", 0},
                 {"blocks.1.attn.q_norm.weight", "normalises queries", 0},
                 {"blocks.2.norm1.weight", "belongs to another architecture", 0},
                 {"blocks.0.gamma_3", "belongs to another architecture", 0},
                 {"pos_embed_spatial", "belongs to another architecture", 0},
                 {"mask_token", "'ignore_unknown' skips it (for pretraining", 1},
                 {"decoder_blocks.0.norm1.weight", "'ignore_unknown' skips it", 1},
                 {"blocks.0.attn.relative_position_index", "'ignore_unknown' skips it", 1},
                 {"projector.0.weight", "'projector.0.weight', [2, 3], which the model does not have", 1}};
    const tgr_import_options skip = {.struct_size = sizeof skip, .ignore_unknown = 1};
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, distilled);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tgr_model *model = test_model(context, distilled);
        made_file extra = make_file(source, (test_edit){.extra = cases[i].name});
        check_refused(model, &extra, NULL, TGR_ERROR_FILE_MISMATCH, cases[i].text);
        if (strstr(cases[i].text, "skips it") == NULL) assert_null(strstr(tgr_last_error(), "ignore_unknown"));
        if (cases[i].skipped) {
            assert_status(TGR_OK, tgr_model_import(model, extra.file, &skip));
            check_same(model, source, "");
        } else {
            check_refused(model, &extra, &skip, TGR_ERROR_FILE_MISMATCH, cases[i].text);
        }
        end_file(&extra);
        tgr_model_free(model);
    }
    tgr_model_free(source);
    tgr_context_free(context);
}

/* As trainers and other code leave names, where all have them. */
static void test_names_of_trainers_are_understood(void **state) {
    (void)state;
    static const char *const prefixes[] = {"module.", "model.", "_orig_mod.", "module._orig_mod.", "model.module."};
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, distilled);
    const tgr_parameters *parameters = test_model_parameters(source);
    for (size_t i = 0; i < 2 * (sizeof prefixes / sizeof *prefixes); i++) {
        made_file made = make_file(source, (test_edit){.prefix = prefixes[i / 2], .gamma = i % 2});
        tgr_model *model = test_import(context, made.file, "heads=1");
        assert_int_equal(test_model_parameters(model)->tensor_count, parameters->tensor_count);
        check_same(model, source, "");
        end_file(&made);
        tgr_model_free(model);
    }
    const test_edit some = {.prefix = "module.", .unprefixed = "norm.bias"}, odd = {.prefix = "encoder."};
    made_file mixed = make_file(source, some), other = make_file(source, odd);
    check_refused(source, &mixed, NULL, TGR_ERROR_FILE_MISMATCH, "the file has no 'cls_token'");
    check_refused(source, &other, NULL, TGR_ERROR_FILE_MISMATCH, "the file has no 'cls_token'");
    end_file(&mixed);
    end_file(&other);
    tgr_model_free(source);
    tgr_context_free(context);
}

/* LayerScale under both names: it is unclear which counts. */
static void test_two_names_for_one_tensor_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, distilled);
    made_file made = make_file(source, (test_edit){.extra = "blocks.0.gamma_1"});
    check_refused(source, &made, NULL, TGR_ERROR_FILE_MISMATCH, "'blocks.0.ls1.gamma' occurs under two names");
    end_file(&made);
    tgr_model_free(source);
    tgr_context_free(context);
}

static void test_an_import_is_another_model(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, distilled);
    tgr_parameters *parameters = test_model_parameters(model);
    float *images = test_images(model, 1, 5);
    made_file made = make_file(model, (test_edit){0});
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 1));
    parameters->gradients[0] = 1;
    parameters->micro = 1;
    assert_status(TGR_OK, tgr_model_import(model, made.file, NULL));
    assert_true(parameters->gradients[0] == 0);
    assert_int_equal(parameters->micro, 0);
    assert_int_equal(tgr_model_can_backward(model), 0);
    const float *logits;
    assert_fails(TGR_ERROR_STATE, "no forward pass", tgr_model_logits(model, &logits));
    free(images);
    end_file(&made);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_shapes_are_compared_by_meaning(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    const test_edit same[] = {{.name = "cls_token", .ndim = 1, .dims = {12}},
                              {.name = "dist_token", .ndim = 2, .dims = {1, 12}},
                              {.name = "pos_embed", .ndim = 2, .dims = {6, 12}},
                              {.name = "norm.bias", .ndim = 4, .dims = {1, 12, 1, 1}},
                              {.name = "patch_embed.proj.weight", .ndim = 2, .dims = {12, 32}},
                              {.name = "head.weight", .ndim = 4, .dims = {5, 12, 1, 1}}};
    const test_edit others[] = {{.name = "patch_embed.proj.weight", .ndim = 2, .dims = {32, 12}},
                                {.name = "patch_embed.proj.weight", .ndim = 4, .dims = {12, 4, 4, 2}},
                                {.name = "head.weight", .ndim = 2, .dims = {12, 5}},
                                {.name = "head.weight", .ndim = 1, .dims = {60}},
                                {.name = "pos_embed", .ndim = 3, .dims = {1, 12, 6}}};
    tgr_model *source = test_model(context, distilled);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        tgr_model *model = NULL;
        assert_status(TGR_OK, test_model_create(&model, context, distilled));
        made_file made = make_file(source, same[i]);
        assert_status(TGR_OK, tgr_model_import(model, made.file, NULL));
        check_same(model, source, "");
        end_file(&made);
        tgr_model_free(model);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        made_file made = make_file(source, others[i]);
        check_refused(source, &made, NULL, TGR_ERROR_FILE_MISMATCH, others[i].name);
        end_file(&made);
    }
    tgr_model_free(source);
    tgr_context_free(context);
}

static void test_other_precisions_are_read(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    const char *const elements[] = {"F16", "BF16", "F64"};
    const double precision[] = {1.0 / 2048, 1.0 / 256, 0};
    for (int e = 0; e < 3; e++) {
        tgr_model *source = test_model(context, distilled);
        made_file made = make_file(source, (test_edit){.element = elements[e]});
        tgr_model *model = test_import(context, made.file, "heads=1");
        const tgr_parameters *one = test_model_parameters(source), *other = test_model_parameters(model);
        assert_all_close(other->values, one->values, one->floats, precision[e] > 0 ? 7e-5 : 0, precision[e]);
        const int same = memcmp(other->values, one->values, (size_t)one->floats * sizeof(float)) == 0;
        assert_int_equal(same, precision[e] == 0);
        end_file(&made);
        tgr_model_free(model);
        tgr_model_free(source);
    }
    tgr_context_free(context);
}

/* A head of other classes, or none, stays as it is; all else is imported. */
static void test_heads_can_stay_fresh(void **state) {
    (void)state;
    static const char sizes[] =
        "image_size=8 patch_size=4 channels=2 embed_dim=12 depth=2 heads=1 mlp_ratio=1.5 "
        "distillation_token=1 layer_scale=0.1 classes=%d";
    const tgr_import_options fresh = {.struct_size = sizeof fresh, .fresh_head = 1};
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, distilled);
    made_file made = make_file(source, (test_edit){0});
    for (int classes = 0; classes < 8; classes++) {
        char options[256];
        tgr_model *model = NULL, *before = NULL;
        snprintf(options, sizeof options, sizes, classes);
        assert_status(TGR_OK, test_model_create(&model, context, options));
        assert_status(TGR_OK, test_model_create(&before, context, options));
        if (classes == 0) check_refused(model, &made, NULL, TGR_ERROR_FILE_MISMATCH, "the file has 'head.weight'");
        if (classes > 0 && classes != 5) check_refused(model, &made, NULL, TGR_ERROR_FILE_MISMATCH, "[5, 12] in the");
        assert_status(TGR_OK, tgr_model_import(model, made.file, &fresh));
        const tgr_parameters *to = test_model_parameters(model), *from = test_model_parameters(source),
                             *old = test_model_parameters(before);
        FOR(i, to->tensor_count) {
            const char *name = to->tensors[i].name;
            const int is_head = strncmp(name, "head", 4) == 0;
            int64_t index = tgr_parameters_find(is_head ? old : from, name);
            assert_same_bytes(tgr_value(to, i), tgr_value(is_head ? old : from, index),
                              (size_t)to->tensors[i].count * sizeof(float));
        }
        tgr_model_free(before);
        tgr_model_free(model);
    }
    end_file(&made);
    tgr_model_free(source);
    tgr_context_free(context);
}

static void test_refused_files_describe_no_model(void **state) {
    (void)state;
    static const struct {
        test_edit edit;
        const char *text;
    } cases[] = {
        {{.name = "patch_embed.proj.weight", .drop = 1},
         "no 'patch_embed.proj.weight': it does not hold a vision transformer"},
        {{.name = "patch_embed.proj.weight", .ndim = 2, .dims = {12, 32}}, "[12, 32]; 4 dimensions"},
        {{.name = "patch_embed.proj.weight", .ndim = 4, .dims = {12, 2, 2, 8}}, "the patches must be square"},
        {{.name = "pos_embed", .drop = 1}, "no 'pos_embed'"},
        {{.name = "pos_embed", .ndim = 3, .dims = {1, 8, 12}}, "[1, 8, 12]; the grid of patches must be square"},
        {{.name = "blocks.0.mlp.fc1.weight", .drop = 1}, "blocks.0.mlp.fc1.weight"},
        {{.name = "blocks.0.norm1.weight", .drop = 1}, "depth is 0"},
        {{.name = "blocks.1.norm2.bias", .drop = 1}, "no 'blocks.1.norm2.bias', which is [12] in the model"},
        {{.name = "blocks.1.attn.qkv.weight", .ndim = 2, .dims = {12, 36}}, "[12, 36] in the file and [36, 12]"},
        {{.name = "norm.weight", .drop = 1}, "no 'norm.weight'"},
        {{.name = "head_dist.bias", .drop = 1}, "no 'head_dist.bias'"},
        {{.texts = "\"tgrmoe.method\":\"dense\",\"tgrmoe.colour\":\"red\""}, "the option 'colour'"},
        {{.texts = "\"tgrmoe.method\":\"dense\",\"tgrmoe.heads\":\"many\""}, "heads is 'many'"},
        {{.texts = "\"tgrmoe.method\":\"no such\""}, "method is 'no such'"},
        {{.texts = "\"tgrmoe.method\":\"dense\",\"tgrmoe.depth\":\"1000\""}, "too few for the 1000 blocks"},
        {{.texts = "\"tgrmoe.method\":\"dense\",\"tgrmoe.embed_dim\":\"65000\",\"tgrmoe.depth\":\"2\","
                   "\"tgrmoe.heads\":\"1\""},
         "65000"},
        {{.texts = "\"tgrmoe.method\":\"dense\",\"tgrmoe.embed_dim\":\"7\",\"tgrmoe.heads\":\"2\""},
         "the file does not describe a valid model: "},
    };
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, distilled);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        made_file made = make_file(source, cases[i].edit);
        tgr_config *config = NULL;
        assert_fails(TGR_ERROR_FILE_MISMATCH, cases[i].text, tgr_config_import(&config, context, made.file));
        assert_null(config);
        end_file(&made);
    }
    tgr_model_free(source);
    tgr_context_free(context);
}

static void test_bad_arguments_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, distilled);
    made_file made = make_file(model, (test_edit){.texts = "\"tgrmoe.heads\":\"3\""});
    tgr_config *config = NULL;
    const tgr_import_options no_size = {0};
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_config_import(NULL, context, made.file));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_config_import(&config, NULL, made.file));
    assert_fails(TGR_ERROR_ARGUMENT, "'file'", tgr_config_import(&config, context, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_import(NULL, made.file, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'file'", tgr_model_import(model, NULL, NULL));
    check_refused(model, &made, &no_size, TGR_ERROR_RANGE, "struct_size");
    check_refused(model, &made, NULL, TGR_ERROR_FILE_MISMATCH, "heads is 3 in the file and 1 in the model");
    static const char *const own[] = {"tgrmoe.depth", "3"}, *const none[] = {"mean", NULL};
    tgr_export_options options = {.struct_size = sizeof options, .element = TGR_ELEMENT_F16};
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_model_export(NULL, "x", NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_model_export(model, NULL, NULL));
    assert_fails(TGR_ERROR_RANGE, "element' is 2", tgr_model_export(model, "x", &options));
    options = (tgr_export_options){.struct_size = sizeof options, .text_count = 1};
    assert_fails(TGR_ERROR_ARGUMENT, "text_count' is 1", tgr_model_export(model, "x", &options));
    options = (tgr_export_options){.struct_size = sizeof options, .texts = own, .text_count = -1};
    assert_fails(TGR_ERROR_ARGUMENT, "text_count' is -1", tgr_model_export(model, "x", &options));
    options.text_count = 1;
    assert_fails(TGR_ERROR_ARGUMENT, "tgrmoe.depth", tgr_model_export(model, "x", &options));
    options.texts = none;
    assert_fails(TGR_ERROR_ARGUMENT, "text 0", tgr_model_export(model, "x", &options));
    assert_fails(TGR_ERROR_FILE, "no such folder", tgr_model_export(model, "/no such folder/x", NULL));
    end_file(&made);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* A file of a model's tensors and nothing else: what is asked for, and whether setting it does. */
static void check_asked(tgr_context *context, const char *options, test_edit edit, const char *option, const char *text,
                        const char *answer) {
    tgr_model *source = test_model(context, options), *model = NULL;
    tgr_config *config = NULL;
    made_file made = make_file(source, edit);
    uint64_t bytes;
    assert_status(TGR_OK, tgr_config_import(&config, context, made.file));
    assert_fails(TGR_ERROR_OPTION, text, tgr_model_create(&model, context, config));
    assert_fails(TGR_ERROR_OPTION, option, tgr_model_estimate(context, config, 1, &bytes));
    assert_status(TGR_OK, tgr_config_set(config, option, answer));
    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    assert_status(TGR_OK, tgr_model_import(model, made.file, NULL));
    check_same(source, model, "");
    end_file(&made);
    tgr_config_free(config);
    tgr_model_free(model);
    tgr_model_free(source);
}

/* What shapes do not determine and timm does not know is asked for, never guessed. */
static void test_what_shapes_do_not_tell_is_asked_for(void **state) {
    (void)state;
    static const char small[] =
        "embed_dim=384 depth=12 heads=6 patch_size=16 channels=1 classes=2 image_size=%d position_cls=%d "
        "layer_scale=%g";
    tgr_context *context = test_context(1, 1);
    char options[256];
    check_asked(context, "embed_dim=64 depth=1 heads=1 patch_size=4 image_size=4 classes=2", (test_edit){0}, "heads",
                "timm has no model of width 64, depth 1 and FFN width 256", "1");
    const struct {
        int size, cls;
        double scale;
        const char *text;
    } grids[] = {{192, 1, 0, "12 x 12, or 9 x 16 in rectangular images"},
                 {96, 1, 0, "6 x 6, or 4 x 9 in rectangular"},
                 {112, 1, 0, "7 x 7, or 1 x 49"},
                 {240, 0, 0, "15 x 15, or with CLS 14 x 16"},
                 {224, 0, 0, "14 x 14, or with CLS 13 x 15"},
                 {32, 1, 0, "2 x 2, or 1 x 4"}};
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) {
        char answer[32];
        snprintf(options, sizeof options, small, grids[i].size, grids[i].cls, grids[i].scale);
        snprintf(answer, sizeof answer, "%d", grids[i].size);
        check_asked(context, options, (test_edit){0}, "image_size", grids[i].text, answer);
    }
    /* More than one thing is asked for at once. */
    tgr_model *source = test_model(context, "embed_dim=64 depth=1 heads=1 patch_size=4 image_size=8 classes=2"),
              *model = NULL;
    tgr_config *config = NULL;
    made_file made = make_file(source, (test_edit){0});
    assert_status(TGR_OK, tgr_config_import(&config, context, made.file));
    assert_fails(TGR_ERROR_OPTION, "set option 'heads'; and shapes do not determine",
                 tgr_model_create(&model, context, config));
    assert_non_null(strstr(tgr_last_error(), "set option 'image_size'"));
    end_file(&made);
    tgr_config_free(config);
    tgr_model_free(source);
    snprintf(options, sizeof options, small, 224, 0, 1e-6);
    check_asked(context, options, (test_edit){.gamma = 1}, "layer_scale", "vit_*_rope_ape", "1e-6");
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extra_tensors_are_skipped_only_if_idle),
        cmocka_unit_test(test_names_of_trainers_are_understood),
        cmocka_unit_test(test_two_names_for_one_tensor_are_refused),
        cmocka_unit_test(test_what_shapes_do_not_tell_is_asked_for),
        cmocka_unit_test(test_sizes_come_from_shapes),
        cmocka_unit_test(test_misfits_are_named),
        cmocka_unit_test(test_an_import_is_another_model),
        cmocka_unit_test(test_shapes_are_compared_by_meaning),
        cmocka_unit_test(test_other_precisions_are_read),
        cmocka_unit_test(test_heads_can_stay_fresh),
        cmocka_unit_test(test_refused_files_describe_no_model),
        cmocka_unit_test(test_bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
