/* SPDX-License-Identifier: MIT */
/* What the loss and the checkpoint may do with a teacher beyond its public face. */
#ifndef TGR_TEACHER_TEACHER_H
#define TGR_TEACHER_TEACHER_H

#include "model/model.h"
#include "optimizer/optimizer.h"
#include "tgrmoe/teacher.h"

void tgr_teacher_retain(tgr_teacher *teacher);
tgr_model *tgr_teacher_student(const tgr_teacher *teacher);
tgr_model *tgr_teacher_backbone(const tgr_teacher *teacher);
/* The teacher routers' weights and their optimizer (for saving). */
tgr_parameters *tgr_teacher_router_weights(const tgr_teacher *teacher);
tgr_optimizer *tgr_teacher_router_optimizer(const tgr_teacher *teacher);
/* CRC-32 of the backbone's weights, which never change: a checkpoint refuses another backbone. */
uint32_t tgr_teacher_fingerprint(const tgr_teacher *teacher);
/* Batch of the last forward, 0 when it did not run (outside of the window). */
int64_t tgr_teacher_batch(const tgr_teacher *teacher);
/* Adds the guidance of every layer to the student's routers; *distill gets (distill_weight / layers) Σ KL. */
void tgr_teacher_guide(tgr_teacher *teacher, double *distill);
/* The teacher routers' objective over all layers. */
void tgr_teacher_objective(const tgr_teacher *teacher, double *objective);
/* Adds the objective's gradient to the teacher routers' (joint mode only). */
void tgr_teacher_backward(tgr_teacher *teacher);

#endif
