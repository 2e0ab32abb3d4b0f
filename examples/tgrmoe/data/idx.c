/* SPDX-License-Identifier: MIT */
/* The IDX format of MNIST and Fashion-MNIST: two zero bytes, the type (8: unsigned bytes), the number of dimensions,
 * each dimension as a big-endian 32-bit number, then the values. */
#include "data/idx.h"

#include <stdlib.h>

#include "data/bytes.h"
#include "failure.h"

enum { TYPE_UNSIGNED_BYTE = 8, SIZE_MOST = 8192 };

static int read_header(gzFile file, const char *path, int dimensions, int64_t *dims) {
    int result = 0;
    uint8_t *header = NULL;
    size_t got = 0;
    const size_t size = 4 + 4 * (size_t)dimensions;
    TRY(bytes_read(file, path, size, &header, &got));
    if (got < size) TRY(fail_with("%s: ends at byte %zu; an IDX header of %zu bytes was expected", path, got, size));
    if (header[0] != 0 || header[1] != 0 || header[2] != TYPE_UNSIGNED_BYTE || header[3] != dimensions) {
        TRY(
            fail_with("%s: byte 0: expected 00 00 %02x %02x (IDX of unsigned bytes in %d dimension%s), found "
                      "%02x %02x %02x %02x",
                      path, TYPE_UNSIGNED_BYTE, (unsigned)dimensions, dimensions, dimensions == 1 ? "" : "s", header[0],
                      header[1], header[2], header[3]));
    }
    for (int i = 0; i < dimensions; i++) {
        const uint8_t *at = header + 4 + 4 * i;
        dims[i] = (int64_t)at[0] << 24 | (int64_t)at[1] << 16 | (int64_t)at[2] << 8 | (int64_t)at[3];
    }
done:
    free(header);
    return result;
}

/* The `size` bytes after a header of `offset` bytes, and nothing after them. */
static int read_values(gzFile file, const char *path, size_t offset, size_t size, uint8_t **values) {
    int result = 0;
    uint8_t *bytes = NULL, *rest = NULL;
    size_t got = 0, more = 0;
    TRY(bytes_read(file, path, size, &bytes, &got));
    if (got < size) {
        TRY(fail_with("%s: ends at byte %zu; its header says %zu bytes", path, offset + got, offset + size));
    }
    TRY(bytes_read(file, path, 1, &rest, &more));
    if (more > 0)
        TRY(fail_with("%s: continues after byte %zu, where it should end according to its header", path,
                      offset + size));
    *values = bytes;
    bytes = NULL;
done:
    free(bytes);
    free(rest);
    return result;
}

static int read_images(image_set *set, const char *path) {
    int result = 0;
    int64_t dims[3] = {0};
    gzFile file = NULL;
    TRY(bytes_open(&file, path));
    TRY(read_header(file, path, 3, dims));
    if (dims[0] < 1) TRY(fail_with("%s: byte 4: expected at least 1 image, found 0", path));
    if (dims[1] < 1 || dims[1] > SIZE_MOST || dims[2] != dims[1]) {
        TRY(fail_with("%s: byte 8: expected square images of 1 to %d pixels, found %lld x %lld", path, SIZE_MOST,
                      (long long)dims[1], (long long)dims[2]));
    }
    set->count = dims[0];
    set->channels = 1;
    set->size = dims[1];
    TRY(read_values(file, path, 16, (size_t)(dims[0] * dims[1] * dims[2]), &set->pixels));
done:
    if (file) gzclose(file);
    return result;
}

static int read_labels(image_set *set, const char *path, const char *images_path) {
    int result = 0;
    int64_t count = 0;
    uint8_t *bytes = NULL;
    gzFile file = NULL;
    TRY(bytes_open(&file, path));
    TRY(read_header(file, path, 1, &count));
    if (count != set->count) {
        TRY(fail_with("%s: byte 4: expected %lld labels, one for each image of %s, found %lld", path,
                      (long long)set->count, images_path, (long long)count));
    }
    TRY(read_values(file, path, 8, (size_t)count, &bytes));
    set->labels = malloc((size_t)count * sizeof *set->labels);
    if (!set->labels) TRY(fail_with("no memory for %lld labels", (long long)count));
    for (int64_t i = 0; i < count; i++) set->labels[i] = bytes[i];
done:
    free(bytes);
    if (file) gzclose(file);
    return result;
}

int idx_read(image_set *out, const char *images_path, const char *labels_path) {
    int result = 0;
    image_set set = {0};
    TRY(read_images(&set, images_path));
    TRY(read_labels(&set, labels_path, images_path));
    *out = set;
    set = (image_set){0};
done:
    image_set_free(&set);
    return result;
}
