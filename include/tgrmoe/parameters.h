/* SPDX-License-Identifier: MIT */
/**
 * @file parameters.h
 * Named float32 tensors and their gradients. Models, routers, MoE layers and teacher routers each lend theirs, so that
 * optimizers, checkpoints and hosts treat all of them the same way. A host that averages gradients over machines does
 * it here.
 */
#ifndef TGRMOE_PARAMETERS_H
#define TGRMOE_PARAMETERS_H

#include "tgrmoe/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One tensor. */
typedef struct tgr_parameter_description {
    size_t struct_size; /**< sizeof(tgr_parameter_description), set by the caller */
    const char *name;   /**< such as "blocks.0.attn.qkv.weight"; lent by the parameters */
    int64_t ndim;       /**< 1 to 4 */
    int64_t dims[4];    /**< zero past `ndim` */
    int64_t count;      /**< number of elements */
    int32_t trained;    /**< 0 for running state, which is saved and loaded but never trained */
    int32_t decayed;    /**< 1 if weight decay applies: not to biases, norms, tokens, positions and LayerScale */
} tgr_parameter_description;

/** How many tensors there are. */
TGR_API int64_t tgr_parameters_count(const tgr_parameters *parameters);
/** How many trained numbers there are in all tensors (running state does not count). */
TGR_API int64_t tgr_parameters_number_count(const tgr_parameters *parameters);
/** Describes tensor `index` in [0, tgr_parameters_count()). */
TGR_API tgr_status tgr_parameters_describe(const tgr_parameters *parameters, int64_t index,
                                           tgr_parameter_description *description);
/** The index of the tensor called `name`; -1 if there is none. */
TGR_API int64_t tgr_parameters_find(const tgr_parameters *parameters, const char *name);
/** The tensor's numbers, row-major, for reading and writing in place between calls. */
TGR_API tgr_status tgr_parameters_value(tgr_parameters *parameters, int64_t index, float **value);
/** The gradient summed since the last optimizer step, same layout; divide by tgr_parameters_micro_count() for the mean.
 *  For running state it holds sums over the batches since then (outputs of experts, loads), from which the step updates
 *  the state: a host that averages gradients over machines treats all tensors the same way. */
TGR_API tgr_status tgr_parameters_gradient(tgr_parameters *parameters, int64_t index, float **gradient);
/** How many backward passes have been summed in the gradients. */
TGR_API int64_t tgr_parameters_micro_count(const tgr_parameters *parameters);
/** How many optimizer steps have been taken; random numbers and the guidance window depend on it. */
TGR_API int64_t tgr_parameters_step_count(const tgr_parameters *parameters);
/** Discards the gradients summed so far, and with them these batches' effect on running state. */
TGR_API tgr_status tgr_parameters_zero_gradients(tgr_parameters *parameters);

#ifdef __cplusplus
}
#endif
#endif
