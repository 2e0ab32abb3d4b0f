/* SPDX-License-Identifier: MIT */
/* Reading and decoding one image. */
#include "images/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "images/decode.h"
#include "images/orientation.h"

enum { PATH_SIZE = 4096, MESSAGE_NAME = 512, BYTES_MOST = 1 << 29 };

static int read_all(image_loader *loader, int file, const char *name, size_t size) {
    if (size > BYTES_MOST) return fail_with("%s: has more than %d bytes", name, (int)BYTES_MOST);
    if (size > loader->capacity) {
        free(loader->bytes);
        loader->bytes = malloc(size);
        loader->capacity = loader->bytes ? size : 0;
        if (!loader->bytes) return fail_with("%s: no memory for its %zu bytes", name, size);
    }
    for (loader->size = 0; loader->size < size;) {
        const ssize_t count = read(file, loader->bytes + loader->size, size - loader->size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_with("%s: %s", name, strerror(errno));
        if (count == 0) break; /* the file has become shorter, which decoding will notice */
        loader->size += (size_t)count;
    }
    return 0;
}

static int turn_upright(image_loader *loader) {
    const int orientation = orientation_find(loader->bytes, loader->size);
    if (orientation == 1) return 0;
    const int result = orientation_apply(&loader->decoded, orientation, &loader->turned);
    const image stored = loader->decoded;
    loader->decoded = loader->turned;
    loader->turned = stored;
    return result;
}

int image_file_decode(image_loader *loader, const char *root, const char *name, int upright) {
    int result = 0;
    char path[PATH_SIZE], shown[MESSAGE_NAME];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", root, name);
    printable_name(shown, sizeof shown, path);
    /* Without O_NONBLOCK, opening a pipe would wait. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &about) != 0) TRY(fail_with("%s: %s", shown, strerror(errno)));
    if (!S_ISREG(about.st_mode)) TRY(fail_with("%s: is not a regular file", shown));
    TRY(read_all(loader, file, shown, (size_t)about.st_size));
    TRY(image_decode(loader->bytes, loader->size, shown, DECODE_PIXELS_MOST, &loader->decoded));
    if (upright) TRY(turn_upright(loader));
done:
    if (file >= 0) close(file);
    return result;
}

void image_loader_free(image_loader *loader) {
    free(loader->bytes);
    image_free(&loader->decoded);
    image_free(&loader->turned);
    resizer_free(&loader->memory);
    *loader = (image_loader){0};
}
