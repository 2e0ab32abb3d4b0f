/* SPDX-License-Identifier: MIT */
/* How well a model does on a set of images, and how it routes the first ones (the probe). */
#ifndef TOOL_RUN_EVALUATION_H
#define TOOL_RUN_EVALUATION_H

#include <tgrmoe/tgrmoe.h>

#include "batches/reader.h"

/* *top1: the percentage of the first `count` images of what->set whose label has the largest logit. Records the routing
 * of the first `probed` of them (at most `count`) as a run of `probe`, unless that is NULL. Sets what->plan itself.
 * `teacher`: NULL, or the oracle that routes. `logits`: NULL, or memory for [count, classes]. */
int evaluate(double *top1, tgr_model *model, tgr_teacher *teacher, const reading *what, int64_t count, tgr_probe *probe,
             int64_t probed, float *logits);

#endif
