/* SPDX-License-Identifier: MIT */
/* The sizes of a model, and whether they go together. */
#ifndef TGR_MODEL_DIMENSIONS_H
#define TGR_MODEL_DIMENSIONS_H

#include "model/model.h"

/* On failure the message names the option, its value and what is allowed. */
tgr_status tgr_dimensions_read(tgr_dimensions *dimensions, const tgr_config *config);
/* The blocks with experts, counted from 1 and ascending; none when the method is dense. */
const int64_t *tgr_moe_blocks(const tgr_config *config, int64_t *count);

#endif
