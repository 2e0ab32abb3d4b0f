/* SPDX-License-Identifier: MIT */
/* Methods, then a sweep, then ablations. */
#include "commands/compare_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tgrmoe/tgrmoe.h>

#include "commands/compare_ablation.h"
#include "commands/compare_subject.h"
#include "data/dataset.h"
#include "failure.h"
#include "run/images.h"

enum { DEFAULT_SEEDS = 3, DEFAULT_FIRST_SEED = 1 };

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

/* A row for each sparse method and number of experts. With the usual number, that is the method's own run. */
static int add_sweep(compare_plan *plan, const char *names, const char *sweep) {
    int result = 0;
    if (strncmp(sweep, "experts=", 8) != 0) TRY(fail_usage("--sweep is '%s'; it must be experts=N,N,...", sweep));
    for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',') {
        compare_subject subject;
        TRY(compare_subject_read(&subject, at, strcspn(at, ",")));
        if (strcmp(subject.method, "dense") == 0) continue;
        for (const char *number = sweep + 8; *number;) {
            char *end = NULL, label[COMPARE_TEXT], value[32];
            const long long experts = strtoll(number, &end, 10);
            if (end == number || experts < 1 || (*end != '\0' && (*end != ',' || end[1] == '\0'))) {
                TRY(fail_usage("--sweep is '%s'; the numbers must be at least 1, separated by commas", sweep));
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

/* The sizes of the runs. Also checks the user's options before anything is trained. */
static int read_sizes(compare_plan *plan) {
    int result = 0;
    const tool_arguments *arguments = plan->arguments;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    dataset data = {0};
    TRY(dataset_from_flags(&data, arguments, 1, NULL));
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
    const int64_t seeds = arguments->seeds == UNSET ? DEFAULT_SEEDS : arguments->seeds;
    *plan = (compare_plan){.arguments = arguments,
                           .compared = {.data = arguments->data,
                                        .out = arguments->out,
                                        .limit = arguments->limit == UNSET ? 0 : arguments->limit,
                                        .epochs = arguments->epochs,
                                        .seeds = seeds,
                                        .first_seed = arguments->seed == UNSET ? DEFAULT_FIRST_SEED : arguments->seed}};
    if (seeds > 1000) TRY(fail_usage("--seeds is %lld; it must be at most 1000", (long long)seeds));
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
