/* SPDX-License-Identifier: MIT */
/* A dense model's sizes from names and shapes of tensors. */
#ifndef TGR_EXCHANGE_SIZES_H
#define TGR_EXCHANGE_SIZES_H

#include "exchange/source.h"
#include "tgrmoe/options.h"

/* Sets the options of the model whose tensors these are. ERROR_FILE_MISMATCH when one is missing or of a shape that no
 * such model has. */
tgr_status tgr_sizes_read(tgr_config *config, const tgr_source *source);

#endif
