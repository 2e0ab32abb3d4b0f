/* SPDX-License-Identifier: MIT */
/* Which methods use an option, in words. */
#ifndef TOOL_USES_H
#define TOOL_USES_H

#include <tgrmoe/options.h>

enum { USES_TEXT = 512 };

/* The names of the methods that use the option, separated by `between`; "" if it does not depend on the method. */
const char *uses_of(tgr_option option, const char *between, char text[USES_TEXT]);

#endif
