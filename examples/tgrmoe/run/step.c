/* SPDX-License-Identifier: MIT */
/* The order in which a host calls the library. */
#include "run/step.h"

#include "failure.h"

static int add_losses(tool_run *run, double total) {
    static const char *const names[LOSS_TERM_COUNT] = {LOSS_TERMS};
    int result = 0;
    run->state.loss_sum += total;
    for (int i = 0; i < LOSS_TERM_COUNT; i++) {
        double value = 0;
        LIBRARY(tgr_loss_find_term(run->loss, names[i], &value));
        run->state.term_sums[i] += value;
    }
done:
    return result;
}

/* An image that changes must not come from the teacher's cache. */
static int run_teacher(const tool_run *run, const tool_batch *batch) {
    int result = 0;
    tgr_teacher *teacher = run->teacher;
    if (!teacher) goto done;
    if (augment_changes(&run->state.augment)) {
        LIBRARY(tgr_teacher_forward(teacher, TGR_TRAIN, batch->images, batch->count));
    } else {
        LIBRARY(tgr_teacher_forward_cached(teacher, TGR_TRAIN, batch->images, batch->ids, batch->count));
    }
done:
    return result;
}

static int compute_loss(const tool_run *run, const tool_batch *batch, double *loss) {
    int result = 0;
    if (batch->targets) {
        LIBRARY(tgr_loss_compute_soft(run->loss, batch->targets, loss));
    } else {
        LIBRARY(tgr_loss_compute(run->loss, batch->labels, loss));
    }
done:
    return result;
}

int run_step(tool_run *run, image_reader *reader, double *loss, int64_t *images) {
    int result = 0;
    const tool_batch *batch = NULL;
    TRY(image_reader_next(reader, &batch));
    if (!batch) TRY(fail_with("there are no more images")); /* The plan ends where training does. */
    LIBRARY(tgr_model_forward(run->model, TGR_TRAIN, batch->images, batch->count));
    TRY(run_teacher(run, batch));
    TRY(compute_loss(run, batch, loss));
    LIBRARY(tgr_loss_backward(run->loss));
    LIBRARY(tgr_optimizer_step(run->optimizer));
    if (run->teacher) LIBRARY(tgr_teacher_step(run->teacher));
    TRY(add_losses(run, *loss));
    run->state.step++;
    *images = batch->count;
done:
    return result;
}
