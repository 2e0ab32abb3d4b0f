/* SPDX-License-Identifier: MIT */
/* A comparison: rows of a report, each the mean over seeds, and the trainings that they need, in an order in which
 * teachers and starting points come before those that use them. */
#ifndef TOOL_COMMANDS_COMPARE_H
#define TOOL_COMMANDS_COMPARE_H

#include "arguments.h"
#include "report/run_record.h"

enum { COMPARE_OPTIONS_MAX = 4, COMPARE_TEXT = 96, COMPARE_PATH = 4096 };

/* What is trained, but for the seed. */
typedef struct compare_subject {
    char method[32];
    int guided, upcycled; /* a dense model is teacher, or gives the first weights */
    int finetuned;        /* goes on with other data from where the same without this came */
    int oracle;           /* no training: the same without this, routed by its teacher in evaluation */
    char labels[48];      /* "" for all */
    struct {
        char key[64], value[64];
    } options[COMPARE_OPTIONS_MAX];
    int option_count;
} compare_subject;

typedef struct compare_run {
    compare_subject subject;
    int64_t seed;
    char name[COMPARE_TEXT]; /* of its files */
    int teacher, init;       /* the run whose model is that, or -1 */
    int model_needed;        /* by another run */
} compare_run;

typedef struct compare_row {
    const char *section; /* of the report */
    char label[COMPARE_TEXT];
    char method[48]; /* as the user calls it */
    int64_t experts; /* in a sweep, else 0 */
    int first_run;   /* into plan->row_runs, one for each seed */
} compare_row;

typedef struct compare_plan {
    const tool_arguments *arguments;
    int64_t seeds, first_seed;
    int64_t classes, experts, depth; /* of the data; of the models, as they are without a sweep */
    compare_run *runs;
    int run_count;
    compare_row *rows;
    int row_count;
    int *row_runs; /* [row_count, seeds], indices into runs */
} compare_plan;

/* compare_plan.c: from --methods, --sweep and --ablation. Free it in either case. */
int compare_plan_make(compare_plan *plan, const tool_arguments *arguments);
void compare_plan_free(compare_plan *plan);
/* Appends a row, and the runs that it needs unless they are there. */
int compare_plan_add(compare_plan *plan, const char *section, const char *label, const compare_subject *subject,
                     int64_t experts);
/* Reads "tgr" or "default+guided". */
int compare_subject_read(compare_subject *out, const char *text, size_t length);
int compare_subject_set(compare_subject *subject, const char *key, const char *value);
/* The subject as the user calls it. */
void compare_subject_name(char *to, size_t size, const compare_subject *subject);

/* compare_ablation.c: the rows of one of the names of --ablation. */
int compare_add_ablation(compare_plan *plan, const char *name, size_t length);

/* compare_run.c: */
/* "--out/runs/NAME.ENDING". */
void compare_path(char path[COMPARE_PATH], const compare_plan *plan, const compare_run *run, const char *ending);
/* Whether the run is done, its model there if it is needed. */
int compare_run_done(const compare_plan *plan, const compare_run *run);
/* Trains or evaluates, from where it stopped if it was begun before. */
int compare_run_execute(const compare_plan *plan, int index);

/* The sections that are no ablation. */
extern const char compare_methods[], compare_sweep[];

#endif
