/* SPDX-License-Identifier: MIT */
/* Copies sized structs from and to a caller. */
#include "base/struct.h"

#include <string.h>

#include "base/assert.h"
#include "base/status.h"

/* The size that the caller's struct states, if that is possible. */
static tgr_status read_size(const void *theirs, size_t size, size_t least, const char *name, size_t *given) {
    TGR_ASSERT(least <= size && size <= TGR_STRUCT_LIMIT && size % sizeof(size_t) == 0);
    TGR_REQUIRE(theirs != NULL, TGR_ERROR_ARGUMENT, "argument '%s' is NULL; a pointer is needed", name);
    memcpy(given, theirs, sizeof *given);
    /* A whole struct is a multiple of its alignment; anything else would cut a pointer in two. */
    TGR_REQUIRE(*given >= least && *given <= TGR_STRUCT_LIMIT && *given % sizeof(size_t) == 0, TGR_ERROR_RANGE,
                "argument '%s' has struct_size %zu; set it to sizeof of the struct (%zu here)", name, *given, size);
    return TGR_OK;
}

tgr_status tgr_struct_read(void *into, size_t size, size_t least, const void *from, const char *name) {
    size_t given = 0;
    TGR_TRY(read_size(from, size, least, name, &given));
    const unsigned char *bytes = from;
    for (size_t i = size; i < given; i++)
        TGR_REQUIRE(bytes[i] == 0, TGR_ERROR_UNSUPPORTED,
                    "argument '%s' sets a field at byte %zu; this library knows its first %zu bytes", name, i, size);
    memset(into, 0, size);
    memcpy(into, from, given < size ? given : size);
    return TGR_OK;
}

tgr_status tgr_struct_write(void *to, const void *from, size_t size, size_t least, const char *name) {
    size_t given = 0;
    const size_t first = sizeof given;
    TGR_TRY(read_size(to, size, least, name, &given));
    memcpy((char *)to + first, (const char *)from + first, (given < size ? given : size) - first);
    return TGR_OK;
}
