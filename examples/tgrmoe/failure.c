/* SPDX-License-Identifier: MIT */
/* The message of the last failure, and file names that are safe to print in it. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Per thread: several threads read images. */
static _Thread_local char message[1024];

void failure_record(const char *format, ...) {
    char fresh[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fresh, sizeof fresh, format, arguments); /* the last message may be one of the arguments */
    va_end(arguments);
    memcpy(message, fresh, sizeof message);
}

const char *failure_message(void) {
    return message;
}

const char *printable_name(char *to, size_t size, const char *path) {
    size_t at = 0;
    for (; *path && at + 5 < size; path++) {
        const unsigned char byte = (unsigned char)*path;
        at += (size_t)snprintf(to + at, size - at, byte < 0x20 || byte == 0x7F ? "\\x%02X" : "%c", byte);
    }
    to[at] = '\0';
    return to;
}
