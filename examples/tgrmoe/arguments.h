/* SPDX-License-Identifier: MIT */
/* The command line as values. */
#ifndef TOOL_ARGUMENTS_H
#define TOOL_ARGUMENTS_H

#include <stdint.h>
#include <stdio.h>

typedef enum tool_command {
    COMMAND_TRAIN = 1,
    COMMAND_EVAL = 2,
    COMMAND_INFO = 4,
    COMMAND_OPTIONS = 8,
    COMMAND_REPORT = 16,
    COMMAND_COMPARE = 32,
    COMMAND_IMPORT = 64,
    COMMAND_EXPORT = 128,
    COMMAND_CLASSIFY = 256,
    COMMAND_FINETUNE = 512
} tool_command;

enum { SETTINGS_MAX = 128, UNSET = -1 };

/* An option of the library and its value as text. */
typedef struct tool_setting {
    char key[64];
    const char *value;
} tool_setting;

/* One training among others, for what is shown of the time left. */
typedef struct tool_plan {
    double later_seconds;  /* that trainings after this one will take */
    int64_t later_unknown; /* and how many more there are of which nothing is known */
} tool_plan;

/* Texts that were not given are NULL, numbers UNSET, switches 0. */
typedef struct tool_arguments {
    const char *data, *dataset, *teacher, *init, *save, *resume, *json, *model, *logits, *routing, *oracle, *svg;
    const char *mean, *deviation, *crop, *interpolation, *timm, *held_out, *labels, *methods, *sweep, *sweep_methods,
        *ablation, *out, *finetune_data;
    const char *augment, *randaugment, *jitter, *erase, *mixup, *cutmix;
    int64_t epochs, steps, limit, batch, seed, seeds, threads, readers, save_every, probe;
    int no_shuffle, skip_damaged, init_optimizer, markdown, bf16, help;
    tool_setting settings[SETTINGS_MAX]; /* in the order of the command line */
    int setting_count;
    char **files; /* what is no flag */
    int file_count;
    const tool_plan *plan; /* NULL, or what train is part of: then it saves after each epoch too */
} tool_arguments;

/* Reads argv[1 …] of one command; argv[0] is its name. */
int arguments_parse(tool_arguments *out, tool_command command, int argc, char **argv);
/* Sets an option of the library, by name. `value` is lent. */
int arguments_set(tool_arguments *to, const char *key, const char *value);
/* The option's value that was set last, or NULL. */
const char *arguments_setting(const tool_arguments *arguments, const char *key);
/* How many threads read images ahead. */
int arguments_readers(const tool_arguments *arguments);
/* Writes the flags of one command, a line each. */
void arguments_help(FILE *to, tool_command command);
/* Reads "0-4" as the first and the last of some labels. */
int arguments_labels(const char *text, int64_t *first, int64_t *last);
/* Reads "0.5" or "0.1,0.2,0.3" into `numbers` [channels]; one number stands for all. */
int arguments_numbers(const char *flag, const char *text, int64_t channels, double *numbers);

#endif
