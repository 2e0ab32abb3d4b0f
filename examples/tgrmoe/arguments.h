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
    char **files; /* what is no flag */
    int file_count;
} tool_arguments;

/* Reads argv[1 …] of one command; argv[0] is its name. */
int arguments_parse(tool_arguments *out, tool_command command, int argc, char **argv);
/* Sets an option of the library, by name. `value` is lent. */
int arguments_set(tool_arguments *to, const char *key, const char *value);
/* The option's value that was set last, or NULL. */
const char *arguments_setting(const tool_arguments *arguments, const char *key);
/* What was given to the text flag of that name. */
const char *arguments_text(const tool_arguments *arguments, const char *flag);
/* Takes from another command's arguments what `command` has a flag for, with settings and files. */
void arguments_take(tool_arguments *out, tool_command command, const tool_arguments *from);
/* Writes " --flag value" for each flag and setting that decides what comes out of a training. */
void arguments_write(FILE *to, const tool_arguments *arguments);
/* How many threads compute; 0: as many as there are processors. */
int arguments_threads(const tool_arguments *arguments);
/* How many threads read images ahead. */
int arguments_readers(const tool_arguments *arguments);
/* Writes the flags of one command, a line each. */
void arguments_help(FILE *to, tool_command command);
/* Reads "0-4" as the first and the last of some labels. */
int arguments_labels(const char *text, int64_t *first, int64_t *last);
/* Reads "0.5" or "0.1,0.2,0.3" into `numbers` [channels]; one number stands for all. */
int arguments_numbers(const char *flag, const char *text, int64_t channels, double *numbers);

#endif
