/* SPDX-License-Identifier: MIT */
/* A training step and an evaluation in one call each: the calls of a host's loop in their order. */
#include "base/memory.h"
#include "base/status.h"
#include "base/struct.h"
#include "loss/loss.h"
#include "optimizer/optimizer.h"

/* Before labels are read: a count that was never set is mostly one of which no images fit into memory. */
static tgr_status check_size(const tgr_loss *loss, int64_t count) {
    const tgr_dimensions *d = tgr_model_dimensions(loss->model);
    int64_t numbers;
    TGR_REQUIRE(tgr_multiply(d->channels * d->image_size * d->image_size * (int64_t)sizeof(float), count, &numbers),
                TGR_ERROR_OVERFLOW, "the batch has %lld images, which are too large to address", (long long)count);
    return TGR_OK;
}

/* All that can be wrong with a batch but for what the teacher sees, before anything runs. */
static tgr_status check_batch(const tgr_loss *loss, const tgr_batch *batch) {
    const tgr_cross_entropy task = {
        .batch = batch->count, .classes = loss->classes, .labels = batch->labels, .targets = batch->targets};
    TGR_REQUIRE_ARGUMENT(batch->images);
    TGR_REQUIRE(batch->count >= 1, TGR_ERROR_RANGE, "argument 'batch->count' is %lld; it must be at least 1",
                (long long)batch->count);
    TGR_TRY(check_size(loss, batch->count));
    TGR_REQUIRE((batch->labels != NULL) != (batch->targets != NULL), TGR_ERROR_ARGUMENT,
                "arguments 'batch->labels' and 'batch->targets' are both %s; exactly one must be given",
                batch->labels == NULL ? "NULL" : "given");
    TGR_TRY(tgr_loss_check_head(loss));
    return tgr_cross_entropy_check(&task);
}

static void clear_teacher(const tgr_loss *loss) {
    if (loss->teacher != NULL) tgr_parameters_clear_gradients(tgr_teacher_parameters(loss->teacher));
}

static tgr_status run_teacher(tgr_teacher *teacher, const tgr_batch *batch) {
    if (teacher == NULL) return TGR_OK;
    if (batch->ids == NULL) return tgr_teacher_forward(teacher, TGR_TRAIN, batch->images, batch->count);
    return tgr_teacher_forward_cached(teacher, TGR_TRAIN, batch->images, batch->ids, batch->count);
}

/* The batch was checked. */
static tgr_status accumulate(tgr_loss *loss, const tgr_batch *batch, double *total) {
    TGR_TRY(run_teacher(loss->teacher, batch));
    TGR_TRY(tgr_model_forward(loss->model, TGR_TRAIN, batch->images, batch->count));
    const tgr_status status = batch->labels != NULL ? tgr_loss_compute(loss, batch->labels, total)
                                                    : tgr_loss_compute_soft(loss, batch->targets, total);
    if (status == TGR_ERROR_NONFINITE) {
        tgr_parameters_clear_gradients(tgr_model_parameters(loss->model));
        clear_teacher(loss);
    }
    return status == TGR_OK ? tgr_loss_backward(loss) : status;
}

static tgr_status check_optimizer(const tgr_loss *loss, const tgr_optimizer *optimizer) {
    TGR_REQUIRE_ARGUMENT(optimizer);
    TGR_REQUIRE(optimizer->parameters == tgr_model_parameters(loss->model), TGR_ERROR_ARGUMENT,
                "argument 'optimizer' was made for other parameters than those of the loss's model");
    return TGR_OK;
}

static tgr_status update(tgr_loss *loss, tgr_optimizer *optimizer) {
    const tgr_status status = tgr_optimizer_step(optimizer);
    if (status == TGR_ERROR_NONFINITE) clear_teacher(loss);
    if (status != TGR_OK || loss->teacher == NULL) return status;
    return tgr_teacher_step(loss->teacher);
}

tgr_status tgr_loss_step(tgr_loss *loss, tgr_optimizer *optimizer, const float *images, const int32_t *labels,
                         int64_t batch, double *total) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_TRY(check_optimizer(loss, optimizer));
    TGR_REQUIRE_ARGUMENT(images);
    TGR_REQUIRE_ARGUMENT(labels);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    const tgr_batch all = {.count = batch, .images = images, .labels = labels};
    double sum = 0;
    TGR_TRY(check_batch(loss, &all));
    TGR_TRY(accumulate(loss, &all, &sum));
    TGR_TRY(update(loss, optimizer));
    if (total != NULL) *total = sum;
    return TGR_OK;
}

tgr_status tgr_loss_accumulate(tgr_loss *loss, const tgr_batch *batch, double *total) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    tgr_batch known;
    TGR_TRY(TGR_STRUCT_READ(&known, batch, ids));
    TGR_TRY(check_batch(loss, &known));
    return accumulate(loss, &known, total);
}

tgr_status tgr_loss_update(tgr_loss *loss, tgr_optimizer *optimizer) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_TRY(check_optimizer(loss, optimizer));
    return update(loss, optimizer);
}

static int64_t count_correct(const float *logits, const int32_t *labels, int64_t batch, int64_t classes) {
    int64_t correct = 0;
    for (int64_t i = 0; i < batch; i++) {
        const float *row = logits + i * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            if (row[c] > row[best]) best = c;
        correct += best == labels[i];
    }
    return correct;
}

tgr_status tgr_loss_evaluate(tgr_loss *loss, const float *images, const int32_t *labels, int64_t batch, double *total,
                             int64_t *correct) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_REQUIRE_ARGUMENT(images);
    TGR_REQUIRE_ARGUMENT(labels);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    const tgr_batch all = {.count = batch, .images = images, .labels = labels};
    const float *logits = NULL;
    TGR_TRY(check_batch(loss, &all));
    TGR_TRY(tgr_model_forward(loss->model, TGR_EVAL, images, batch));
    TGR_TRY(tgr_loss_compute(loss, labels, total));
    TGR_TRY(tgr_model_logits(loss->model, &logits));
    if (correct != NULL) *correct = count_correct(logits, labels, batch, loss->classes);
    return TGR_OK;
}
