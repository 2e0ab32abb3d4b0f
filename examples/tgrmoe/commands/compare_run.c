/* SPDX-License-Identifier: MIT */
/* One run of a comparison: its command line, whether it is done, and doing it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/compare.h"
#include "failure.h"
#include "run/run.h"

/* The texts that a command line points to. */
typedef struct run_paths {
    char model[COMPARE_PATH], json[COMPARE_PATH], teacher[COMPARE_PATH], init[COMPARE_PATH];
} run_paths;

void compare_path(char path[COMPARE_PATH], const compare_plan *plan, const compare_run *run, const char *ending) {
    snprintf(path, COMPARE_PATH, "%s/runs/%s.%s", plan->arguments->out, run->name, ending);
}

static int is_there(const char *path) {
    return access(path, F_OK) == 0;
}

int compare_run_done(const compare_plan *plan, const compare_run *run) {
    char json[COMPARE_PATH], model[COMPARE_PATH];
    run_record record = {0};
    compare_path(json, plan, run, "json");
    compare_path(model, plan, run, "tgr");
    const int ended = is_there(json) && run_record_read(&record, json) == 0 && record.ended;
    run_record_free(&record);
    return ended && (!run->model_needed || is_there(model));
}

/* The command line of a run that starts afresh. */
static int run_arguments(tool_arguments *out, run_paths *paths, const compare_plan *plan, const compare_run *run) {
    int result = 0;
    const compare_subject *subject = &run->subject;
    const tool_arguments *from = plan->arguments;
    *out = *from;
    out->methods = out->sweep = out->sweep_methods = out->ablation = out->out = out->finetune_data = out->teacher =
        NULL;
    out->seeds = UNSET;
    out->setting_count = 0;
    out->seed = run->seed;
    compare_path(paths->model, plan, run, "tgr");
    compare_path(paths->json, plan, run, "json");
    out->save = paths->model;
    out->json = paths->json;
    if (*subject->labels) out->labels = subject->labels;
    if (subject->finetuned && from->finetune_data) out->data = from->finetune_data;
    if (subject->guided) out->teacher = from->teacher;
    if (run->teacher >= 0) {
        compare_path(paths->teacher, plan, &plan->runs[run->teacher], "tgr");
        out->teacher = paths->teacher;
    }
    if (run->init >= 0) {
        compare_path(paths->init, plan, &plan->runs[run->init], "tgr");
        out->init = paths->init;
    }
    TRY(arguments_set(out, "method", subject->method));
    if (subject->upcycled && !subject->finetuned) TRY(arguments_set(out, "upcycle", "1"));
    for (int i = 0; i < from->setting_count; i++) {
        if (!option_applies(from->settings[i].key, subject->method)) continue;
        TRY(arguments_set(out, from->settings[i].key, from->settings[i].value));
    }
    for (int i = 0; i < subject->option_count; i++) {
        TRY(arguments_set(out, subject->options[i].key, subject->options[i].value));
    }
done:
    return result;
}

static void write_flag(FILE *to, const char *flag, const char *value) {
    if (value) fprintf(to, " --%s %s", flag, value);
}

static void write_number(FILE *to, const char *flag, int64_t value) {
    if (value != UNSET) fprintf(to, " --%s %lld", flag, (long long)value);
}

/* What decides the outcome, as a command line: threads do not. */
static char *command_line(const tool_arguments *arguments) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to) return NULL;
    fputs("tgrmoe train", to);
    write_flag(to, "data", arguments->data);
    write_flag(to, "dataset", arguments->dataset);
    write_flag(to, "labels", arguments->labels);
    write_number(to, "limit", arguments->limit);
    write_number(to, "epochs", arguments->epochs);
    write_number(to, "batch", arguments->batch);
    write_number(to, "seed", arguments->seed);
    write_number(to, "probe", arguments->probe);
    write_flag(to, "mean", arguments->mean);
    write_flag(to, "std", arguments->deviation);
    write_flag(to, "crop", arguments->crop);
    write_flag(to, "interpolation", arguments->interpolation);
    write_flag(to, "held-out", arguments->held_out);
    if (arguments->skip_damaged) fputs(" --skip-damaged", to);
    if (arguments->no_shuffle) fputs(" --no-shuffle", to);
    write_flag(to, "augment", arguments->augment);
    write_flag(to, "randaugment", arguments->randaugment);
    write_flag(to, "color-jitter", arguments->jitter);
    write_flag(to, "erase", arguments->erase);
    write_flag(to, "mixup", arguments->mixup);
    write_flag(to, "cutmix", arguments->cutmix);
    write_flag(to, "teacher", arguments->teacher);
    write_flag(to, "init", arguments->init);
    for (int i = 0; i < arguments->setting_count; i++) {
        fprintf(to, " --set %s=%s", arguments->settings[i].key, arguments->settings[i].value);
    }
    fputc('\n', to);
    return fclose(to) == 0 ? text : NULL;
}

