/* SPDX-License-Identifier: MIT */
/* Each thread repeatedly takes the next image; all have their own session on one model. */
#include "commands/classify.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "images/file.h"
#include "models/class_names.h"
#include "models/file.h"
#include "models/saved_preprocessing.h"

enum { GUESSES = 5, THREADS_MOST = 64, MESSAGE_SIZE = 512 };

typedef struct answer {
    int64_t labels[GUESSES]; /* most probable first */
    double probabilities[GUESSES];
    int failed;
    char message[MESSAGE_SIZE];
} answer;

/* What the threads share. */
typedef struct classification {
    tgr_model *model;
    preprocessing how;
    char **files;
    answer *answers; /* [count] */
    int64_t count, size, channels, classes;
    name_list names;   /* [classes], or none */
    atomic_llong next; /* the next image to be taken */
} classification;

/* What one thread needs. */
typedef struct classifier {
    tgr_context *context;
    tgr_session *session;
    image_loader loader;
    image cropped;
    float *input; /* [channels, size, size] */
} classifier;

/* As Pillow's convert("L") computes it. */
static uint8_t grey(const uint8_t *rgb) {
    return (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

static void normalise(const classification *all, const image *from, float *to) {
    const int64_t pixels = all->size * all->size;
    for (int64_t channel = 0; channel < all->channels; channel++) {
        const double mean = all->how.mean[channel], deviation = all->how.deviation[channel];
        for (int64_t i = 0; i < pixels; i++) {
            const uint8_t *rgb = from->pixels + IMAGE_CHANNELS * i;
            const uint8_t byte = all->channels == 1 ? grey(rgb) : rgb[channel];
            *to++ = (float)((byte / 255.0 - mean) / deviation);
        }
    }
}

/* Whether label i comes after `last`: its logit is smaller, or equal and the label higher. */
static int comes_after(const float *logits, int64_t i, int64_t last) {
    if (last < 0) return 1;
    if (logits[i] == logits[last]) return i > last;
    return logits[i] < logits[last];
}

/* The best guess that comes after `last` (-1: the best of all), or -1 if there is none. */
static int64_t next_best(const float *logits, int64_t classes, int64_t last) {
    int64_t best = -1;
    for (int64_t i = 0; i < classes; i++) {
        if (comes_after(logits, i, last) && (best < 0 || logits[i] > logits[best])) best = i;
    }
    return best;
}

static void write_answer(answer *to, const float *logits, int64_t classes) {
    double sum = 0;
    int64_t label = -1;
    const float most = logits[next_best(logits, classes, -1)];
    for (int64_t i = 0; i < classes; i++) sum += exp((double)logits[i] - most);
    for (int guess = 0; guess < GUESSES; guess++) {
        if (guess == 0 || label >= 0) label = next_best(logits, classes, label);
        to->labels[guess] = label;
        to->probabilities[guess] = label < 0 ? 0 : exp((double)logits[label] - most) / sum;
    }
}

static int classify(const classification *all, classifier *own, int64_t index) {
    int result = 0;
    const float *logits = NULL;
    const char *file = all->files[index];
    TRY(image_file_decode(&own->loader, file[0] == '/' ? "" : ".", file, all->how.upright));
    TRY(preprocess_image(&own->loader.memory, &all->how, &own->loader.decoded, (int)all->size, &own->cropped));
    normalise(all, &own->cropped, own->input);
    LIBRARY(tgr_session_forward(own->session, own->input, 1));
    LIBRARY(tgr_session_logits(own->session, &logits));
    write_answer(&all->answers[index], logits, all->classes);
done:
    return result;
}

static int open_classifier(classifier *own, const classification *all) {
    int result = 0;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    own->input = calloc((size_t)(all->channels * all->size * all->size), sizeof *own->input);
    if (!own->input) TRY(fail_with("no memory for an image of %lld pixels", (long long)(all->size * all->size)));
    LIBRARY(tgr_context_create(&own->context, &options));
    LIBRARY(tgr_session_create(&own->session, all->model, own->context));
done:
    return result;
}

static void close_classifier(classifier *own) {
    tgr_session_free(own->session);
    tgr_context_free(own->context);
    image_loader_free(&own->loader);
    image_free(&own->cropped);
    free(own->input);
}

/* If a thread cannot be set up, the images that it takes fail. */
static void *classify_some(void *argument) {
    classification *all = argument;
    classifier own = {0};
    const int ready = open_classifier(&own, all) == 0;
    for (int64_t i = atomic_fetch_add(&all->next, 1); i < all->count; i = atomic_fetch_add(&all->next, 1)) {
        all->answers[i].failed = !ready || classify(all, &own, i) != 0;
        if (all->answers[i].failed) snprintf(all->answers[i].message, MESSAGE_SIZE, "%s", failure_message());
    }
    close_classifier(&own);
    return NULL;
}

/* This thread takes part, so threads that cannot be started are not needed. */
static void classify_all(classification *all, int64_t threads) {
    pthread_t others[THREADS_MOST];
    int64_t started = 0;
    while (started < threads - 1 && started < all->count - 1 && started < THREADS_MOST) {
        if (pthread_create(&others[started], NULL, classify_some, all) != 0) break;
        started++;
    }
    classify_some(all);
    for (int64_t i = 0; i < started; i++) pthread_join(others[i], NULL);
}

static void print_label(const classification *all, int64_t label) {
    if (all->names.count > 0) {
        printf("%s", all->names.names[label]);
    } else {
        printf("%lld", (long long)label);
    }
}

static int print_answers(const classification *all) {
    int result = 0;
    for (int64_t i = 0; i < all->count; i++) {
        const answer *said = &all->answers[i];
        if (said->failed) {
            fprintf(stderr, "tgrmoe: %s\n", said->message);
            result = fail_with("not every image could be classified");
            continue;
        }
        printf("%s:", all->files[i]);
        for (int guess = 0; guess < GUESSES && said->labels[guess] >= 0; guess++) {
            printf("%s ", guess > 0 ? "," : "");
            print_label(all, said->labels[guess]);
            printf(" (%.2f %%)", 100 * said->probabilities[guess]);
        }
        printf("\n");
    }
    return result;
}

static int open_model(classification *all, tgr_context *context, const char *path, const tool_arguments *arguments) {
    int result = 0;
    TRY(model_file_open_set(&all->model, context, path, arguments));
    const tgr_config *config = tgr_model_config(all->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &all->size));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &all->channels));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &all->classes));
    if (all->classes == 0) TRY(fail_with("%s: the model has no head", path));
    if (all->channels != 1 && all->channels != IMAGE_CHANNELS) {
        TRY(fail_with("%s: the model takes %lld channels; images have %d, or 1 when converted to grey", path,
                      (long long)all->channels, IMAGE_CHANNELS));
    }
    TRY(class_names_load(&all->names, path));
    if (all->names.count != all->classes) name_list_free(&all->names);
    TRY(model_file_preprocessing(&all->how, path, arguments));
    preprocessing_say_assumed(&all->how, path);
done:
    return result;
}

int command_classify(const tool_arguments *arguments) {
    int result = 0;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    tgr_context *context = NULL;
    classification all = {.files = arguments->files + 1, .count = arguments->file_count - 1};
    if (all.count < 1) TRY(fail_usage("classify: a model and at least one image are needed"));
    all.answers = calloc((size_t)all.count, sizeof *all.answers);
    if (!all.answers) TRY(fail_with("no memory for %lld answers", (long long)all.count));
    LIBRARY(tgr_context_create(&context, &options));
    TRY(open_model(&all, context, arguments->files[0], arguments));
    classify_all(&all, arguments->threads == UNSET ? sysconf(_SC_NPROCESSORS_ONLN) : arguments->threads);
    TRY(print_answers(&all));
done:
    tgr_model_free(all.model);
    tgr_context_free(context);
    name_list_free(&all.names);
    free(all.answers);
    return result;
}
