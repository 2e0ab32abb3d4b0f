/* SPDX-License-Identifier: MIT */
/* How the tool's functions fail: they return 0 for success, or an exit code after recording one message, which main
 * prints. A function that can fail has an int `result` and a label `done`, where it cleans up. */
#ifndef TOOL_FAILURE_H
#define TOOL_FAILURE_H

#include "tgrmoe/common.h"

enum { FAILURE = 1, USAGE = 2 };

/* Records the message and returns FAILURE. */
int fail_with(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for a wrong command line; returns USAGE. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Records the library's own message; returns FAILURE. */
int fail_library(void);
/* What was recorded last. */
const char *failure_message(void);

#define TRY(call)                   \
    do {                            \
        result = (call);            \
        if (result != 0) goto done; \
    } while (0)

#define LIBRARY(call)                              \
    do {                                           \
        if ((call) != TGR_OK) TRY(fail_library()); \
    } while (0)

#endif
