/* SPDX-License-Identifier: MIT */
/* Replacing a file so that a crash at any moment leaves the old one or the new one. Everything is done relative to the
 * open directory: the host may change its working directory in the meantime. */
#define _FILE_OFFSET_BITS 64
#include "checkpoint/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/status.h"
#include "checkpoint/file_error.h"

#define ATTEMPTS 100

/* The path with symbolic links resolved, so that the link stays and its target is replaced. */
static tgr_status follow_link(const char *path, char resolved[PATH_MAX]) {
    struct stat state;
    if (lstat(path, &state) == 0 && S_ISLNK(state.st_mode)) {
        if (realpath(path, resolved) == NULL) return tgr_file_fail(path, "is a symbolic link that cannot be followed");
        return TGR_OK;
    }
    const size_t length = strlen(path);
    errno = ENAMETOOLONG;
    if (length >= PATH_MAX) return tgr_file_fail(path, "cannot be written");
    memcpy(resolved, path, length + 1);
    return TGR_OK;
}

static tgr_status open_directory(tgr_atomic_file *file) {
    char resolved[PATH_MAX];
    TGR_TRY(follow_link(file->path, resolved));
    char *slash = strrchr(resolved, '/');
    const char *name = slash != NULL ? slash + 1 : resolved;
    const size_t length = strlen(name);
    errno = length == 0 ? (slash != NULL ? EISDIR : ENOENT) : ENAMETOOLONG;
    if (length == 0 || length >= sizeof file->name) return tgr_file_fail(file->path, "cannot be written");
    memcpy(file->name, name, length + 1);
    if (slash != NULL) slash[1] = '\0';
    file->directory = open(slash != NULL ? resolved : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file->directory >= 0 ? TGR_OK : tgr_file_fail(file->path, "is in a directory that cannot be opened");
}

/* *mode receives the permissions of the file to be replaced, *exists whether there is one. */
static tgr_status check_target(const tgr_atomic_file *file, mode_t *mode, int *exists) {
    struct stat state;
    *exists = fstatat(file->directory, file->name, &state, 0) == 0;
    if (!*exists) return errno == ENOENT ? TGR_OK : tgr_file_fail(file->path, "cannot be examined");
    if (!S_ISREG(state.st_mode))
        return tgr_fail(TGR_ERROR_FILE, "'%s' is not a regular file and will not be replaced", file->path);
    if (faccessat(file->directory, file->name, W_OK, 0) != 0) return tgr_file_fail(file->path, "is not writable");
    *mode = state.st_mode & 0777;
    return TGR_OK;
}

static tgr_status create_temporary(tgr_atomic_file *file) {
    mode_t mode = 0666;
    int exists = 0;
    TGR_TRY(check_target(file, &mode, &exists));
    for (int attempt = 0; attempt < ATTEMPTS && file->file < 0; attempt++) {
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        const int length = snprintf(file->temporary, sizeof file->temporary, "%s.%ld-%lld%09ld.tmp", file->name,
                                    (long)getpid(), (long long)now.tv_sec, now.tv_nsec);
        errno = ENAMETOOLONG;
        if ((size_t)length >= sizeof file->temporary) break;
        file->file = openat(file->directory, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file->file < 0 && errno != EEXIST) break;
    }
    if (file->file < 0) {
        file->temporary[0] = '\0';
        return tgr_file_fail(file->path, "is in a directory in which no file can be created");
    }
    if (exists && fchmod(file->file, mode) != 0) return tgr_file_fail(file->path, "cannot be given its permissions");
    return TGR_OK;
}

tgr_status tgr_atomic_file_open(tgr_atomic_file *file, const char *path) {
    *file = (tgr_atomic_file){.path = path, .directory = -1, .file = -1};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(open_directory(file));
    TGR_TRY_DONE(create_temporary(file));
done:
    if (status != TGR_OK) tgr_atomic_file_close(file);
    return status;
}

tgr_status tgr_atomic_file_write(tgr_atomic_file *file, uint64_t offset, const void *bytes, size_t count) {
    TGR_ASSERT(file->file >= 0);
    const char *from = bytes;
    while (count > 0) {
        const ssize_t written = pwrite(file->file, from, count, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written == 0) errno = ENOSPC;
        if (written <= 0) return tgr_file_fail(file->path, "cannot be written");
        from += written;
        offset += (uint64_t)written;
        count -= (size_t)written;
    }
    return TGR_OK;
}

/* A file system that cannot sync a directory reports EINVAL or ENOTSUP; nothing more can be done then. */
static int sync_directory(int directory) {
    return fsync(directory) == 0 || errno == EINVAL || errno == ENOTSUP;
}

tgr_status tgr_atomic_file_commit(tgr_atomic_file *file) {
    TGR_ASSERT(file->file >= 0 && file->temporary[0] != '\0');
    if (fsync(file->file) != 0) return tgr_file_fail(file->path, "cannot be synced to the disk");
    const int closed = close(file->file); /* the descriptor is closed even when this fails */
    file->file = -1;
    if (closed != 0) return tgr_file_fail(file->path, "cannot be closed");
    if (renameat(file->directory, file->temporary, file->directory, file->name) != 0)
        return tgr_file_fail(file->path, "cannot be put in place");
    file->temporary[0] = '\0';
    if (!sync_directory(file->directory))
        return tgr_file_fail(file->path, "is in place, but its directory cannot be synced to the disk");
    return TGR_OK;
}

void tgr_atomic_file_close(tgr_atomic_file *file) {
    if (file->file >= 0) close(file->file);
    if (file->directory >= 0 && file->temporary[0] != '\0') unlinkat(file->directory, file->temporary, 0);
    if (file->directory >= 0) close(file->directory);
    file->file = file->directory = -1;
    file->temporary[0] = '\0';
}
