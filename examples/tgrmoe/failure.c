/* SPDX-License-Identifier: MIT */
/* The message of the last failure. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

static char message[1024];

int fail_with(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return FAILURE;
}

int fail_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return USAGE;
}

int fail_library(void) {
    return fail_with("%s", tgr_last_error());
}

const char *failure_message(void) {
    return message;
}
