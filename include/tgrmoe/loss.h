/* SPDX-License-Identifier: MIT */
/**
 * @file loss.h
 * The training objective: the task's cross-entropy, the auxiliary terms of the routers, the teacher's guidance.
 *
 * total = task + aux + distill. The teacher routers' own objective is reported as "teacher" and is not part of it.
 */
#ifndef TGRMOE_LOSS_H
#define TGRMOE_LOSS_H

#include "tgrmoe/model.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/teacher.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A loss for `model`. @param teacher NULL for no guidance; made for the same model otherwise. The loss keeps both
 *  alive. */
TGR_API tgr_status tgr_loss_create(tgr_loss **out, tgr_model *model, tgr_teacher *teacher);
TGR_API void tgr_loss_free(tgr_loss *loss);

/* Simple: a step, an evaluation. Each combines calls from further down, in that order, and gives the same bytes. */

/** One training step on `batch` images [batch, channels, image_size, image_size] with labels [batch], each in [0,
 *  classes): teacher (if there is one) and model forward in TGR_TRAIN, compute, backward, the optimizer's step, the
 *  teacher's. `optimizer` must be of the model's parameters. Gradients accumulated before count as micro-batches of
 *  this step. @param total the loss of this batch before the step; may be NULL. ERROR_NONFINITE when a term or a
 *  gradient is infinite or not a number: no weight, moment or count changed, and the gradients are discarded, so that
 *  the host can continue with its next batch. After any other failure weights, moments, counts and gradients are as
 *  before. (If only the teacher routers' gradients are not finite, the model has taken its step and they have not.) */
TGR_API tgr_status tgr_loss_step(tgr_loss *loss, tgr_optimizer *optimizer, const float *images, const int32_t *labels,
                                 int64_t batch, double *total);
/** Runs `batch` images in TGR_EVAL. @param total as from tgr_loss_compute(): the mean cross-entropy, with
 *  label_smoothing, and the routers' terms; tgr_loss_term_value() gives each. @param correct how many images have their
 *  largest logit at their label (the first of equal ones counts). Either output may be NULL. */
TGR_API tgr_status tgr_loss_evaluate(tgr_loss *loss, const float *images, const int32_t *labels, int64_t batch,
                                     double *total, int64_t *correct);

/* A step in two calls: for micro-batches, soft labels, and a teacher's cache of features. */

/** One batch to train on. */
typedef struct tgr_batch {
    size_t struct_size;    /**< sizeof(tgr_batch), set by the caller */
    int64_t count;         /**< images, at least 1 */
    const float *images;   /**< [count, channels, image_size, image_size], normalised by the host */
    const int32_t *labels; /**< [count], each in [0, classes), or NULL: */
    const float *targets;  /**< [count, classes], soft labels as for tgr_loss_compute_soft() */
    const int64_t *ids;    /**< [count], for tgr_teacher_forward_cached(), or NULL: the teacher runs on every image */
} tgr_batch;

/** What tgr_loss_step() does up to backward. Call it several times before one tgr_loss_update() to accumulate
 *  micro-batches: the step uses the mean over them. @param total of this batch only; may be NULL. ERROR_NONFINITE
 *  discards all gradients accumulated so far; other failures leave them. */
TGR_API tgr_status tgr_loss_accumulate(tgr_loss *loss, const tgr_batch *batch, double *total);
/** The rest: the optimizer's step, then the teacher's. ERROR_STATE when nothing was accumulated. */
TGR_API tgr_status tgr_loss_update(tgr_loss *loss, tgr_optimizer *optimizer);

/* Advanced: the host runs model and teacher itself, in its own order or with its own loss, and steps the optimizer and
 * the teacher. */

/** The loss of the last forward pass for `labels` [batch], each in [0, classes); label_smoothing applies. Adds to no
 *  gradient: it may be called again for the same pass, and the last call counts. After a forward in TGR_EVAL the terms
 *  are computed, too (guidance included if the teacher's last forward was in TGR_EVAL with the same batch), but there
 *  is no backward. @param total may be NULL. ERROR_NONFINITE when a term is not finite; the terms can still be read.
 *  ERROR_STATE when guidance is on and the teacher has not run in TGR_TRAIN, ERROR_SHAPE when its batch is different.
 */
TGR_API tgr_status tgr_loss_compute(tgr_loss *loss, const int32_t *labels, double *total);
/** The same for soft labels [batch, classes] (Mixup, CutMix), rows of non-negative numbers whose sum is 1 (within
 *  1e-3). */
TGR_API tgr_status tgr_loss_compute_soft(tgr_loss *loss, const float *targets, double *total);
/** The same for a host with its own task loss: its `value`, and its gradient with respect to the logits
 *  [batch, classes] or to the features [batch, tokens, dim] (one may be NULL, and both after a forward in TGR_EVAL);
 *  both must stay until backward. */
TGR_API tgr_status tgr_loss_compute_own(tgr_loss *loss, double value, const float *logits_gradient,
                                        const float *features_gradient, double *total);
/** Adds the gradient of the last computed loss to the model's, and of the teacher's objective to the teacher's.
 *  Call it several times, each after its forward and compute, before one optimizer step to accumulate micro-batches:
 *  the step uses the mean over them. */
TGR_API tgr_status tgr_loss_backward(tgr_loss *loss);

/** How many terms there are: "task", "distill", "teacher", "aux" (the sum of what follows), then what the routers of
 * this model report, summed over layers ("importance", "load", "switch", "z", …; see tgr_routing_term()). Before the
 * first compute there are the first four, all zero. */
TGR_API int64_t tgr_loss_term_count(const tgr_loss *loss);
/** Term `index` in [0, tgr_loss_term_count()): its name, and its value with its weight in it. Either output may be
 * NULL. */
TGR_API tgr_status tgr_loss_term(const tgr_loss *loss, int64_t index, const char **name, double *value);
/** The value of the term called `name`. ERROR_ARGUMENT if there is none. */
TGR_API tgr_status tgr_loss_term_value(const tgr_loss *loss, const char *name, double *value);

#ifdef __cplusplus
}
#endif
#endif
