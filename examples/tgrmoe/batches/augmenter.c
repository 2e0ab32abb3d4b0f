/* SPDX-License-Identifier: MIT */
/* From a set's pixels to a batch's floats. Grey images are augmented as three equal channels, which every operation
 * keeps equal. */
#include "batches/augmenter.h"

#include <stdlib.h>

#include "augment/erase.h"
#include "augment/mix.h"
#include "failure.h"

int augmenter_create(augmenter *out, const augment_recipe *recipe, uint64_t seed, int64_t channels, int64_t size,
                     int64_t classes, int workers) {
    *out = (augmenter){.recipe = *recipe, .seed = seed, .channels = channels, .size = size, .classes = classes};
    out->workers = calloc((size_t)workers, sizeof *out->workers);
    if (!out->workers) return fail_with("no memory for augmentation");
    out->worker_count = workers;
    return 0;
}

void augmenter_free(augmenter *with) {
    for (int i = 0; i < with->worker_count; i++) {
        augment_scratch_free(&with->workers[i].scratch);
        image_free(&with->workers[i].in);
        image_free(&with->workers[i].out);
    }
    free(with->workers);
    *with = (augmenter){0};
}

/* From pixels [size, size, 3] to floats [channels, size, size]. */
static void normalise(const augmenter *with, const image *from, const tool_batch *batch, float *to) {
    const int64_t plane = with->size * with->size;
    for (int64_t channel = 0; channel < with->channels; channel++) {
        const float *values = batch->values[channel];
        for (int64_t i = 0; i < plane; i++) *to++ = values[from->pixels[i * IMAGE_CHANNELS + channel]];
    }
}

int augmenter_make(augmenter *with, int worker, const image *in, int64_t epoch, tool_batch *batch, int64_t place) {
    int result = 0;
    augment_worker *own = &with->workers[worker];
    const int size = (int)with->size;
    const augment_key key = {.seed = with->seed, .epoch = epoch, .index = batch->ids[place]};
    float *to = batch->images + place * with->channels * with->size * with->size;
    TRY(augment_image(&own->out, in, &with->recipe, size, key, &own->scratch));
    normalise(with, &own->out, batch, to);
    augment_erase(to, (int)with->channels, size, size, &with->recipe, key);
done:
    return result;
}

int augmenter_make_from(augmenter *with, int worker, const image_set *set, int64_t epoch, tool_batch *batch,
                        int64_t place) {
    int result = 0;
    image *in = &with->workers[worker].in;
    const int64_t plane = set->size * set->size;
    const uint8_t *from = set->pixels + batch->ids[place] * set->channels * plane;
    TRY(image_reserve(in, (int)set->size, (int)set->size));
    for (int64_t channel = 0; channel < IMAGE_CHANNELS; channel++) {
        const uint8_t *values = from + (channel < set->channels ? channel : 0) * plane;
        for (int64_t i = 0; i < plane; i++) in->pixels[i * IMAGE_CHANNELS + channel] = values[i];
    }
    TRY(augmenter_make(with, worker, in, epoch, batch, place));
done:
    return result;
}

int augmenter_mix(const augmenter *with, int64_t epoch, int64_t number, tool_batch *batch) {
    const int size = (int)with->size;
    const augment_key key = {.seed = with->seed, .epoch = epoch, .index = number};
    if (!(with->recipe.mixup > 0 || with->recipe.cutmix > 0)) return 0;
    if (!batch->targets) batch->targets = calloc((size_t)batch->capacity, (size_t)with->classes * sizeof(float));
    if (!batch->targets) return fail_with("no memory for the targets of %lld images", (long long)batch->capacity);
    const mix_plan plan = mix_draw(&with->recipe, size, size, key);
    mix_images(batch->images, batch->count, (int)with->channels, size, size, &plan);
    mix_targets(batch->targets, batch->labels, batch->count, with->classes, &plan);
    return 0;
}
