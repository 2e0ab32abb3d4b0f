/* SPDX-License-Identifier: MIT */
/* The version, the statuses in words, and each thread's last error message. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/float_mode.h"

#define TGR_ERROR_BYTES 512

#define TGR_TEXT_OF(number) #number
#define TGR_TEXT(number)    TGR_TEXT_OF(number)

static _Thread_local char last_error[TGR_ERROR_BYTES];
static _Thread_local size_t reason;             /* where in it the function's name has ended */
static _Thread_local const char *entered;       /* the exported function that the host called; NULL outside */
static _Thread_local tgr_float_mode hosts_mode; /* while inside */

const char *tgr_version(void) {
    return TGR_TEXT(TGRMOE_VERSION_MAJOR) "." TGR_TEXT(TGRMOE_VERSION_MINOR) "." TGR_TEXT(TGRMOE_VERSION_PATCH);
}

const char *tgr_status_name(tgr_status status) {
    switch (status) {
#define TGR_STATUS_NAME(number, name, text) \
    case TGR_##name:                        \
        return #name;
        TGR_STATUS_MAP(TGR_STATUS_NAME)
#undef TGR_STATUS_NAME
    }
    return "UNKNOWN";
}

const char *tgr_status_text(tgr_status status) {
    switch (status) {
#define TGR_STATUS_TEXT(number, name, text) \
    case TGR_##name:                        \
        return text;
        TGR_STATUS_MAP(TGR_STATUS_TEXT)
#undef TGR_STATUS_TEXT
    }
    return "no status of this library has that number";
}

const char *tgr_last_error(void) {
    return last_error;
}

const char *tgr_last_reason(void) {
    return last_error + reason;
}

/* This thread is inside of `function`, or outside with NULL. Returns where it was. */
static const char *move_to(const char *function) {
    const char *before = entered;
    if (before == NULL && function != NULL) hosts_mode = tgr_float_mode_enter();
    if (before != NULL && function == NULL) tgr_float_mode_leave(hosts_mode);
    entered = function;
    return before;
}

const char *tgr_enter(const char *function) {
    return entered != NULL ? entered : move_to(function);
}

const char *tgr_enter_host(void) {
    return move_to(NULL);
}

void tgr_leave(const char **before) {
    (void)move_to(*before);
}

tgr_status tgr_fail_at(const char *inner, tgr_status status, const char *format, ...) {
    TGR_ASSERT(status != TGR_OK);
    /* Written to a buffer first: an argument may be tgr_last_error() itself. */
    char message[TGR_ERROR_BYTES];
    int used = snprintf(message, sizeof message, "%s: ", entered != NULL ? entered : inner);
    if (used > 0 && (size_t)used < sizeof message) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message + used, sizeof message - (size_t)used, format, arguments);
        va_end(arguments);
    }
    memcpy(last_error, message, sizeof message);
    reason = used > 0 && (size_t)used < sizeof message ? (size_t)used : 0;
    return status;
}
