/* SPDX-License-Identifier: MIT */
/* The command line as values. */
#ifndef TOOL_ARGUMENTS_H
#define TOOL_ARGUMENTS_H

#include <stdint.h>
#include <stdio.h>

#include "flags.h"

enum { SETTINGS_MAX = 128, UNSET = -1 };

/* An option of the library and its value as text. */
typedef struct tool_setting {
    char key[64];
    const char *value;
} tool_setting;

#define TOOL_MEMBER_TEXT(member)   const char *member;
#define TOOL_MEMBER_NUMBER(member) int64_t member;
#define TOOL_MEMBER_SWITCH(member) int member;
#define TOOL_MEMBER_OPTION(member)
#define TOOL_MEMBER_SET(member)
#define TOOL_MEMBER(kind, member, ...) TOOL_MEMBER_##kind(member)

/* Texts that were not given are NULL, numbers UNSET, switches 0. */
typedef struct tool_arguments {
    TOOL_FLAG_MAP(TOOL_MEMBER)
    tool_setting settings[SETTINGS_MAX]; /* in the order of the command line */
    int setting_count;
    char **files; /* arguments that are not flags */
    int file_count;
} tool_arguments;

/* Parses argv[1 …] of one command; argv[0] is its name. */
int arguments_parse(tool_arguments *out, tool_command command, int argc, char **argv);
/* Sets an option of the library by name. `value` must outlive `to`. */
int arguments_set(tool_arguments *to, const char *key, const char *value);
/* The value that the option was last set to, or NULL. */
const char *arguments_setting(const tool_arguments *arguments, const char *key);
/* The value of the text flag of that name, or NULL. */
const char *arguments_text(const tool_arguments *arguments, const char *flag);
/* Copies another command's arguments, as far as `command` has flags for them; settings and files too. */
void arguments_take(tool_arguments *out, tool_command command, const tool_arguments *from);
/* Writes " --flag value" for each flag and setting that determines the outcome of a training run. */
void arguments_write(FILE *to, const tool_arguments *arguments);
/* How many threads compute; 0: as many as there are processors. */
int arguments_threads(const tool_arguments *arguments);
/* How many threads read images ahead. */
int arguments_readers(const tool_arguments *arguments);
/* Writes the flags of one command, one per line. */
void arguments_help(FILE *to, tool_command command);
/* Parses a range of labels, such as "0-4". */
int arguments_labels(const char *text, int64_t *first, int64_t *last);
/* Parses "0.5" or "0.1,0.2,0.3" into `numbers` [channels]; a single number is used for every channel. */
int arguments_numbers(const char *flag, const char *text, int64_t channels, double *numbers);

#endif
