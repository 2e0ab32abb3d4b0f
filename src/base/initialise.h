/* SPDX-License-Identifier: MIT */
/* Fresh weights. The random stream of a tensor is keyed by the seed and the tensor's name alone, so that models that
 * share a tensor (a dense and a sparse one, say) start it with the same numbers. */
#ifndef TGR_BASE_INITIALISE_H
#define TGR_BASE_INITIALISE_H

#include "base/parameters.h"
#include "base/random.h"

/* Fills the tensor from Normal(0, deviation²) truncated at ±2, as by timm's trunc_normal_. */
void tgr_initialise_truncated(tgr_parameters *parameters, int64_t index, double deviation);
/* Fills the tensor from Normal(0, deviation²). */
void tgr_initialise_normal(tgr_parameters *parameters, int64_t index, double deviation);
/* Fills the matrix [rows, columns] with orthogonal rows of length `gain`, or orthogonal columns where there are more
 * rows than columns; all directions are equally likely. */
void tgr_initialise_orthogonal(tgr_parameters *parameters, int64_t index, double gain);
/* The tensor's random stream, for other kinds of draws. */
tgr_random tgr_initialise_stream(const tgr_parameters *parameters, int64_t index);
/* Adds Normal(0, deviation²), from a different stream than that of fresh weights. */
void tgr_initialise_add_noise(tgr_parameters *parameters, int64_t index, double deviation);
void tgr_initialise_constant(tgr_parameters *parameters, int64_t index, float value);

#endif
