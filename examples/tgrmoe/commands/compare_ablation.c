/* SPDX-License-Identifier: MIT */
/* A table of all their rows. */
#include "commands/compare_ablation.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"

typedef struct ablation_row {
    const char *name, *label, *method;
    const char *key, *value; /* an option, or NULL; the value "depth" means the number of blocks */
    int oracle, finetuned;
} ablation_row;

static const ablation_row rows[] = {
    {"guidance-window", "whole run", "tgr", NULL, NULL, 0, 0},
    {"guidance-window", "first half", "tgr", "guidance_end", "0.5", 0, 0},
    {"guidance-window", "second half", "tgr", "guidance_start", "0.5", 0, 0},
    {"guidance-window", "none", "tgr", "guidance_end", "0", 0, 0},
    {"teacher-layer", "the same layer", "tgr", NULL, NULL, 0, 0},
    {"teacher-layer", "the last layer", "tgr", "teacher_layers", "depth", 0, 0},
    {"oracle", "student's own router", "tgr", NULL, NULL, 0, 0},
    {"oracle", "teacher router (oracle)", "tgr", NULL, NULL, 1, 0},
    {"distill-only", "task and distillation", "tgr", NULL, NULL, 0, 0},
    {"distill-only", "distillation alone", "tgr", "router_task_gradient", "0", 0, 0},
    {"finetune", "vmoe, fine-tuned", "vmoe", NULL, NULL, 0, 1},
    {"finetune", "tgr, fine-tuned", "tgr", NULL, NULL, 0, 1},
};
enum { ROWS = sizeof rows / sizeof *rows };

int compare_add_ablation(compare_plan *plan, const char *name, size_t length) {
    int result = 0, found = 0;
    for (int i = 0; i < ROWS; i++) {
        const ablation_row *row = &rows[i];
        compare_subject subject;
        char depth[32];
        if (strlen(row->name) != length || strncmp(row->name, name, length) != 0) continue;
        found = 1;
        TRY(compare_subject_read(&subject, row->method, strlen(row->method)));
        subject.oracle = row->oracle;
        subject.finetuned = row->finetuned;
        snprintf(depth, sizeof depth, "%lld", (long long)plan->depth);
        if (row->key) {
            TRY(compare_subject_set(&subject, row->key, strcmp(row->value, "depth") == 0 ? depth : row->value));
        }
        TRY(compare_plan_add(plan, row->name, row->label, &subject, 0));
    }
    if (!found) {
        TRY(
            fail_usage("--ablation: there is no '%.*s'; there are guidance-window, teacher-layer, oracle, "
                       "distill-only, finetune",
                       (int)length, name));
    }
done:
    return result;
}
