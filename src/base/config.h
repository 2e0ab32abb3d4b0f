/* SPDX-License-Identifier: MIT */
/* Options in force, for the library's own use: these cannot fail, since every value in a config is within its range. */
#ifndef TGR_BASE_CONFIG_H
#define TGR_BASE_CONFIG_H

#include "tgrmoe/options.h"

#define TGR_LIST_MAX 128

int64_t tgr_option_i64(const tgr_config *config, tgr_option option);
double tgr_option_f64(const tgr_config *config, tgr_option option);
/* The numbers of a LIST option, lent by the config. */
const int64_t *tgr_option_list(const tgr_config *config, tgr_option option, int64_t *count);
/* max(1, mlp_ratio · dim, rounded): the hidden width of an FFN and of an expert. */
int64_t tgr_hidden_width(const tgr_config *config, int64_t dim);
/* The key of an option and, for a CHOICE, the name of its value in force; for messages. */
const char *tgr_option_key(tgr_option option);
/* tgr_method_uses_option for the method in force. */
int tgr_option_is_used(const tgr_config *config, tgr_option option);
/* Fails with ERROR_OPTION if the caller set an option that the method in force does not use. */
tgr_status tgr_config_check_methods(const tgr_config *config);
#define TGR_ASK_BYTES 256

/* Has the host asked for an option that an imported file does not tell, and whose value is a guess: no model is made of
 * the config before the host has set it. `why` begins the message, and is copied up to
 * TGR_ASK_BYTES. */
void tgr_config_ask(tgr_config *config, tgr_option option, const char *why);
/* Fails with ERROR_OPTION and the reason while there is such an option. */
tgr_status tgr_config_check_asked(const tgr_config *config);

#endif
