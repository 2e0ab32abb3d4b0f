/* SPDX-License-Identifier: MIT */
/* A run must not be continued with a different command line. */
#include "commands/compare_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tgrmoe/options.h>

#include "failure.h"

/* The method, those of the user's settings that it uses, and the row's own settings. */
static int add_settings(tool_arguments *out, const tool_arguments *given, const compare_subject *subject) {
    int result = 0;
    out->setting_count = 0;
    TRY(arguments_set(out, "method", subject->method));
    if (subject->upcycled && !subject->finetuned) TRY(arguments_set(out, "upcycle", "1"));
    for (int i = 0; i < given->setting_count; i++) {
        const tgr_option option = tgr_option_find(given->settings[i].key); /* train reports what is wrong with a key */
        if (option && !tgr_method_uses_option(tgr_method_find(subject->method), option)) continue;
        TRY(arguments_set(out, given->settings[i].key, given->settings[i].value));
    }
    for (int i = 0; i < subject->option_count; i++) {
        TRY(arguments_set(out, subject->options[i].key, subject->options[i].value));
    }
done:
    return result;
}

int compare_command(tool_arguments *out, run_paths *paths, const compare_plan *plan, int index) {
    const comparison *compared = &plan->compared;
    const compare_run *run = &plan->runs[index];
    const compare_subject *subject = &run->subject;
    const tool_arguments *from = plan->arguments;
    arguments_take(out, COMMAND_TRAIN, from);
    out->teacher = NULL;
    out->seed = run->seed;
    compare_path(paths->model, compared, index, "tgr");
    compare_path(paths->json, compared, index, "json");
    out->save = paths->model;
    out->json = paths->json;
    if (*subject->labels) out->labels = subject->labels;
    if (subject->finetuned && from->finetune_data) out->data = from->finetune_data;
    if (subject->guided) out->teacher = from->teacher;
    if (run->teacher >= 0) {
        compare_path(paths->teacher, compared, run->teacher, "tgr");
        out->teacher = paths->teacher;
    }
    if (run->init >= 0) {
        compare_path(paths->init, compared, run->init, "tgr");
        out->init = paths->init;
    }
    return add_settings(out, from, subject);
}

/* What determines the outcome, as a command line. */
static char *command_line(const tool_arguments *arguments) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to) return NULL;
    fputs("tgrmoe train", to);
    arguments_write(to, arguments);
    fputc('\n', to);
    return fclose(to) == 0 ? text : NULL;
}

int compare_command_keep(const compare_plan *plan, int index, const tool_arguments *arguments) {
    int result = 0;
    char path[COMPARE_PATH], *before = NULL;
    size_t room = 0;
    char *text = command_line(arguments);
    compare_path(path, &plan->compared, index, "command");
    FILE *file = fopen(path, "r");
    if (!text) TRY(fail_with("no memory for a command line"));
    if (file && getline(&before, &room, file) > 0) {
        if (strcmp(before, text) != 0) {
            TRY(fail_with(
                "--out %s already has this run with other settings; choose another folder or delete it. Then: %s"
                "now: %s",
                plan->compared.out, before, text));
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
