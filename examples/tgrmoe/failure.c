/* SPDX-License-Identifier: MIT */
/* The message of the last failure. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of the thread: images are read by several. */
static _Thread_local char message[1024];

void failure_record(const char *format, ...) {
    char text[sizeof message]; /* an argument may be the last message */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, sizeof message);
}

const char *failure_message(void) {
    return message;
}
