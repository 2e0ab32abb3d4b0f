/* SPDX-License-Identifier: MIT */
/* What one run of a comparison trains, but for the seed. */
#ifndef TOOL_COMMANDS_COMPARE_SUBJECT_H
#define TOOL_COMMANDS_COMPARE_SUBJECT_H

#include <stddef.h>

enum { COMPARE_OPTIONS_MAX = 4 };

typedef struct compare_subject {
    char method[32];
    int guided, upcycled; /* a dense model is teacher, or gives the first weights */
    int finetuned;        /* goes on with other data from where the same without this came */
    int oracle;           /* no training: the same without this, routed by its teacher in evaluation */
    char labels[48];      /* "" for all */
    struct {
        char key[64], value[64];
    } options[COMPARE_OPTIONS_MAX];
    int option_count;
} compare_subject;

/* Reads "tgr" or "default+guided". */
int compare_subject_read(compare_subject *out, const char *text, size_t length);
int compare_subject_set(compare_subject *subject, const char *key, const char *value);
/* The subject as the user calls it. */
void compare_subject_name(char *to, size_t size, const compare_subject *subject);

#endif
