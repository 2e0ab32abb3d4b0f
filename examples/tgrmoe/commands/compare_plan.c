/* SPDX-License-Identifier: MIT */
/* A run is named after what it trains, so that rows that need the same run share it. */
#include "commands/compare_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

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

/* The dense model that guides the run or that it starts from. */
static int add_dense(compare_plan *plan, const compare_subject *subject, int64_t seed, int *index) {
    compare_subject dense = {.method = "dense"};
    snprintf(dense.labels, sizeof dense.labels, "%s", subject->labels);
    return add_run(plan, &dense, seed, index);
}

/* The runs that must come first: *teacher and *init are their indices, or -1. */
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

static int append_run(compare_plan *plan, const compare_run *run, const char name[COMPARE_TEXT]) {
    comparison *compared = &plan->compared;
    const size_t count = (size_t)compared->run_count + 1;
    compare_run *runs = realloc(plan->runs, count * sizeof *runs);
    if (runs) plan->runs = runs;
    char(*names)[COMPARE_TEXT] = realloc(compared->run_names, count * sizeof *names);
    if (names) compared->run_names = names;
    if (!runs || !names) return fail_with("no memory for %zu runs", count);
    runs[count - 1] = *run;
    memcpy(names[count - 1], name, COMPARE_TEXT);
    compared->run_count++;
    return 0;
}

static int add_run(compare_plan *plan, const compare_subject *subject, int64_t seed, int *index) {
    int result = 0;
    char name[COMPARE_TEXT] = "";
    compare_run run = {.subject = *subject, .seed = seed, .teacher = -1, .init = -1};
    if (subject->finetuned && !plan->arguments->finetune_data) half_of_labels(run.subject.labels, plan, 1);
    TRY(run_name(name, &run.subject, seed));
    for (*index = 0; *index < plan->compared.run_count; ++*index) {
        if (strcmp(plan->compared.run_names[*index], name) == 0) goto done;
    }
    TRY(add_needs(plan, subject, seed, &run.teacher, &run.init));
    *index = plan->compared.run_count;
    TRY(append_run(plan, &run, name));
done:
    return result;
}

int compare_plan_add(compare_plan *plan, const char *section, const char *label, const compare_subject *subject,
                     int64_t experts) {
    int result = 0;
    comparison *compared = &plan->compared;
    const size_t cells = (size_t)compared->row_count * (size_t)compared->seeds;
    compare_row row = {.section = section, .experts = experts, .first_run = (int)cells};
    snprintf(row.label, sizeof row.label, "%s", label);
    compare_subject_name(row.method, sizeof row.method, subject);
    int *row_runs = realloc(compared->row_runs, (cells + (size_t)compared->seeds) * sizeof *row_runs);
    if (row_runs) compared->row_runs = row_runs;
    compare_row *rows = realloc(compared->rows, (size_t)(compared->row_count + 1) * sizeof *rows);
    if (rows) compared->rows = rows;
    if (!row_runs || !rows) TRY(fail_with("no memory for %d rows", compared->row_count + 1));
    for (int64_t i = 0; i < compared->seeds; i++) {
        TRY(add_run(plan, subject, compared->first_seed + i, &compared->row_runs[cells + (size_t)i]));
    }
    compared->rows[compared->row_count++] = row;
done:
    return result;
}

void compare_plan_free(compare_plan *plan) {
    comparison_free(&plan->compared);
    free(plan->runs);
    *plan = (compare_plan){0};
}
