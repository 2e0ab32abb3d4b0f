/* SPDX-License-Identifier: MIT */
/* The message of the last failure. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

/* Of the thread: images are read by several. */
static _Thread_local char message[1024];

void failure_record(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
}

const char *failure_message(void) {
    return message;
}
