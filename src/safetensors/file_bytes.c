/* SPDX-License-Identifier: MIT */
/* Mapping and reading files. */
#define _FILE_OFFSET_BITS 64
#include "safetensors/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/file_error.h"

static tgr_status open_regular(const char *path, int *out, size_t *size) {
    struct stat state;
    *out = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* if it is a pipe, do not wait for a writer */
    if (*out < 0 || fstat(*out, &state) != 0) return tgr_file_fail(path, "cannot be opened");
    TGR_REQUIRE(S_ISREG(state.st_mode), TGR_ERROR_FILE, "'%.300s' is not a regular file", path);
    TGR_REQUIRE((uintmax_t)state.st_size <= PTRDIFF_MAX, TGR_ERROR_OVERFLOW, "'%.300s' is too large to address", path);
    *size = (size_t)state.st_size;
    return TGR_OK;
}

static tgr_status read_all(tgr_file_bytes *file, const char *path, int descriptor) {
    TGR_TRY(tgr_allocate(file->context, &file->read, file->size, 1));
    for (size_t done = 0; done < file->size;) {
        const ssize_t got = read(descriptor, (char *)file->read + done, file->size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tgr_file_fail(path, "cannot be read");
        TGR_REQUIRE(got > 0, TGR_ERROR_FILE_TRUNCATED, "'%.300s' was cut short while it was read", path);
        done += (size_t)got;
    }
    file->bytes = file->read;
    return TGR_OK;
}

tgr_status tgr_file_bytes_open(tgr_file_bytes *file, tgr_context *context, const char *path, int map) {
    int descriptor = -1;
    *file = (tgr_file_bytes){.context = context};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(open_regular(path, &descriptor, &file->size));
    if (map && file->size > 0) {
        void *mapped = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (mapped != MAP_FAILED) file->bytes = file->mapped = mapped;
    }
    if (file->mapped == NULL) TGR_TRY_DONE(read_all(file, path, descriptor));
done:
    if (descriptor >= 0) close(descriptor);
    if (status != TGR_OK) tgr_file_bytes_close(file);
    return status;
}

void tgr_file_bytes_close(tgr_file_bytes *file) {
    if (file->mapped != NULL) munmap(file->mapped, file->size);
    tgr_release(file->context, file->read, file->size, 1);
    *file = (tgr_file_bytes){.context = file->context};
}
