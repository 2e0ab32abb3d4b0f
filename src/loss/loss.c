/* SPDX-License-Identifier: MIT */
/* The training objective: from the last forward pass to the terms, and backward from them into model and teacher.
 *
 * Computing it changes no gradient: it may be repeated, also with other labels, and the last time counts. All
 * gradients, guidance included, are added by backward. */
#include "loss/loss.h"

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"

static void release_buffers(tgr_loss *loss) {
    tgr_release(loss->context, loss->gradient, (size_t)(loss->capacity * loss->classes), sizeof(float));
    tgr_release(loss->context, loss->row_losses, (size_t)loss->capacity, sizeof(double));
}

tgr_status tgr_loss_create(tgr_loss **out, tgr_model *model, tgr_teacher *teacher) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE(teacher == NULL || tgr_teacher_student(teacher) == model, TGR_ERROR_ARGUMENT,
                "argument 'teacher' was made for another student");
    tgr_context *context = tgr_model_context(model);
    const tgr_config *config = tgr_model_config(model);
    tgr_loss *loss = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&loss, 1, sizeof *loss));
    tgr_context_retain(context);
    loss->context = context;
    tgr_model_retain(model);
    loss->model = model;
    if (teacher != NULL) tgr_teacher_retain(teacher);
    loss->teacher = teacher;
    loss->smoothing = tgr_option_f64(config, TGR_OPTION_LABEL_SMOOTHING);
    loss->classes = tgr_model_dimensions(model)->classes;
    tgr_loss_reset_terms(loss);
    *out = loss;
    return TGR_OK;
}

void tgr_loss_free(tgr_loss *loss) {
    if (loss == NULL) return;
    tgr_context *context = loss->context;
    release_buffers(loss);
    tgr_teacher_free(loss->teacher);
    tgr_model_free(loss->model);
    tgr_release(context, loss, 1, sizeof *loss);
    tgr_context_free(context);
}

static tgr_status reserve(tgr_loss *loss, int64_t batch) {
    if (batch <= loss->capacity) return TGR_OK;
    tgr_status status = TGR_OK;
    int64_t numbers;
    void *gradient = NULL, *row_losses = NULL;
    TGR_REQUIRE(tgr_multiply(batch, loss->classes, &numbers), TGR_ERROR_OVERFLOW,
                "the logits of %lld images are too many to address", (long long)batch);
    TGR_TRY_DONE(tgr_allocate(loss->context, &gradient, (size_t)numbers, sizeof(float)));
    TGR_TRY_DONE(tgr_allocate(loss->context, &row_losses, (size_t)batch, sizeof(double)));
    release_buffers(loss);
    loss->gradient = gradient;
    loss->row_losses = row_losses;
    loss->capacity = batch;
    loss->ready = 0; /* its gradient is gone */
done:
    if (status != TGR_OK) tgr_release(loss->context, gradient, (size_t)numbers, sizeof(float));
    return status;
}

/* Whether the teacher takes part. In training it must, within the window; in evaluation it does if it has seen the
 * batch. */
static tgr_status find_guidance(const tgr_loss *loss, int *guided) {
    const tgr_teacher *teacher = loss->teacher;
    int64_t batch = tgr_model_batch(loss->model);
    tgr_mode mode = tgr_model_mode(loss->model);
    *guided = 0;
    if (teacher == NULL) return TGR_OK;
    if (mode == TGR_EVAL) {
        *guided = tgr_teacher_batch(teacher) == batch && tgr_teacher_mode(teacher) == TGR_EVAL;
        return TGR_OK;
    }
    if (!tgr_teacher_is_active(teacher)) return TGR_OK;
    if (!tgr_teacher_can_backward(teacher))
        return tgr_fail(TGR_ERROR_STATE,
                        "guidance is on, but the teacher has not seen this batch in TGR_TRAIN; call "
                        "tgr_teacher_forward() first");
    if (tgr_teacher_batch(teacher) != batch)
        return tgr_fail(TGR_ERROR_SHAPE, "the student's batch has %lld images, the teacher's %lld", (long long)batch,
                        (long long)tgr_teacher_batch(teacher));
    *guided = 1;
    return TGR_OK;
}

