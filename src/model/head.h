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
    int64_t count;        /* number of heads: 0 when there are no classes */
    int64_t classes, tokens;
    float *features; /* [batch, tokens, dim], output of the norm */
    float *logits;   /* [batch, classes] */
    float *dlogits;  /* [batch, classes], gradient of each head's own logits; NULL where it equals that of the mean */
} tgr_head;

/* Adds norm.…, head.…, head_dist.…. */
tgr_status tgr_head_declare(tgr_head *head, tgr_parameters *parameters, const tgr_config *config,
                            const tgr_dimensions *dimensions);
void tgr_head_initialise(const tgr_head *head, double deviation);
void tgr_head_plan(tgr_head *head, tgr_mode mode, tgr_arena *arena, int64_t batch, int64_t rows);
/* x [batch, tokens, dim] is the residual stream after the last block. */
void tgr_head_forward(const tgr_head *head, int64_t batch, const float *x);
/* dx [batch, tokens, dim] from dlogits [batch, classes] and dfeatures [batch, tokens, dim], either of which may be
 * NULL. `partial` is as large as tgr_norm_backward and tgr_linear_backward need. */
void tgr_head_backward(const tgr_head *head, int64_t batch, const float *x, const float *dlogits,
                       const float *dfeatures, float *dx, float *partial);

#endif
