/* SPDX-License-Identifier: MIT */
/* Prints top-1 and routing, and writes the files that are asked for. */
#include "commands/eval.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batches/reader.h"
#include "data/load.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"
#include "models/part.h"
#include "models/saved_preprocessing.h"
#include "run/epoch_log.h"
#include "run/evaluation.h"
#include "run/images.h"

enum { DEFAULT_BATCH = 128 };

typedef struct tool_subject {
    tgr_context *context;
    tgr_model *model, *backbone;
    tgr_teacher *oracle;
    tgr_probe *probe; /* NULL for a model without MoE layers */
    dataset data;
    preprocessing images;
    reading what;
    int64_t count, classes;
} tool_subject;

static int check_arguments(const tool_arguments *arguments) {
    if (arguments->file_count > 0) return fail_usage("eval: '%s' is not a flag", arguments->files[0]);
    if (!arguments->data) return fail_usage("eval: --data is missing");
    if (!arguments->model) return fail_usage("eval: --model is missing");
    return 0;
}

/* The images must have the model's size, and their labels must be among its classes. */
static int fit_data(tool_subject *subject) {
    int result = 0;
    int64_t size = 0, channels = 0;
    image_set *test = &subject->data.test;
    const tgr_config *config = tgr_model_config(subject->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &size));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &subject->classes));
    if (test->root) test->size = size;
    if (size != test->size || channels != test->channels) {
        TRY(fail_with("the model takes images of %lld x %lld x %lld; those of the data are %lld x %lld x %lld",
                      (long long)channels, (long long)size, (long long)size, (long long)test->channels,
                      (long long)test->size, (long long)test->size));
    }
    TRY(image_set_check_labels(test, "test", subject->classes));
done:
    return result;
}

/* Pixels are normalised as they were in training, unless the command line says otherwise. Images in memory are neither
 * cropped nor resized, and where nobody says more they are normalised as is usual for them. */
static int find_statistics(tool_subject *subject, const tool_arguments *arguments) {
    int result = 0;
    double mean[DATASET_CHANNELS_MAX], deviation[DATASET_CHANNELS_MAX];
    preprocessing *images = &subject->images;
    TRY(model_file_preprocessing(images, arguments->model, arguments));
    if (!subject->data.test.root) {
        dataset_statistics(subject->data.kind, mean, deviation);
        if (images->assumed & ASSUMED_MEAN) memcpy(images->mean, mean, sizeof mean);
        if (images->assumed & ASSUMED_STD) memcpy(images->deviation, deviation, sizeof deviation);
        images->assumed &= ASSUMED_MEAN | ASSUMED_STD;
    }
    preprocessing_say_assumed(images, arguments->model);
done:
    return result;
}

/* The student's file has its teacher routers; the dense model whose features they read is in another file. */
static int open_oracle(tool_subject *subject, const tool_arguments *arguments) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    TRY(model_file_open(&subject->backbone, subject->context, arguments->oracle));
    LIBRARY(tgr_teacher_create(&subject->oracle, subject->backbone, subject->model));
    LIBRARY(tgr_checkpoint_create(&file, subject->context));
    LIBRARY(tgr_checkpoint_add_teacher(file, PART_TEACHER, subject->oracle));
    LIBRARY(tgr_checkpoint_load(file, arguments->model));
    LIBRARY(tgr_teacher_set_oracle(subject->oracle, 1));
done:
    tgr_checkpoint_free(file);
    return result;
}

/* The same images can have other labels. */
static int say_order(const tool_subject *subject, const tool_arguments *arguments) {
    int result = 0, matters = 0;
    const name_list *names = &subject->data.names;
    name_list own = {0};
    if (!subject->data.test.root) goto done;
    TRY(class_names_load(&own, arguments->model));
    TRY(class_order_matters(names, &matters));
    if (own.count > 0)
        fprintf(stderr, "classes: as %s names them\n", arguments->model);
    else if (arguments->class_order)
        fprintf(stderr, "classes: in the order of --class-order %s\n", arguments->class_order);
    else if (!matters)
        fprintf(stderr, "classes: in the order of their names, which timm and torchvision share\n");
done:
    name_list_free(&own);
    return result;
}

static int open_subject(tool_subject *subject, const tool_arguments *arguments) {
    int result = 0;
    const int64_t limit = arguments->limit;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = arguments_threads(arguments)};
    LIBRARY(tgr_context_create(&subject->context, &options));
    TRY(model_file_open_set(&subject->model, subject->context, arguments->model, arguments));
    TRY(dataset_from_flags(&subject->data, arguments, 0, arguments->model));
    TRY(say_order(subject, arguments));
    if (limit != UNSET) image_set_limit(&subject->data.test, limit);
    TRY(fit_data(subject));
    TRY(find_statistics(subject, arguments));
    subject->count = subject->data.test.count;
    subject->what = (reading){.set = &subject->data.test,
                              .how = &subject->images,
                              .batch = arguments->batch == UNSET ? DEFAULT_BATCH : arguments->batch,
                              .threads = arguments_readers(arguments)};
    if (arguments->oracle) TRY(open_oracle(subject, arguments));
