/* SPDX-License-Identifier: MIT */
/* The command line tool of libtgrmoe. It uses the public headers only. */
#include <stdio.h>
#include <string.h>
#include <tgrmoe/common.h>

#include "arguments.h"
#include "commands/classify.h"
#include "commands/compare.h"
#include "commands/eval.h"
#include "commands/export.h"
#include "commands/finetune.h"
#include "commands/import.h"
#include "commands/info.h"
#include "commands/options.h"
#include "commands/report.h"
#include "commands/train.h"
#include "failure.h"
#include "nearest.h"

typedef struct tool_entry {
    const char *name;
    tool_command command;
    int (*run)(const tool_arguments *arguments);
    const char *usage, *help;
} tool_entry;

#define TOOL_ENTRY(NAME, name, usage, help) {#name, COMMAND_##NAME, command_##name, usage, help},
static const tool_entry entries[COMMANDS] = {TOOL_COMMAND_MAP(TOOL_ENTRY)};

static void write_overview(FILE *to) {
    fprintf(to, "tgrmoe %s: sparse vision transformers, trained on this machine.\n\n", tgr_version());
    for (int i = 0; i < COMMANDS; i++) {
        fprintf(to, "  tgrmoe %-8s %s\n                  %s\n", entries[i].name, entries[i].usage, entries[i].help);
    }
    fprintf(to, "\nSee also tgrmoe COMMAND --help.\n");
}

static int write_help(const tool_entry *entry) {
    printf("tgrmoe %s %s\n%s\n\n", entry->name, entry->usage, entry->help);
    arguments_help(stdout, entry->command);
    if (entry->command != COMMAND_TRAIN && entry->command != COMMAND_FINETUNE) return 0;
    printf("\nOptions of --set (preset and method replace some defaults):\n");
    return list_options(stdout);
}

static int fail_command(const char *name) {
    nearest_name nearest = {.text = name, .length = strlen(name)};
    char hint[NEAREST_TEXT];
    for (int i = 0; i < COMMANDS; i++) nearest_offer(&nearest, entries[i].name);
    return fail_usage("there is no command '%s'%s", name, nearest_hint(&nearest, "", hint));
}

static int run(int argc, char **argv) {
    int result = 0;
    tool_arguments arguments;
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[0], entries[i].name) != 0) continue;
        TRY(arguments_parse(&arguments, entries[i].command, argc, argv));
        TRY(arguments.help ? write_help(&entries[i]) : entries[i].run(&arguments));
        goto done;
    }
    TRY(fail_command(argv[0]));
done:
    return result;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        write_overview(stderr);
        return USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        write_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("tgrmoe %s\n", tgr_version());
        return 0;
    }
    int result = run(argc - 1, argv + 1);
    if (fflush(stdout) != 0 && result == 0) result = fail_with("cannot write to standard output");
    if (result != 0) fprintf(stderr, "tgrmoe: %s\n", failure_message());
    if (result == USAGE) fprintf(stderr, "tgrmoe --help shows the commands, tgrmoe COMMAND --help their flags.\n");
    return result;
}
