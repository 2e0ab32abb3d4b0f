/* SPDX-License-Identifier: MIT */
/* Cross-entropy of a batch of logits against labels or soft targets, with its gradient. */
#ifndef TGR_LOSS_CROSS_ENTROPY_H
#define TGR_LOSS_CROSS_ENTROPY_H

#include <stdint.h>

#include "tgrmoe/common.h"

struct tgr_compute;

typedef struct tgr_cross_entropy {
    int64_t batch, classes;
    const float *logits;   /* [batch, classes] */
    const int32_t *labels; /* [batch], or NULL: */
    const float *targets;  /* [batch, classes] */
    double smoothing;      /* q = (1 - smoothing) · target + smoothing / classes */
    float *gradient;       /* [batch, classes], overwritten; NULL when not wanted */
    double *row_losses;    /* [batch] */
} tgr_cross_entropy;

/* ERROR_RANGE for an invalid label or row of targets; the message has its index and what is allowed. */
tgr_status tgr_cross_entropy_check(const tgr_cross_entropy *task);
/* Mean over the batch of -Σ_c q_c log softmax(logits)_c, in double. */
double tgr_cross_entropy_run(const struct tgr_compute *compute, const tgr_cross_entropy *task);

#endif
