/* SPDX-License-Identifier: MIT */
/* Skips what is done, estimates how long later runs will take, and resumes what was interrupted. */
#include "commands/compare_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/compare_command.h"
#include "commands/eval.h"
#include "commands/train.h"
#include "failure.h"
#include "models/run_state.h"
#include "report/run_record.h"

static int is_there(const char *path) {
    return access(path, F_OK) == 0;
}

/* Whether the run is done and, if its model is needed, the model exists. */
static int is_done(const compare_plan *plan, int index) {
    char json[COMPARE_PATH], model[COMPARE_PATH];
    run_record record = {0};
    compare_path(json, &plan->compared, index, "json");
    compare_path(model, &plan->compared, index, "tgr");
    const int ended = is_there(json) && run_record_read(&record, json) == 0 && record.ended;
    run_record_free(&record);
    return ended && (!plan->runs[index].model_needed || is_there(model));
}

/* How many seconds the run took according to its record, or -1. */
static double seconds_of(const compare_plan *plan, int index) {
    char path[COMPARE_PATH];
    run_record record = {0};
    double seconds = -1;
    compare_path(path, &plan->compared, index, "json");
    if (is_there(path) && run_record_read(&record, path) == 0 && record.ended) {
        seconds = mean_of(record.series[RECORD_SECONDS], record.epochs) * (double)record.epochs;
    }
    run_record_free(&record);
    return seconds;
}

/* How long the runs after `index` will take, estimated from finished runs of the same method. */
static later_trainings plan_ahead(const compare_plan *plan, int index) {
    later_trainings ahead = {0};
    for (int i = index + 1; i < plan->compared.run_count; i++) {
        const compare_run *later = &plan->runs[i];
        double sum = 0;
        int known = 0;
        if (later->subject.oracle || is_done(plan, i)) continue;
        for (int k = 0; k < plan->compared.run_count; k++) {
            if (strcmp(plan->runs[k].subject.method, later->subject.method) != 0) continue;
            const double seconds = seconds_of(plan, k);
            if (!(seconds >= 0)) continue;
            sum += seconds;
            known++;
        }
        ahead.seconds += known > 0 ? sum / known : 0;
        ahead.unknown += known == 0;
    }
    return ahead;
}

static int train(const compare_plan *plan, int index, const tool_arguments *given) {
    int result = 0;
    tool_arguments arguments = *given;
    const compare_run *run = &plan->runs[index];
    const later_trainings later = plan_ahead(plan, index);
    run_state begun;
    if (is_there(arguments.save) && run_state_read(&begun, arguments.save) == 0) {
        arguments.resume = arguments.save;
        arguments.init = NULL;
    }
    TRY(train_among(&arguments, &later));
    if (!run->model_needed) remove(arguments.save);
done:
    return result;
}

static int evaluate_oracle(tool_arguments *arguments) {
    tool_arguments eval = *arguments;
    eval.model = arguments->init;
    eval.oracle = arguments->teacher;
    eval.limit = UNSET; /* in training it limits training images */
    eval.save = eval.init = eval.teacher = NULL;
    eval.class_order = NULL; /* the file says it, and all options of its model */
    eval.setting_count = 0;
    return command_eval(&eval);
}

int compare_run_execute(const compare_plan *plan, int index) {
    int result = 0;
    const compare_run *run = &plan->runs[index];
    run_paths paths;
    tool_arguments arguments;
    TRY(compare_command(&arguments, &paths, plan, index));
    TRY(compare_command_keep(plan, index, &arguments));
    if (is_done(plan, index)) goto done;
    printf("run %d of %d: %s\n", index + 1, plan->compared.run_count, plan->compared.run_names[index]);
    fflush(stdout);
    TRY(run->subject.oracle ? evaluate_oracle(&arguments) : train(plan, index, &arguments));
done:
    return result;
}
