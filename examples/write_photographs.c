/* SPDX-License-Identifier: MIT */
/* Makes a folder of PNG images for each class of an IDX data set: write_photographs IMAGES LABELS FOLDER FIRST LAST N.
 * Takes the first N images of each label FIRST to LAST. examples/finetune.sh gets its photographs from here if it is
 * given none. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

enum { LABELS = 256, HEADER_MOST = 16, SIDE_MOST = 1024 };

/* The header's number `index`: 0 is the magic number, 1 the count, 2 the height, 3 the width. */
static unsigned header_number(const unsigned char *header, int index) {
    const unsigned char *at = header + 4 * index;
    return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

static int write_image(const char *folder, int label, long number, unsigned char *pixels, unsigned height,
                       unsigned width) {
    char path[4096];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_GRAY};
    snprintf(path, sizeof path, "%s/%d", folder, label);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%d/%04ld.png", folder, label, number);
    return png_image_write_to_file(&image, path, 0, pixels, 0, NULL) ? 0 : -1;
}

static int write_all(gzFile images, gzFile labels, const char *folder, int first, int last, long most) {
    unsigned char header[HEADER_MOST], label;
    long written[LABELS] = {0};
    if (gzread(labels, header, 8) != 8 || gzread(images, header, 16) != 16) return -1;
    const unsigned count = header_number(header, 1), height = header_number(header, 2),
                   width = header_number(header, 3);
    if (height == 0 || height > SIDE_MOST || width == 0 || width > SIDE_MOST) return -1;
    unsigned char *pixels = malloc((size_t)height * width);
    int result = pixels ? 0 : -1;
    for (unsigned i = 0; i < count && result == 0; i++) {
        const int size = (int)(height * width);
        if (gzread(labels, &label, 1) != 1 || gzread(images, pixels, (unsigned)size) != size) result = -1;
        if (result != 0 || label < first || label > last || written[label] == most) continue;
        result = write_image(folder, label, written[label]++, pixels, height, width);
    }
    free(pixels);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: write_photographs IMAGES LABELS FOLDER FIRST LAST N\n");
        return 2;
    }
    gzFile images = gzopen(argv[1], "rb"), labels = gzopen(argv[2], "rb");
    int result = -1;
    if (images && labels) result = write_all(images, labels, argv[3], atoi(argv[4]), atoi(argv[5]), atol(argv[6]));
    if (images) gzclose(images);
    if (labels) gzclose(labels);
    if (result != 0)
        fprintf(stderr, "write_photographs: %s or %s could not be read, or %s written\n", argv[1], argv[2], argv[3]);
    return result != 0;
}
