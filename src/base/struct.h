/* SPDX-License-Identifier: MIT */
/* Public structs, whose first field is their own size, so that they can grow. The caller may have been compiled with an
 * older or a newer header than this library. */
#ifndef TGR_BASE_STRUCT_H
#define TGR_BASE_STRUCT_H

#include <stddef.h>

#include "tgrmoe/common.h"

/* No public struct is larger; one that claims to be was not initialised. */
#define TGR_STRUCT_LIMIT 4096

/* Copies the caller's struct `from` to `into`, of the same type. `last` is the last field of the first release: a
 * caller's struct must reach that far. Fields that the caller's struct lacks become zero; fields that only a newer
 * header knows must be zero. */
#define TGR_STRUCT_READ(into, from, last) \
    tgr_struct_read((into), sizeof *(into), TGR_STRUCT_REACH(into, last), (from), #from)
/* Copies `from`, except its first field, to the caller's struct `to`: as many bytes as the smaller of the two has. */
#define TGR_STRUCT_WRITE(to, from, last) \
    tgr_struct_write((to), (from), sizeof *(from), TGR_STRUCT_REACH(from, last), #to)
#define TGR_STRUCT_REACH(pointer, last) (offsetof(__typeof__(*(pointer)), last) + sizeof(pointer)->last)

tgr_status tgr_struct_read(void *into, size_t size, size_t least, const void *from, const char *name);
tgr_status tgr_struct_write(void *to, const void *from, size_t size, size_t least, const char *name);

#endif
