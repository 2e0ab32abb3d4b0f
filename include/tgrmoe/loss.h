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
#include "tgrmoe/teacher.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A loss for `model`. @param teacher NULL for no guidance; made for the same model otherwise. Both are held. */
TGR_API tgr_status tgr_loss_create(tgr_loss **out, tgr_model *model, tgr_teacher *teacher);
TGR_API void tgr_loss_free(tgr_loss *loss);

/** The loss of the last forward pass for `labels` [batch], each in [0, classes); label_smoothing applies. Adds to no
 *  gradient: it may be called again for the same pass, and the last call counts. After a forward in TGR_EVAL the terms
 *  are computed as well (guidance among them if the teacher's last forward was in TGR_EVAL with the same batch), but
 *  nothing can be backpropagated. @param total may be NULL.
 *  ERROR_NONFINITE when a term is; the terms can be read all the same. ERROR_STATE when guidance is on and the teacher
 *  has not run in TGR_TRAIN, ERROR_SHAPE when its batch is another. */
TGR_API tgr_status tgr_loss_compute(tgr_loss *loss, const int32_t *labels, double *total);
/** The same for soft labels [batch, classes] (Mixup, CutMix), rows of non-negative numbers with sum one (within 1e-3).
 */
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

/** How many terms there are, and term `index`: "task", "distill", "teacher", "aux" (the sum of what follows), then what
 *  the routers of this model report, summed over layers ("importance", "load", "switch", "z", …; see
 * tgr_routing_term()); each with its weight in it. Before the first compute there are the first four, all zero. Any
 * output may be NULL. */
TGR_API tgr_status tgr_loss_terms(const tgr_loss *loss, int64_t *count);
TGR_API tgr_status tgr_loss_term(const tgr_loss *loss, int64_t index, const char **name, double *value);
/** The value of the term called `name`. */
TGR_API tgr_status tgr_loss_find_term(const tgr_loss *loss, const char *name, double *value);

#ifdef __cplusplus
}
#endif
#endif
