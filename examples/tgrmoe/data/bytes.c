/* SPDX-License-Identifier: MIT */
/* By zlib's gzread, which reads uncompressed files as they are, into memory that grows as bytes arrive. */
#include "data/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { FIRST_CHUNK = 1 << 20 };

int bytes_open(gzFile *out, const char *path) {
    *out = gzopen(path, "rb");
    if (!*out) return fail_with("%s: %s", path, strerror(errno));
    gzbuffer(*out, 1 << 17);
    return 0;
}

static int grow(uint8_t **memory, size_t *capacity, size_t most) {
    size_t wanted = *capacity == 0 ? FIRST_CHUNK : *capacity * 2;
    if (wanted > most) wanted = most;
    uint8_t *larger = realloc(*memory, wanted);
    if (!larger) return fail_with("no memory for %zu bytes of data", wanted);
    *memory = larger;
    *capacity = wanted;
    return 0;
}

int bytes_read(gzFile file, const char *path, size_t size, uint8_t **out, size_t *got) {
    int result = 0;
    uint8_t *memory = NULL;
    size_t capacity = 0, used = 0;
    while (used < size) {
        if (used == capacity) TRY(grow(&memory, &capacity, size));
        const size_t room = capacity - used;
        const int length = gzread(file, memory + used, room < FIRST_CHUNK ? (unsigned)room : FIRST_CHUNK);
        int code = Z_OK;
        const char *text = gzerror(file, &code);
        if (length < 0 || (length == 0 && code != Z_OK)) {
            TRY(fail_with("%s: damaged after byte %lld (unpacked): %s", path, (long long)gztell(file),
                          code == Z_ERRNO ? strerror(errno) : text));
        }
        if (length == 0) break;
        used += (size_t)length;
    }
    *out = memory;
    *got = used;
    memory = NULL;
done:
    free(memory);
    return result;
}
