/* SPDX-License-Identifier: MIT */
/* How long it takes to read Fashion-MNIST's training set (60 000 packed images) into normalised floats, by the tool's
 * reader. The folder is that of Debian's package dataset-fashion-mnist, or $FASHION_MNIST. */
#include <stdio.h>
#include <stdlib.h>

#include "batches/batch.h"
#include "bench/bench_support.h"
#include "data/idx.h"
#include "data/load.h"
#include "failure.h"

static char images_path[512], labels_path[512];

static int read_all(void) {
    int result = 0;
    image_set set = {0};
    tool_batch batch = {0};
    double mean[DATASET_CHANNELS_MAX], deviation[DATASET_CHANNELS_MAX];
    dataset_statistics(DATASET_IDX, mean, deviation);
    TRY(idx_read(&set, images_path, labels_path));
    TRY(batch_create(&batch, &set, set.count, mean, deviation));
    batch_fill(&batch, &set, NULL, 0, set.count);
done:
    batch_free(&batch);
    image_set_free(&set);
    return result;
}

static void run(void *what) {
    (void)what;
    if (read_all()) bench_fail("%s", failure_message());
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 2);
    const char *folder = getenv("FASHION_MNIST");
    if (folder == NULL) folder = "/usr/share/datasets/fashion-mnist";
    snprintf(images_path, sizeof images_path, "%s/train-images-idx3-ubyte.gz", folder);
    snprintf(labels_path, sizeof labels_path, "%s/train-labels-idx1-ubyte.gz", folder);
    FILE *file = fopen(images_path, "rb");
    if (file == NULL) {
        fprintf(stderr, "\nreading: there is no %s\n", images_path);
        return 0;
    }
    fclose(file);
    const double seconds = bench_fastest(run, NULL, options.seconds);
    bench_line_start("read", "Fashion-MNIST, 60000 images, gzip to float32");
    bench_line_number("threads", 1);
    bench_line_number("ms", 1e3 * seconds);
    bench_line_end();
    fprintf(stderr, "\nreading 60000 images of Fashion-MNIST: %.2f s\n", seconds);
    return 0;
}