/* Keeps the command line beside the run; a run that was begun with another one must not go on. */
static int keep_command(const compare_plan *plan, const compare_run *run, const tool_arguments *arguments) {
    int result = 0;
    char path[COMPARE_PATH], *before = NULL;
    size_t room = 0;
    char *text = command_line(arguments);
    compare_path(path, plan, run, "command");
    FILE *file = fopen(path, "r");
    if (!text) TRY(fail_with("no memory for a command line"));
    if (file && getline(&before, &room, file) > 0) {
        if (strcmp(before, text) != 0) {
            TRY(
                fail_with("--out %s holds this run with other settings; choose another folder or delete it. Then: %s"
                          "now: %s",
                          plan->arguments->out, before, text));
        }
        goto done;
    }
    if (file) fclose(file);
    file = fopen(path, "w");
    if (!file || fputs(text, file) < 0) TRY(fail_with("%s: %s", path, strerror(errno)));
done:
    if (file) fclose(file);
    free(text);
    free(before);
    return result;
}

/* Seconds that the run took by its record, or -1. */
static double seconds_of(const compare_plan *plan, const compare_run *run) {
    char path[COMPARE_PATH];
    run_record record = {0};
    double seconds = -1;
    compare_path(path, plan, run, "json");
    if (is_there(path) && run_record_read(&record, path) == 0 && record.ended) {
        seconds = mean_of(record.series[RECORD_SECONDS], record.epochs) * (double)record.epochs;
    }
    run_record_free(&record);
    return seconds;
}

/* What the runs after `index` will take, by those of the same method that are done. */
static tool_plan plan_ahead(const compare_plan *plan, int index) {
    tool_plan ahead = {0};
    for (int i = index + 1; i < plan->run_count; i++) {
        const compare_run *later = &plan->runs[i];
        double sum = 0;
        int known = 0;
        if (later->subject.oracle || compare_run_done(plan, later)) continue;
        for (int k = 0; k < plan->run_count; k++) {
            if (strcmp(plan->runs[k].subject.method, later->subject.method) != 0) continue;
            const double seconds = seconds_of(plan, &plan->runs[k]);
            if (!(seconds >= 0)) continue;
            sum += seconds;
            known++;
        }
        ahead.later_seconds += known > 0 ? sum / known : 0;
        ahead.later_unknown += known == 0;
    }
    return ahead;
}

static int train(const compare_plan *plan, int index, const tool_arguments *given) {
    int result = 0;
    tool_arguments arguments = *given;
    const compare_run *run = &plan->runs[index];
    const tool_plan ahead = plan_ahead(plan, index);
    run_state begun;
    arguments.plan = &ahead;
    if (is_there(arguments.save) && state_peek(&begun, arguments.save) == 0) {
        arguments.resume = arguments.save;
        arguments.init = NULL;
    }
    TRY(command_train(&arguments));
    if (!run->model_needed) remove(arguments.save);
done:
    return result;
}

static int evaluate_oracle(tool_arguments *arguments) {
    tool_arguments eval = *arguments;
    eval.model = arguments->init;
    eval.oracle = arguments->teacher;
    eval.limit = UNSET; /* in training it counts training images */
    eval.save = eval.init = eval.teacher = NULL;
    return command_eval(&eval);
}

int compare_run_execute(const compare_plan *plan, int index) {
    int result = 0;
    const compare_run *run = &plan->runs[index];
    run_paths paths;
    tool_arguments arguments;
    TRY(run_arguments(&arguments, &paths, plan, run));
    TRY(keep_command(plan, run, &arguments));
    if (compare_run_done(plan, run)) goto done;
    printf("run %d of %d: %s\n", index + 1, plan->run_count, run->name);
    fflush(stdout);
    TRY(run->subject.oracle ? evaluate_oracle(&arguments) : train(plan, index, &arguments));
done:
    return result;
}
