/* SPDX-License-Identifier: MIT */
/* Options as texts of a file: "tgrmoe.depth" is "12". */
#ifndef TGR_EXCHANGE_TEXTS_H
#define TGR_EXCHANGE_TEXTS_H

#include "tgrmoe/options.h"
#include "tgrmoe/safetensors.h"

#define TGR_TEXT_PREFIX "tgrmoe."

/* Whether the library wrote the file. */
int tgr_texts_are_present(const tgr_safetensors *file);
/* Adds every option that the method in force uses. */
tgr_status tgr_texts_write(tgr_safetensors_writer *writer, const tgr_config *config);
/* In a config with nothing set, sets what differs from this library's defaults, so that the same values are in force.
 * ERROR_FILE_MISMATCH for options or values that this library does not know. */
tgr_status tgr_texts_read(tgr_config *config, const tgr_safetensors *file);
/* Fails if the file's model has another number of heads, which no shape determines. */
tgr_status tgr_texts_check_heads(const tgr_config *config, const tgr_safetensors *file);

#endif