tgr_status tgr_loss_check_head(const tgr_loss *loss) {
    TGR_REQUIRE(loss->classes > 0, TGR_ERROR_STATE, "the model has no head (classes is 0), so no logits");
    return TGR_OK;
}

static tgr_status require_forward(const tgr_loss *loss, int need_head) {
    TGR_REQUIRE(tgr_model_batch(loss->model) > 0, TGR_ERROR_STATE, "the model has had no forward pass yet");
    return need_head ? tgr_loss_check_head(loss) : TGR_OK;
}

/* What all kinds of task loss share. */
static tgr_status finish(tgr_loss *loss, double task, int guided, const float *logits_gradient,
                         const float *features_gradient, double *total) {
    double sum = 0;
    loss->ready = 0;
    TGR_TRY(tgr_loss_fill_terms(loss, task, guided, &sum));
    loss->ready = tgr_model_can_backward(loss->model);
    loss->guided = guided;
    loss->pass = tgr_model_passes(loss->model);
    loss->teacher_pass = guided ? tgr_teacher_passes(loss->teacher) : 0;
    loss->logits_gradient = logits_gradient;
    loss->features_gradient = features_gradient;
    if (total != NULL) *total = sum;
    return TGR_OK;
}

static tgr_status compute(tgr_loss *loss, const int32_t *labels, const float *targets, double *total) {
    int guided = 0;
    TGR_TRY(find_guidance(loss, &guided));
    tgr_cross_entropy task = {.labels = labels,
                              .targets = targets,
                              .batch = tgr_model_batch(loss->model),
                              .classes = loss->classes,
                              .smoothing = loss->smoothing};
    TGR_TRY(tgr_model_logits(loss->model, &task.logits));
    TGR_TRY(tgr_cross_entropy_check(&task));
    TGR_TRY(reserve(loss, task.batch));
    task.gradient = tgr_model_can_backward(loss->model) ? loss->gradient : NULL;
    task.row_losses = loss->row_losses;
    double value = tgr_cross_entropy_run(&loss->context->compute, &task);
    return finish(loss, value, guided, task.gradient, NULL, total);
}

tgr_status tgr_loss_compute(tgr_loss *loss, const int32_t *labels, double *total) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_REQUIRE_ARGUMENT(labels);
    TGR_TRY(require_forward(loss, 1));
    return compute(loss, labels, NULL, total);
}

tgr_status tgr_loss_compute_soft(tgr_loss *loss, const float *targets, double *total) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_REQUIRE_ARGUMENT(targets);
    TGR_TRY(require_forward(loss, 1));
    return compute(loss, NULL, targets, total);
}

tgr_status tgr_loss_compute_own(tgr_loss *loss, double value, const float *logits_gradient,
                                const float *features_gradient, double *total) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_TRY(require_forward(loss, logits_gradient != NULL));
    TGR_REQUIRE(logits_gradient != NULL || features_gradient != NULL || !tgr_model_can_backward(loss->model),
                TGR_ERROR_ARGUMENT,
                "arguments 'logits_gradient' and 'features_gradient' are both NULL; training needs one");
    int guided = 0;
    TGR_TRY(find_guidance(loss, &guided));
    return finish(loss, value, guided, logits_gradient, features_gradient, total);
}

tgr_status tgr_loss_backward(tgr_loss *loss) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_REQUIRE(loss->ready, TGR_ERROR_STATE,
                "there is no loss to differentiate; a successful compute after a forward in TGR_TRAIN is needed");
    int guided = 0;
    TGR_REQUIRE(tgr_model_passes(loss->model) == loss->pass, TGR_ERROR_STATE,
                "the model has run again since the loss was computed");
    TGR_TRY(tgr_model_check_backward(loss->model));
    TGR_TRY(find_guidance(loss, &guided));
    TGR_REQUIRE(guided == loss->guided && (!guided || tgr_teacher_passes(loss->teacher) == loss->teacher_pass),
                TGR_ERROR_STATE, "the guidance has changed since the loss was computed");
    loss->ready = 0;
    if (guided) tgr_teacher_backward(loss->teacher);
    return tgr_model_backward(loss->model, loss->logits_gradient, loss->features_gradient);
}
