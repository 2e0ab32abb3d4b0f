/* SPDX-License-Identifier: MIT */
/* Copies a sized struct from a caller that may have been compiled with an older or a newer header. */
#include "base/struct.h"

#include <string.h>

#include "base/assert.h"
#include "base/status.h"

tgr_status tgr_struct_copy(void *into, size_t size, size_t minimum, const void *from, const char *name) {
    TGR_ASSERT(minimum <= size && size <= TGR_STRUCT_LIMIT && size % sizeof(size_t) == 0);
    size_t given;
    memcpy(&given, from, sizeof given);
    /* A whole struct is a multiple of its alignment; anything else would cut a pointer in two. */
    TGR_REQUIRE(given >= minimum && given <= TGR_STRUCT_LIMIT && given % sizeof(size_t) == 0, TGR_ERROR_RANGE,
                "argument '%s' has struct_size %zu; set it to sizeof of the struct (%zu here)", name, given, size);
    const unsigned char *bytes = from;
    for (size_t i = size; i < given; i++)
        TGR_REQUIRE(bytes[i] == 0, TGR_ERROR_UNSUPPORTED,
                    "argument '%s' sets a field at byte %zu; this library knows its first %zu bytes", name, i, size);
    memset(into, 0, size);
    memcpy(into, from, given < size ? given : size);
    return TGR_OK;
}
