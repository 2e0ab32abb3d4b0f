/* SPDX-License-Identifier: MIT */
/* Options in force, for the library's own use: these cannot fail, since every value in a config is within its range. */
#ifndef TGR_BASE_CONFIG_H
#define TGR_BASE_CONFIG_H

#include "tgrmoe/options.h"

#define TGR_LIST_MAX 128

int64_t tgr_option_i64(const tgr_config *config, tgr_option option);
double tgr_option_f64(const tgr_config *config, tgr_option option);
/* The numbers of a LIST option, borrowed. */
const int64_t *tgr_option_list(const tgr_config *config, tgr_option option, int64_t *count);
/* The key of an option and, for a CHOICE, the name of its value in force; for messages. */
const char *tgr_option_key(tgr_option option);

#endif
