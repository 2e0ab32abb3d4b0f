/* SPDX-License-Identifier: MIT */
/* What a run of a comparison trains, apart from the seed. */
#ifndef TOOL_COMMANDS_COMPARE_SUBJECT_H
#define TOOL_COMMANDS_COMPARE_SUBJECT_H

#include <stddef.h>

enum { COMPARE_OPTIONS_MAX = 4 };

typedef struct compare_subject {
    char method[32];
    int guided, upcycled; /* a dense model is the teacher; provides the initial weights */
    int finetuned;        /* continues with other data after the same run without this */
    int oracle;           /* no training: evaluates the same run without this, routed by its teacher */
    char labels[48];      /* "" for all */
    struct {
        char key[64], value[64];
    } options[COMPARE_OPTIONS_MAX];
    int option_count;
} compare_subject;

/* Parses "tgr" or "default+guided". */
int compare_subject_read(compare_subject *out, const char *text, size_t length);
int compare_subject_set(compare_subject *subject, const char *key, const char *value);
/* The subject as the user would write it. */
void compare_subject_name(char *to, size_t size, const compare_subject *subject);

#endif
