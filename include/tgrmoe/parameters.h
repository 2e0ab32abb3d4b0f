/* SPDX-License-Identifier: MIT */
/**
 * @file parameters.h
 * Named float32 tensors and their gradients. Models, routers, MoE layers and teacher routers each lend theirs, so that
 * optimizers, checkpoints and hosts treat all of them alike. A host that averages gradients over machines does it here.
 */
#ifndef TGRMOE_PARAMETERS_H
#define TGRMOE_PARAMETERS_H

#include "tgrmoe/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How many tensors there are. */
TGR_API tgr_status tgr_parameters_count(const tgr_parameters *parameters, int64_t *count);
/** How many trained numbers there are, all tensors together (running state is not trained and does not count). */
TGR_API tgr_status tgr_parameters_total(const tgr_parameters *parameters, int64_t *numbers);
/** Name, number of dimensions (1 to 4) and dimensions of tensor `index` in [0, count). Any output may be NULL. */
TGR_API tgr_status tgr_parameters_describe(const tgr_parameters *parameters, int64_t index, const char **name,
                                           int *ndim, const int64_t **dims);
/** The index of the tensor called `name`, such as "blocks.0.attn.qkv.weight". */
TGR_API tgr_status tgr_parameters_find(const tgr_parameters *parameters, const char *name, int64_t *index);
/** The tensor's numbers, row-major, for reading and writing in place between calls. */
TGR_API tgr_status tgr_parameters_value(tgr_parameters *parameters, int64_t index, float **value);
/** The gradient summed since the last optimizer step, same layout; divide by tgr_parameters_micro for the mean. Of
 *  running state it holds sums of the batches since (outputs of experts, loads), by which the step moves the state: a
 *  host that averages gradients over machines averages all tensors alike. */
TGR_API tgr_status tgr_parameters_gradient(tgr_parameters *parameters, int64_t index, float **gradient);
/** How many backward passes the gradients hold the sum of. */
TGR_API tgr_status tgr_parameters_micro(const tgr_parameters *parameters, int64_t *micro);
/** How many optimizer steps were taken; random numbers and the guidance window go by it. */
TGR_API tgr_status tgr_parameters_step(const tgr_parameters *parameters, int64_t *step);
/** Throws away the gradients summed so far, and with them what the batches would have moved the state by. */
TGR_API tgr_status tgr_parameters_zero_gradients(tgr_parameters *parameters);

#ifdef __cplusplus
}
#endif
#endif