done:
    return result;
}

static void close_subject(tool_subject *subject) {
    tgr_probe_free(subject->probe);
    tgr_teacher_free(subject->oracle);
    tgr_model_free(subject->backbone);
    tgr_model_free(subject->model);
    tgr_context_free(subject->context);
    dataset_free(&subject->data);
}

/* Four-byte numbers, little-endian on every machine. */
static int write_numbers(const char *flag, const char *path, const void *numbers, size_t count) {
    int result = 0;
    const unsigned char *from = numbers;
    FILE *file = fopen(path, "wb");
    if (!file) TRY(fail_with("--%s %s: %s", flag, path, strerror(errno)));
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, from + 4 * i, sizeof word);
        const unsigned char bytes[4] = {(unsigned char)word, (unsigned char)(word >> 8), (unsigned char)(word >> 16),
                                        (unsigned char)(word >> 24)};
        if (fwrite(bytes, sizeof bytes, 1, file) != 1) TRY(fail_with("--%s %s: %s", flag, path, strerror(errno)));
    }
done:
    if (file && fclose(file) != 0 && result == 0) result = fail_with("--%s %s: %s", flag, path, strerror(errno));
    return result;
}

static int print_routing(const tgr_probe *probe) {
    int result = 0;
    double *shares = NULL;
    tgr_probe_description sizes = {.struct_size = sizeof sizes};
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    LIBRARY(tgr_probe_describe(probe, &sizes));
    LIBRARY(tgr_probe_measure(probe, -1, 0, &measures));
    shares = calloc((size_t)sizes.experts, sizeof *shares);
    if (!shares) TRY(fail_with("no memory for the loads of %lld experts", (long long)sizes.experts));
    printf("routing entropy %.4f nats, dropped %.4f, load cv %.3f, dead experts %lld\n", measures.entropy,
           measures.dropped, measures.load_cv, (long long)measures.dead);
    for (int64_t layer = 0; layer < sizes.layers; layer++) {
        LIBRARY(tgr_probe_load(probe, layer, 0, shares));
        printf("load of MoE layer %lld:", (long long)layer + 1);
        for (int64_t e = 0; e < sizes.experts; e++) printf(" %.4f", shares[e]);
        printf("\n");
    }
done:
    free(shares);
    return result;
}

static int write_choices(const char *path, const tgr_probe *probe) {
    int result = 0;
    const int32_t *choices = NULL;
    tgr_probe_description sizes = {.struct_size = sizeof sizes};
    LIBRARY(tgr_probe_describe(probe, &sizes));
    LIBRARY(tgr_probe_choices(probe, 0, 0, &choices));
    TRY(write_numbers("routing", path, choices, (size_t)(sizes.layers * sizes.tokens)));
done:
    return result;
}

/* A line like the final one of train --json. */
static int write_json(const char *path, double top1, const tgr_probe *probe) {
    int result = 0;
    tgr_routing_measures measures = {.struct_size = sizeof measures, .load_cv = NAN, .entropy = NAN, .dropped = NAN};
    if (probe) LIBRARY(tgr_probe_measure(probe, -1, 0, &measures));
    const char *const keys[] = {"top1", "load_cv", "entropy", "dropped"};
    const double values[] = {top1, measures.load_cv, measures.entropy, measures.dropped};
    TRY(json_write_final(path, keys, values, 4));
done:
    return result;
}

static int open_probe(tool_subject *subject) {
    int result = 0;
    int64_t layers = tgr_model_moe_layer_count(subject->model);
    if (layers > 0) LIBRARY(tgr_probe_create(&subject->probe, subject->model, NULL, subject->count, 1));
done:
    return result;
}

int command_eval(const tool_arguments *arguments) {
    int result = 0;
    tool_subject subject = {0};
    double top1 = 0;
    float *logits = NULL;
    TRY(check_arguments(arguments));
    TRY(open_subject(&subject, arguments));
    TRY(open_probe(&subject));
    if (arguments->routing && !subject.probe) TRY(fail_with("--routing: the model has no MoE layer"));
    logits = calloc((size_t)subject.count, (size_t)subject.classes * sizeof *logits);
    if (!logits) TRY(fail_with("no memory for the logits of %lld images", (long long)subject.count));
    TRY(evaluate(&top1, subject.model, subject.oracle, &subject.what, subject.count, subject.probe, subject.count,
                 logits));
    printf("top-1 %.2f %% of %lld images\n", top1, (long long)subject.count);
    if (subject.probe) TRY(print_routing(subject.probe));
    if (arguments->logits) {
        TRY(write_numbers("logits", arguments->logits, logits, (size_t)(subject.count * subject.classes)));
    }
    if (arguments->json) TRY(write_json(arguments->json, top1, subject.probe));
    if (arguments->routing) TRY(write_choices(arguments->routing, subject.probe));
done:
    free(logits);
    close_subject(&subject);
    return result;
}
