/* SPDX-License-Identifier: MIT */
/* The command line tool of libtgrmoe, written against its public headers alone. */
#include <stdio.h>
#include <string.h>
#include <tgrmoe/common.h>

#include "commands/commands.h"
#include "failure.h"

typedef struct tool_entry {
    const char *name;
    tool_command command;
    int (*run)(const tool_arguments *arguments);
    const char *usage, *help;
} tool_entry;

static const tool_entry entries[] = {
    {"train", COMMAND_TRAIN, command_train, "--data DIR --method NAME (--epochs N | --steps N) [FLAG]...",
     "train a model on images"},
    {"finetune", COMMAND_FINETUNE, command_finetune, "MODEL --data DIR --save FILE [FLAG]...",
     "go on from a pretrained model with other images: a dense one becomes a sparse student that it guides"},
    {"eval", COMMAND_EVAL, command_eval, "--data DIR --model FILE [FLAG]...", "evaluate a saved model"},
    {"classify", COMMAND_CLASSIFY, command_classify, "MODEL IMAGE... [FLAG]...", "say what is on photographs"},
    {"info", COMMAND_INFO, command_info, "FILE", "show what a saved file holds"},
    {"import", COMMAND_IMPORT, command_import, "IN.safetensors OUT [FLAG]...",
     "make a checkpoint of a vision transformer with timm's names, or of a student that export wrote"},
    {"export", COMMAND_EXPORT, command_export, "MODEL OUT.safetensors [FLAG]...",
     "write a saved model for Python: a dense one as timm loads it"},
    {"options", COMMAND_OPTIONS, command_options, "[--markdown]", "list the options of --set"},
    {"compare", COMMAND_COMPARE, command_compare, "--data DIR --epochs N --out DIR [--methods A,B,...] [FLAG]...",
     "train methods with several seeds and write a report"},
    {"report", COMMAND_REPORT, command_report, "RUN.json... [--svg FILE]", "compare runs that train --json recorded"},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void write_overview(FILE *to) {
    fprintf(to, "tgrmoe %s: sparse vision transformers, trained on this machine.\n\n", tgr_version());
    for (int i = 0; i < ENTRIES; i++) {
        fprintf(to, "  tgrmoe %-8s %s\n                  %s\n", entries[i].name, entries[i].usage, entries[i].help);
    }
    fprintf(to, "\ntgrmoe COMMAND --help tells more.\n");
}

static int write_help(const tool_entry *entry) {
    printf("tgrmoe %s %s\n%s\n\n", entry->name, entry->usage, entry->help);
    arguments_help(stdout, entry->command);
    if (entry->command != COMMAND_TRAIN && entry->command != COMMAND_FINETUNE) return 0;
    printf("\nOptions of --set (preset and method replace some defaults):\n");
    return list_options(stdout);
}

static int run(int argc, char **argv) {
    int result = 0;
    tool_arguments arguments;
    for (int i = 0; i < ENTRIES; i++) {
        if (strcmp(argv[0], entries[i].name) != 0) continue;
        TRY(arguments_parse(&arguments, entries[i].command, argc, argv));
        TRY(arguments.help ? write_help(&entries[i]) : entries[i].run(&arguments));
        goto done;
    }
    TRY(fail_usage("there is no command '%s'", argv[0]));
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
