/* SPDX-License-Identifier: MIT */
/* Public structs whose first field is their own size, so that they can grow. */
#ifndef TGR_BASE_STRUCT_H
#define TGR_BASE_STRUCT_H

#include "tgrmoe/common.h"

/* No public struct is larger; one that claims to be was not initialised. */
#define TGR_STRUCT_LIMIT 4096

/* Copies the caller's struct `from` to `into` (`size` bytes, as this library defines it), the smaller size of the two;
 * the rest becomes zero. `from` must have at least `minimum` bytes. Bytes that only a newer header defines must be
 * zero. `name` is the argument's, for the message. */
tgr_status tgr_struct_copy(void *into, size_t size, size_t minimum, const void *from, const char *name);

#endif
