/* SPDX-License-Identifier: MIT */
/* The rows of a comparison and the runs behind them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/compare.h"
#include "failure.h"
#include "run/run.h"

enum { DEFAULT_SEEDS = 3, DEFAULT_FIRST_SEED = 1 };

const char compare_methods[] = "methods", compare_sweep[] = "sweep";

int compare_subject_set(compare_subject *subject, const char *key, const char *value) {
    if (subject->option_count == COMPARE_OPTIONS_MAX) return fail_with("too many options for one run");
    snprintf(subject->options[subject->option_count].key, sizeof subject->options->key, "%s", key);
    snprintf(subject->options[subject->option_count].value, sizeof subject->options->value, "%s", value);
    subject->option_count++;
    return 0;
}

int compare_subject_read(compare_subject *out, const char *text, size_t length) {
    const size_t name = strcspn(text, "+,") < length ? strcspn(text, "+,") : length;
    compare_subject subject = {0};
    const char *known = NULL;
    snprintf(subject.method, sizeof subject.method, "%.*s", (int)name, text);
    for (int64_t i = 0; tgr_method_describe(i, &known, NULL, NULL) == TGR_OK; i++) {
        if (strcmp(known, subject.method) == 0) break;
        known = NULL;
    }
    if (!known) return fail_usage("compare: there is no method '%s'", subject.method);
    subject.guided = strcmp(subject.method, "tgr") == 0;
    for (const char *at = text + name; at < text + length;) {
        const size_t word = strcspn(at + 1, "+,") + 1;
        if (strncmp(at, "+guided", word) == 0 && word == 7) {
            subject.guided = 1;
        } else if (strncmp(at, "+upcycled", word) == 0 && word == 9) {
            subject.upcycled = 1;
        } else {
            return fail_usage("compare: '%.*s' is neither +guided nor +upcycled", (int)word, at);
        }
        at += word;
    }
    *out = subject;
    return 0;
}

void compare_subject_name(char *to, size_t size, const compare_subject *subject) {
    const int own_guidance = strcmp(subject->method, "tgr") == 0;
    snprintf(to, size, "%s%s%s", subject->method, subject->guided && !own_guidance ? "+guided" : "",
             subject->upcycled ? "+upcycled" : "");
}

static int run_name(char to[COMPARE_TEXT], const compare_subject *subject, int64_t seed) {
    char text[1024];
    compare_subject_name(text, sizeof text, subject);
    size_t length = strlen(text);
    for (int i = 0; i < subject->option_count; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "-%s=%s", subject->options[i].key,
                                   subject->options[i].value);
    }
    snprintf(text + length, sizeof text - length, "%s%s%s%s-s%lld", *subject->labels ? "-labels" : "", subject->labels,
             subject->finetuned ? "-finetuned" : "", subject->oracle ? "-oracle" : "", (long long)seed);
    if (strlen(text) >= COMPARE_TEXT) return fail_with("the name of run %s is too long", text);
    snprintf(to, COMPARE_TEXT, "%s", text);
    return 0;
}

static int add_run(compare_plan *plan, const compare_subject *subject, int64_t seed, int *index);

/* The labels of the first half of the classes, or of the second. */
static void half_of_labels(char to[48], const compare_plan *plan, int second) {
    const long long half = (long long)plan->classes / 2;
    snprintf(to, 48, "%lld-%lld", second ? half : 0, (second ? (long long)plan->classes : half) - 1);
}

/* The dense model beside this run or before it. */
static int add_dense(compare_plan *plan, const compare_subject *subject, int64_t seed, int *index) {
    compare_subject dense = {.method = "dense"};
    snprintf(dense.labels, sizeof dense.labels, "%s", subject->labels);
    return add_run(plan, &dense, seed, index);
}

/* What must be there before: *teacher and *init are runs or -1. */
static int add_needs(compare_plan *plan, const compare_subject *subject, int64_t seed, int *teacher, int *init) {
    int result = 0;
    compare_subject before = *subject;
    before.finetuned = before.oracle = 0;
    if (subject->finetuned && !plan->arguments->finetune_data) half_of_labels(before.labels, plan, 0);
    if (subject->guided && !plan->arguments->teacher) TRY(add_dense(plan, &before, seed, teacher));
    if (subject->finetuned || subject->oracle) {
        TRY(add_run(plan, &before, seed, init));
    } else if (subject->upcycled) {
        TRY(add_dense(plan, &before, seed, init));
    }
    if (*teacher >= 0) plan->runs[*teacher].model_needed = 1;
    if (*init >= 0) plan->runs[*init].model_needed = 1;
done:
    return result;
}

static int add_run(compare_plan *plan, const compare_subject *subject, int64_t seed, int *index) {
    int result = 0;
    compare_run run = {.subject = *subject, .seed = seed, .teacher = -1, .init = -1};
    if (subject->finetuned && !plan->arguments->finetune_data) half_of_labels(run.subject.labels, plan, 1);
    TRY(run_name(run.name, &run.subject, seed));
    for (*index = 0; *index < plan->run_count; ++*index) {
        if (strcmp(plan->runs[*index].name, run.name) == 0) goto done;
    }
    TRY(add_needs(plan, subject, seed, &run.teacher, &run.init));
    compare_run *runs = realloc(plan->runs, (size_t)(plan->run_count + 1) * sizeof *runs);
    if (!runs) TRY(fail_with("no memory for %d runs", plan->run_count + 1));
    plan->runs = runs;
    plan->runs[plan->run_count] = run;
    *index = plan->run_count++;
done:
    return result;
}

