/* SPDX-License-Identifier: MIT */
/* A batch from the reader to the loss, and the sums of its terms. */
#include "run/step.h"

#include "failure.h"

static int add_losses(tool_run *run, double total) {
    static const char *const names[LOSS_TERM_COUNT] = {LOSS_TERMS};
    int result = 0;
    run->state.loss_sum += total;
    for (int i = 0; i < LOSS_TERM_COUNT; i++) {
        double value = 0;
        LIBRARY(tgr_loss_term_value(run->loss, names[i], &value));
        run->state.term_sums[i] += value;
    }
done:
    return result;
}

int run_step(tool_run *run, image_reader *reader, double *loss, int64_t *images) {
    int result = 0;
    const tool_batch *read = NULL;
    TRY(image_reader_next(reader, &read));
    if (!read) TRY(fail_with("there are no more images")); /* The plan ends where training does. */
    tgr_batch batch = {.struct_size = sizeof batch, .count = read->count, .images = read->images};
    batch.labels = read->targets ? NULL : read->labels;
    batch.targets = read->targets;
    if (!augment_changes(&run->state.augment)) batch.ids = read->ids; /* changed images must not come from the cache */
    LIBRARY(tgr_loss_accumulate(run->loss, &batch, loss));
    LIBRARY(tgr_loss_update(run->loss, run->optimizer));
    TRY(add_losses(run, *loss));
    run->state.step++;
    *images = read->count;
done:
    return result;
}
