/* SPDX-License-Identifier: MIT */
/* What the loss and the checkpoint may do with a teacher beyond the public functions. */
#ifndef TGR_TEACHER_TEACHER_H
#define TGR_TEACHER_TEACHER_H

#include "model/model.h"
#include "optimizer/optimizer.h"
#include "tgrmoe/teacher.h"

void tgr_teacher_retain(tgr_teacher *teacher);
tgr_model *tgr_teacher_student(const tgr_teacher *teacher);
/* The teacher routers' weights and their optimizer (for saving); a frozen router has an optimizer that never steps. */
tgr_parameters *tgr_teacher_router_weights(const tgr_teacher *teacher);
tgr_optimizer *tgr_teacher_router_optimizer(const tgr_teacher *teacher);
/* The backbone's, which no teacher changes. A checkpoint tells by them whether the backbone is a different one. */
const tgr_parameters *tgr_teacher_backbone_weights(const tgr_teacher *teacher);

/* Batch and mode of the last forward; the batch is 0 when it did not run (outside the window). */
int64_t tgr_teacher_batch(const tgr_teacher *teacher);
tgr_mode tgr_teacher_mode(const tgr_teacher *teacher);
/* True between a forward in TGR_TRAIN that ran and its backward, while the weights are those of the forward. */
int tgr_teacher_can_backward(const tgr_teacher *teacher);
/* How many forward passes there were: tells one from the next. */
uint64_t tgr_teacher_passes(const tgr_teacher *teacher);

/* The three functions below need a forward that ran, on the batch of the student's last forward. */

/* (distill_weight / |S|) Σ KL(p_teacher ‖ p), mean over tokens. Changes nothing. */
double tgr_teacher_distill(const tgr_teacher *teacher);
/* The teacher routers' own objective, summed over layers. */
double tgr_teacher_objective(const tgr_teacher *teacher);
/* Adds the gradient of the first to the student's routers (before the student's backward), and that of the second to
 * the teacher routers' weights if they train. */
void tgr_teacher_backward(tgr_teacher *teacher);

#endif
