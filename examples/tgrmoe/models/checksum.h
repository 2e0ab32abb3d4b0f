/* SPDX-License-Identifier: MIT */
/* A number that identifies a model's weights. */
#ifndef TOOL_MODELS_CHECKSUM_H
#define TOOL_MODELS_CHECKSUM_H

#include <stdint.h>
#include <tgrmoe/tgrmoe.h>

/* Of all values of the model's parameters, in their order. */
int model_checksum(tgr_model *model, int64_t *checksum);

#endif
