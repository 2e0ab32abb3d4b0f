/* SPDX-License-Identifier: MIT */
/* Whether a file has what a model needs: tensors with the same names, and with shapes that mean the same. */
#ifndef TGR_EXCHANGE_MATCH_H
#define TGR_EXCHANGE_MATCH_H

#include "exchange/source.h"
#include "model/model.h"
#include "tgrmoe/exchange.h"

/* Fails with ERROR_FILE_MISMATCH, or ERROR_UNSUPPORTED for elements that cannot be read as float32, and names the first
 * tensor that does not fit. `model` may be only assembled, without memory. */
tgr_status tgr_match_check(tgr_model *model, const tgr_source *source, const tgr_import_options *options);
/* Whether tensor `name` keeps the model's values. */
int tgr_match_keeps(const char *name, const tgr_import_options *options);
int tgr_match_is_positions(const char *name);
/* Tokens before the patches that the model's position embeddings cover. */
int64_t tgr_match_position_prefix(const tgr_model *model);
/* n where n² = count, or 0. */
int64_t tgr_match_square_root(int64_t count);

#endif