int compare_plan_add(compare_plan *plan, const char *section, const char *label, const compare_subject *subject,
                     int64_t experts) {
    int result = 0;
    const size_t cells = (size_t)plan->row_count * (size_t)plan->seeds;
    compare_row row = {.section = section, .experts = experts, .first_run = (int)cells};
    snprintf(row.label, sizeof row.label, "%s", label);
    compare_subject_name(row.method, sizeof row.method, subject);
    int *row_runs = realloc(plan->row_runs, (cells + (size_t)plan->seeds) * sizeof *row_runs);
    if (row_runs) plan->row_runs = row_runs;
    compare_row *rows = realloc(plan->rows, (size_t)(plan->row_count + 1) * sizeof *rows);
    if (rows) plan->rows = rows;
    if (!row_runs || !rows) TRY(fail_with("no memory for %d rows", plan->row_count + 1));
    for (int64_t i = 0; i < plan->seeds; i++) {
        TRY(add_run(plan, subject, plan->first_seed + i, &plan->row_runs[cells + (size_t)i]));
    }
    plan->rows[plan->row_count++] = row;
done:
    return result;
}

static int add_methods(compare_plan *plan, const char *names) {
    int result = 0;
    for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',') {
        compare_subject subject;
        char label[COMPARE_TEXT];
        TRY(compare_subject_read(&subject, at, strcspn(at, ",")));
        compare_subject_name(label, sizeof label, &subject);
        TRY(compare_plan_add(plan, compare_methods, label, &subject, 0));
    }
done:
    return result;
}

/* One row for each number of experts and sparse method. Where it is the usual number, that is the method's own run. */
static int add_sweep(compare_plan *plan, const char *names, const char *sweep) {
    int result = 0;
    if (strncmp(sweep, "experts=", 8) != 0) TRY(fail_usage("--sweep is '%s'; experts=N,N,... is needed", sweep));
    for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',') {
        compare_subject subject;
        TRY(compare_subject_read(&subject, at, strcspn(at, ",")));
        if (strcmp(subject.method, "dense") == 0) continue;
        for (const char *number = sweep + 8; *number;) {
            char *end = NULL, label[COMPARE_TEXT], value[32];
            const long long experts = strtoll(number, &end, 10);
            if (end == number || experts < 1 || (*end != '\0' && (*end != ',' || end[1] == '\0'))) {
                TRY(fail_usage("--sweep is '%s'; numbers from 1 on are needed, with commas between", sweep));
            }
            compare_subject one = subject;
            snprintf(value, sizeof value, "%lld", experts);
            if (experts != plan->experts) TRY(compare_subject_set(&one, "experts", value));
            compare_subject_name(label, sizeof label, &subject);
            TRY(compare_plan_add(plan, compare_sweep, label, &one, experts));
            number = *end == ',' ? end + 1 : end;
        }
    }
done:
    return result;
}

/* The sizes that a run will have, and the user's options checked before anything is trained. */
static int read_sizes(compare_plan *plan) {
    int result = 0;
    const tool_arguments *arguments = plan->arguments;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    dataset data = {0};
    TRY(session_load_data(&data, arguments, 1, NULL));
    plan->classes = data.classes;
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_config_create(&config, context));
    LIBRARY(tgr_config_set(config, "preset", "fashion"));
    for (int i = 0; i < arguments->setting_count; i++) {
        LIBRARY(tgr_config_set(config, arguments->settings[i].key, arguments->settings[i].value));
    }
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_EXPERTS, &plan->experts));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_DEPTH, &plan->depth));
done:
    tgr_config_free(config);
    tgr_context_free(context);
    dataset_free(&data);
    return result;
}

int compare_plan_make(compare_plan *plan, const tool_arguments *arguments) {
    int result = 0;
    const char *methods = arguments->methods ? arguments->methods : "dense,vmoe,tgr";
    *plan = (compare_plan){.arguments = arguments,
                           .seeds = arguments->seeds == UNSET ? DEFAULT_SEEDS : arguments->seeds,
                           .first_seed = arguments->seed == UNSET ? DEFAULT_FIRST_SEED : arguments->seed};
    if (plan->seeds > 1000) TRY(fail_usage("--seeds is %lld; at most 1000 are allowed", (long long)plan->seeds));
    TRY(read_sizes(plan));
    TRY(add_methods(plan, methods));
    const char *sweep_methods = arguments->sweep_methods ? arguments->sweep_methods : methods;
    if (arguments->sweep) TRY(add_sweep(plan, sweep_methods, arguments->sweep));
    for (const char *at = arguments->ablation; at && *at; at += strcspn(at, ","), at += *at == ',') {
        TRY(compare_add_ablation(plan, at, strcspn(at, ",")));
    }
done:
    return result;
}

void compare_plan_free(compare_plan *plan) {
    free(plan->runs);
    free(plan->rows);
    free(plan->row_runs);
    *plan = (compare_plan){0};
}
