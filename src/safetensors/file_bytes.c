/* SPDX-License-Identifier: MIT */
/* Reading files piece by piece. */
#define _FILE_OFFSET_BITS 64
#include "safetensors/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/file_error.h"

static tgr_status open_regular(tgr_file_bytes *file, const char *path) {
    struct stat state;
    /* Without O_NONBLOCK opening a pipe would wait for a writer. */
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->descriptor < 0 || fstat(file->descriptor, &state) != 0) return tgr_file_fail(path, "cannot be opened");
    TGR_REQUIRE(S_ISREG(state.st_mode), TGR_ERROR_FILE, "'%.300s' is not a regular file", path);
    TGR_REQUIRE((uintmax_t)state.st_size <= PTRDIFF_MAX, TGR_ERROR_OVERFLOW, "'%.300s' is too large to address", path);
    file->size = (size_t)state.st_size;
    return TGR_OK;
}

tgr_status tgr_file_bytes_open(tgr_file_bytes *file, tgr_context *context, const char *path) {
    const size_t length = strlen(path) + 1;
    tgr_status status = TGR_OK;
    *file = (tgr_file_bytes){.context = context, .descriptor = -1};
    TGR_TRY_DONE(open_regular(file, path));
    TGR_TRY_DONE(tgr_allocate(context, (void **)&file->path, length, 1));
    memcpy(file->path, path, length);
done:
    if (status != TGR_OK) tgr_file_bytes_close(file);
    return status;
}

tgr_file_bytes tgr_file_bytes_of_memory(tgr_context *context, const void *bytes, size_t size) {
    return (tgr_file_bytes){.context = context, .size = size, .memory = bytes, .descriptor = -1};
}

tgr_status tgr_file_bytes_read(const tgr_file_bytes *file, size_t offset, void *to, size_t count) {
    TGR_ASSERT(offset <= file->size && count <= file->size - offset);
    if (file->memory != NULL && count > 0) memcpy(to, file->memory + offset, count);
    if (file->memory != NULL) return TGR_OK;
    for (size_t done = 0; done < count;) {
        const ssize_t got = pread(file->descriptor, (char *)to + done, count - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tgr_file_fail(file->path, "cannot be read");
        TGR_REQUIRE(got > 0, TGR_ERROR_FILE_TRUNCATED,
                    "'%.300s' was cut short while it was open: it had %zu bytes and now ends at byte %zu", file->path,
                    file->size, offset + done);
        done += (size_t)got;
    }
    return TGR_OK;
}

void tgr_file_bytes_close(tgr_file_bytes *file) {
    if (file->descriptor >= 0) close(file->descriptor);
    if (file->path != NULL) tgr_release(file->context, file->path, strlen(file->path) + 1, 1);
    *file = (tgr_file_bytes){.context = file->context, .descriptor = -1};
}
