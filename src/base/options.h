/* SPDX-License-Identifier: MIT */
/* The option table as rows. */
#ifndef TGR_BASE_OPTIONS_H
#define TGR_BASE_OPTIONS_H

#include "tgrmoe/options.h"

typedef struct tgr_option_row {
    int number;
    const char *key;
    tgr_option_type type;
    double least, most;
    const char *choices; /* names separated by bars; NULL unless the type is CHOICE */
    const char *standard, *trait, *help;
} tgr_option_row;

#define TGR_OPTION_ONE(...) +1
enum { TGR_OPTION_ROWS = 0 TGR_OPTION_MAP(TGR_OPTION_ONE) };

extern const tgr_option_row tgr_option_rows[TGR_OPTION_ROWS];

/* The row of an option, or NULL. */
const tgr_option_row *tgr_option_find_row(tgr_option option);
const tgr_option_row *tgr_option_find_key(const char *key, size_t length);
/* The same, but fail with ERROR_OPTION if there is none; for a misspelt key the message suggests the nearest. */
tgr_status tgr_option_require(tgr_option option, const tgr_option_row **row);
tgr_status tgr_option_require_key(const char *key, const tgr_option_row **row);
/* "key=value key=value …": the defaults that a preset or a method replaces. */
const char *tgr_preset_defaults(int64_t preset);
const char *tgr_method_defaults(int64_t method);
const char *tgr_method_name(int64_t method);

#endif
