/* SPDX-License-Identifier: MIT */
/* From bytes to normalised floats by a table of 256 values per channel. */
#include "batches/batch.h"

#include <stdlib.h>

#include "failure.h"

int batch_create(tool_batch *out, const image_set *set, int64_t capacity, const double *mean, const double *deviation) {
    const int64_t numbers = set->channels * set->size * set->size;
    *out = (tool_batch){.capacity = capacity};
    out->images = calloc((size_t)capacity, (size_t)numbers * sizeof(float));
    out->labels = calloc((size_t)capacity, sizeof(int32_t));
    out->ids = calloc((size_t)capacity, sizeof(int64_t));
    if (!out->images || !out->labels || !out->ids) {
        batch_free(out);
        return fail_with("no memory for batches of %lld images", (long long)capacity);
    }
    for (int64_t channel = 0; channel < set->channels; channel++) {
        for (int byte = 0; byte < 256; byte++) {
            out->values[channel][byte] = (float)((byte / 255.0 - mean[channel]) / deviation[channel]);
        }
    }
    return 0;
}

void batch_fill(tool_batch *batch, const image_set *set, const int64_t *order, int64_t first, int64_t count) {
    const int64_t plane = set->size * set->size;
    float *to = batch->images;
    batch->count = count;
    for (int64_t i = 0; i < count; i++) {
        const int64_t id = order ? order[first + i] : first + i;
        const uint8_t *from = set->pixels + id * set->channels * plane;
        batch->ids[i] = id;
        batch->labels[i] = set->labels[id];
        for (int64_t channel = 0; channel < set->channels; channel++) {
            const float *values = batch->values[channel];
            for (int64_t k = 0; k < plane; k++) *to++ = values[*from++];
        }
    }
}

void batch_put(tool_batch *batch, int64_t place, const uint8_t *pixels, int64_t size) {
    const int64_t plane = size * size;
    float *to = batch->images + place * IMAGE_CHANNELS * plane;
    for (int64_t k = 0; k < plane; k++) {
        for (int channel = 0; channel < IMAGE_CHANNELS; channel++) {
            to[channel * plane + k] = batch->values[channel][*pixels++];
        }
    }
}

void batch_free(tool_batch *batch) {
    free(batch->images);
    free(batch->labels);
    free(batch->ids);
    free(batch->targets);
    batch->images = NULL;
    batch->labels = NULL;
    batch->ids = NULL;
    batch->targets = NULL;
}
