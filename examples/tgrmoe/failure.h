/* SPDX-License-Identifier: MIT */
/* How the tool's functions fail: they return 0 for success, or an exit code after recording one message, which main
 * prints. A function that can fail has an int `result` and a label `done`, where it cleans up. */
#ifndef TOOL_FAILURE_H
#define TOOL_FAILURE_H

#include <stddef.h>
#include <tgrmoe/common.h>

enum { FAILURE = 1, USAGE = 2 };

void failure_record(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Records the message and yields FAILURE. These are macros so that analyzers see that the result is never 0. */
#define fail_with(...) (failure_record(__VA_ARGS__), (int)FAILURE)
/* The same for a wrong command line; yields USAGE. */
#define fail_usage(...) (failure_record(__VA_ARGS__), (int)USAGE)
/* The same with the library's own message. */
#define fail_library() fail_with("%s", tgr_last_error())
/* What this thread last recorded. */
const char *failure_message(void);

/* `path` with control characters written as \xNN, truncated to fit: a terminal must not obey a file's name. */
const char *printable_name(char *to, size_t size, const char *path);

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
