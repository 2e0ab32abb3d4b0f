/* SPDX-License-Identifier: MIT */
/* The images that a run trains with, batch after batch. */
#ifndef TOOL_RUN_TRAINING_IMAGES_H
#define TOOL_RUN_TRAINING_IMAGES_H

#include "batches/augmenter.h"
#include "batches/reader.h"
#include "batches/training_order.h"
#include "run/run.h"

/* All zero before it is opened; close it in either case. It must not move while it is open. */
typedef struct training_images {
    training_order order;
    augmenter augment; /* when the recipe does anything */
    image_reader *reader;
} training_images;

/* From where the run stands to its end. */
int training_images_open(training_images *out, const tool_run *run);
void training_images_close(training_images *images);

#endif
