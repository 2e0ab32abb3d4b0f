/* SPDX-License-Identifier: MIT */
/* How an assertion fails. The library that is installed has nothing of this file: it never prints and never aborts. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef TGR_ASSERTIONS
_Noreturn void tgr_assertion_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
#endif
