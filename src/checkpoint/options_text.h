/* SPDX-License-Identifier: MIT */
/* A config as text, one line for each option: "set heads=4" if the caller set it, "default heads=3" if not. */
#ifndef TGR_CHECKPOINT_OPTIONS_TEXT_H
#define TGR_CHECKPOINT_OPTIONS_TEXT_H

#include "tgrmoe/options.h"

#define TGR_OPTIONS_TEXT_BYTES 131072

/* `text` has TGR_OPTIONS_TEXT_BYTES, always enough; *length excludes the final NUL. */
tgr_status tgr_options_write(const tgr_config *config, char *text, size_t *length);
/* A new config with the same values in force, whatever this library's defaults: it sets what was set, and every option
 * whose default has changed since. `text` of `length` bytes need not end with a NUL; `file` is for messages. */
tgr_status tgr_options_read(tgr_config **out, tgr_context *context, const char *text, size_t length, const char *file);
/* Fails if an option that determines a shape differs; `stored` is the file's config, `present` the model's. Options
 * that determine which tensors there are (mlp_ratio, experts, …) are compared through the tensors. */
tgr_status tgr_options_compare(const tgr_config *stored, const tgr_config *present, const char *file);

#endif
