/* SPDX-License-Identifier: MIT */
/**
 * @file optimizer.h
 * AdamW (Loshchilov & Hutter, ICLR 2019) and SGD with momentum over a set of parameters.
 *
 * Biases, norms, tokens, positions and LayerScale are not decayed. The gradient used is the mean over the micro-batches
 * accumulated since the last step, clipped to global norm `clip_norm` if that is set.
 */
#ifndef TGRMOE_OPTIMIZER_H
#define TGRMOE_OPTIMIZER_H

#include "tgrmoe/options.h"
#include "tgrmoe/parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An optimizer for `parameters`, which it keeps alive. It reads options 400 and up of the config, which is copied. */
TGR_API tgr_status tgr_optimizer_create(tgr_optimizer **out, const tgr_config *config, tgr_parameters *parameters);
TGR_API void tgr_optimizer_free(tgr_optimizer *optimizer);
/** One step at the scheduled learning rate; then the gradients are zero and the step count is one higher.
 *  ERROR_NONFINITE when a gradient is infinite or not a number, or the norm after clipping is above 1e18 (whose square
 *  float32 cannot hold): no weight, moment or count changed, and the gradients are discarded, so that the host can
 *  continue with its next batch. Every moment therefore stays finite, and so does every weight unless the options
 *  themselves make it grow without bound. ERROR_STATE when there has been no backward since the last step. */
TGR_API tgr_status tgr_optimizer_step(tgr_optimizer *optimizer);
/** The learning rate that the next step will use: the schedule's at the parameters' step count. */
TGR_API double tgr_optimizer_learning_rate(const tgr_optimizer *optimizer);
/** Uses `rate` (0 to 1000) from now on instead of the schedule; a negative number returns to the schedule. */
TGR_API tgr_status tgr_optimizer_set_learning_rate(tgr_optimizer *optimizer, double rate);
/** The global norm of the last successful step's gradient, before clipping; 0 before the first. */
TGR_API double tgr_optimizer_gradient_norm(const tgr_optimizer *optimizer);

/** Complements tgr_model_upcycle(): the moments of each tensor, including those of experts, become those of the tensor
 *  that it was copied from, and 0 if there is none. The count of steps for AdamW's bias correction becomes that of
 *  `dense`, so the fresh router's first updates are up to (1 - beta1)/sqrt(1 - beta2) times the rate. Rate, schedule
 *  and weights do not change. Both must be of the same kind; ERROR_SHAPE when their parameters do not match. */
TGR_API tgr_status tgr_optimizer_upcycle(tgr_optimizer *sparse, const tgr_optimizer *dense);

/** The cosine schedule with linear warm-up, as a pure function: for `step` counted from 0, the rate
 *  peak·(step + 1)/warmup below `warmup`, else `lowest` from `total` on, else
 *  lowest + (peak - lowest)·(1 + cos(π·(step - warmup)/(total - warmup)))/2. Negative counts count as 0. */
TGR_API double tgr_schedule_cosine(int64_t step, int64_t total, int64_t warmup, double peak, double lowest);

#ifdef __cplusplus
}
#endif
#endif
