/* SPDX-License-Identifier: MIT */
/* The images that a run trains with, batch after batch. */
#ifndef TOOL_RUN_TRAINING_IMAGES_H
#define TOOL_RUN_TRAINING_IMAGES_H

#include "batches/augmenter.h"
#include "batches/reader.h"
#include "batches/training_order.h"
#include "run/run.h"

/* Initially all zero. It must not be moved while it is open. Close it even if opening fails. */
typedef struct training_images {
    training_order order;
    augmenter augment; /* if the recipe changes images */
    image_reader *reader;
} training_images;

/* Opens the images from the run's current step to its end. */
int training_images_open(training_images *out, const tool_run *run);
void training_images_close(training_images *images);

#endif
