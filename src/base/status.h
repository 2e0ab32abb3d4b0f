/* SPDX-License-Identifier: MIT */
/* How a function fails: set the thread's message, return the status. */
#ifndef TGR_BASE_STATUS_H
#define TGR_BASE_STATUS_H

#include "tgrmoe/common.h"

/* Writes this thread's error text as "<function>: <message>" and returns `status`. */
tgr_status tgr_fail_in(const char *function, tgr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define tgr_fail(status, ...) tgr_fail_in(__func__, (status), __VA_ARGS__)

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
