/* SPDX-License-Identifier: MIT */
/* tgrmoe eval: a saved model on the test images. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "evaluation.h"
#include "failure.h"
#include "session.h"

enum { DEFAULT_BATCH = 128 };

typedef struct tool_subject {
    tgr_context *context;
    tgr_model *model, *backbone;
    tgr_teacher *oracle;
    dataset data;
    tool_batch batch;
    double mean[DATASET_CHANNELS_MAX], deviation[DATASET_CHANNELS_MAX];
    int64_t count, classes;
} tool_subject;

static int check_arguments(const tool_arguments *arguments) {
    if (arguments->file_count > 0) return fail_usage("eval: '%s' is not a flag", arguments->files[0]);
    if (!arguments->data) return fail_usage("eval: --data is missing");
    if (!arguments->model) return fail_usage("eval: --model is missing");
    return 0;
}

/* The images must be of the size and the labels of the classes that the model knows. */
static int fit_data(tool_subject *subject) {
    int result = 0;
    int64_t size = 0, channels = 0;
    const tgr_config *config = NULL;
    const image_set *test = &subject->data.test;
    LIBRARY(tgr_model_config(subject->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &size));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &subject->classes));
    if (size != test->size || channels != test->channels) {
        TRY(fail_with("the model takes images of %lld x %lld x %lld; those of the data are %lld x %lld x %lld",
                      (long long)channels, (long long)size, (long long)size, (long long)test->channels,
                      (long long)test->size, (long long)test->size));
    }
    TRY(dataset_check_labels(test, "test", subject->classes));
done:
    return result;
}

/* Pixels are normalised as they were in training, unless the command line says otherwise. */
static int find_statistics(tool_subject *subject, const tool_arguments *arguments) {
    int result = 0;
    run_state state = {0};
    const int64_t channels = subject->data.test.channels;
    dataset_statistics(subject->data.kind, subject->mean, subject->deviation);
    if (state_peek(&state, arguments->model) == 0) {
        memcpy(subject->mean, state.mean, sizeof state.mean);
        memcpy(subject->deviation, state.deviation, sizeof state.deviation);
    }
    if (arguments->mean) TRY(arguments_numbers("mean", arguments->mean, channels, subject->mean));
    if (arguments->deviation) TRY(arguments_numbers("std", arguments->deviation, channels, subject->deviation));
done:
    return result;
}

/* The student's teacher routers are in its file; the dense model that they read is in another. */
static int open_oracle(tool_subject *subject, const tool_arguments *arguments) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    LIBRARY(tgr_model_load(&subject->backbone, subject->context, arguments->oracle, "model"));
    LIBRARY(tgr_teacher_create(&subject->oracle, subject->backbone, subject->model));
    LIBRARY(tgr_checkpoint_create(&file, subject->context));
    LIBRARY(tgr_checkpoint_add_teacher(file, "teacher", subject->oracle));
    LIBRARY(tgr_checkpoint_load(file, arguments->model));
    LIBRARY(tgr_teacher_set_oracle(subject->oracle, 1));
done:
    tgr_checkpoint_free(file);
    return result;
}

static int open_subject(tool_subject *subject, const tool_arguments *arguments) {
    int result = 0;
    const int64_t threads = arguments->threads, limit = arguments->limit;
    const tgr_context_options options = {.struct_size = sizeof options,
                                         .threads = threads == UNSET      ? 0
                                                    : threads > INT32_MAX ? INT32_MAX
                                                                          : (int)threads};
    LIBRARY(tgr_context_create(&subject->context, &options));
    LIBRARY(tgr_model_load(&subject->model, subject->context, arguments->model, "model"));
    TRY(dataset_load(&subject->data, arguments->data, arguments->dataset, 0));
    TRY(fit_data(subject));
    TRY(find_statistics(subject, arguments));
    subject->count = subject->data.test.count;
    if (limit != UNSET && limit < subject->count) subject->count = limit;
    TRY(batch_create(&subject->batch, &subject->data.test, arguments->batch == UNSET ? DEFAULT_BATCH : arguments->batch,
                     subject->mean, subject->deviation));
    if (arguments->oracle) TRY(open_oracle(subject, arguments));
done:
    return result;
}

static void close_subject(tool_subject *subject) {
    tgr_teacher_free(subject->oracle);
    tgr_model_free(subject->backbone);
    tgr_model_free(subject->model);
    tgr_context_free(subject->context);
    batch_free(&subject->batch);
    dataset_free(&subject->data);
}

/* Four-byte numbers, the lowest byte first on any machine. */
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

static void print_routing(const tool_evaluation *seen) {
    printf("routing entropy %.4f nats, dropped %.4f, load cv %.3f, dead experts %lld\n", seen->entropy, seen->dropped,
           seen->load_cv, (long long)seen->dead);
    for (int64_t layer = 0; layer < seen->layers; layer++) {
        printf("load of MoE layer %lld:", (long long)layer + 1);
        for (int64_t e = 0; e < seen->experts; e++) printf(" %lld", (long long)seen->load[layer * seen->experts + e]);
        printf("\n");
    }
}

int command_eval(const tool_arguments *arguments) {
    int result = 0;
    tool_subject subject = {0};
    tool_evaluation seen = {0};
    float *logits = NULL;
    TRY(check_arguments(arguments));
    TRY(open_subject(&subject, arguments));
    logits = calloc((size_t)subject.count, (size_t)subject.classes * sizeof *logits);
    if (!logits) TRY(fail_with("no memory for the logits of %lld images", (long long)subject.count));
    TRY(evaluate(&seen, subject.model, subject.oracle, &subject.data.test, subject.count, subject.count, &subject.batch,
                 logits));
    if (arguments->routing && seen.layers == 0) TRY(fail_with("--routing: the model has no MoE layer"));
    printf("top-1 %.2f %% of %lld images\n", seen.top1, (long long)subject.count);
    if (seen.layers > 0) print_routing(&seen);
    if (arguments->logits) {
        TRY(write_numbers("logits", arguments->logits, logits, (size_t)(subject.count * subject.classes)));
    }
    if (arguments->routing) {
        TRY(write_numbers("routing", arguments->routing, seen.routing, (size_t)(seen.layers * seen.choices)));
    }
done:
    free(logits);
    evaluation_free(&seen);
    close_subject(&subject);
    return result;
}
