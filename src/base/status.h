/* SPDX-License-Identifier: MIT */
/* How a function fails: set the thread's message, return the status.
 *
 * A message names the function that the host called, however deep inside it arose. So every exported function that can
 * fail begins with TGR_ENTER, and no function passes names down. From there on it also computes in the default
 * floating-point mode (base/float_mode.h), whatever the host's is. */
#ifndef TGR_BASE_STATUS_H
#define TGR_BASE_STATUS_H

#include "tgrmoe/common.h"

/* Until the end of the scope this thread is inside the exported function that begins here; an exported function called
 * from inside changes nothing. */
#define TGR_ENTER __attribute__((cleanup(tgr_leave), unused)) const char *tgr_outside_ = tgr_enter(__func__)
/* Until the end of the scope this thread is outside again: around a callback of the host, which may call any function.
 */
#define TGR_CALL_HOST __attribute__((cleanup(tgr_leave), unused)) const char *tgr_inside_ = tgr_enter_host()

const char *tgr_enter(const char *function);
const char *tgr_enter_host(void);
void tgr_leave(const char **before);

/* Writes this thread's error text as "<function>: <message>" and returns `status`. The function is the one that the
 * host called, or `inner` if there is none, when tests call inner functions. */
tgr_status tgr_fail_at(const char *inner, tgr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The last message without the function's name, for a message that says what it led to. */
const char *tgr_last_reason(void);

#define tgr_fail(status, ...) tgr_fail_at(__func__, (status), __VA_ARGS__)

/* Fails unless `condition` holds. Returns `status` itself, so that compilers see that a failure is never TGR_OK. */
#define TGR_REQUIRE(condition, status, ...)  \
    do {                                     \
        if (!(condition)) {                  \
            tgr_fail((status), __VA_ARGS__); \
            return (status);                 \
        }                                    \
    } while (0)

/* Fails if the pointer argument is NULL. */
#define TGR_REQUIRE_ARGUMENT(pointer) \
    TGR_REQUIRE((pointer) != NULL, TGR_ERROR_ARGUMENT, "argument '%s' is NULL; a pointer is needed", #pointer)

/* Passes a callee's failure on. For functions with nothing to clean up. */
#define TGR_TRY(call)                                  \
    do {                                               \
        tgr_status try_status_ = (call);               \
        if (try_status_ != TGR_OK) return try_status_; \
    } while (0)

/* Passes a callee's failure on through the label `done`, with the local `status` set. */
#define TGR_TRY_DONE(call)               \
    do {                                 \
        status = (call);                 \
        if (status != TGR_OK) goto done; \
    } while (0)

#endif
