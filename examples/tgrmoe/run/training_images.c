/* SPDX-License-Identifier: MIT */
/* Each epoch has its own order, and its own variant of each image if the recipe changes images. */
#include "run/training_images.h"

#include "failure.h"
#include "run/images.h"

int training_images_open(training_images *out, const tool_run *run) {
    int result = 0;
    const run_state *state = &run->state;
    int64_t classes = 0;
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    reading what = run_reading(run, &run->data.train);
    out->order = (training_order){.images = state->images,
                                  .batch = state->batch,
                                  .steps_per_epoch = run->steps_per_epoch,
                                  .first_step = state->step,
                                  .end_step = run->end_step,
                                  .shuffle = (int)state->shuffle,
                                  .seed = (uint64_t)state->seed};
    TRY(training_order_open(&out->order));
    if (augment_changes(&state->augment)) {
        TRY(augmenter_create(&out->augment, &state->augment, (uint64_t)state->seed, what.set->channels, what.set->size,
                             classes, what.threads));
        what.augment = &out->augment;
    }
    what.user = &out->order;
    what.plan = training_order_plan;
    TRY(image_reader_open(&out->reader, &what));
done:
    return result;
}

void training_images_close(training_images *images) {
    image_reader_close(images->reader);
    augmenter_free(&images->augment);
    training_order_close(&images->order);
}
