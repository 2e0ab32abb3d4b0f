/* SPDX-License-Identifier: MIT */
/* The end of the model: final norm, and a linear head on CLS; with a distillation token a second head on that, and the
 * mean of both as logits. */
#ifndef TGR_MODEL_HEAD_H
#define TGR_MODEL_HEAD_H

#include "layers/linear.h"
#include "layers/norm.h"
#include "model/model.h"

typedef struct tgr_head {
    tgr_norm norm;
    tgr_linear linear[2]; /* on CLS, on the distillation token */
    int64_t count;        /* of heads: 0 when there are no classes */
    int64_t classes;
    float *features;        /* [batch, tokens, dim], output of the norm */
    float *logits;          /* [batch, classes] */
    float *logits_gradient; /* [batch, classes], of each head's own logits; NULL where it is the same */
} tgr_head;

/* Adds norm.…, head.…, head_dist.…. */
tgr_status tgr_head_add(tgr_head *head, tgr_parameters *parameters, const tgr_config *config,
                        const tgr_dimensions *dimensions);
void tgr_head_initialise(const tgr_head *head, tgr_parameters *parameters, double deviation);
void tgr_head_plan(tgr_head *head, const tgr_pass *pass, tgr_arena *arena);
/* x [batch, tokens, dim] is the residual stream after the last block. */
void tgr_head_forward(const tgr_head *head, const tgr_pass *pass, const float *x);
/* pass->gradient becomes that of x. Either gradient may be NULL. */
void tgr_head_backward(const tgr_head *head, const tgr_pass *pass, const float *x, const float *logits_gradient,
                       const float *features_gradient);

#endif
