/* SPDX-License-Identifier: MIT */
/* The methods of TGR_METHOD_MAP by index. */
#include "routing/method.h"

#define ONE(...) +1
enum { METHODS = 0 TGR_METHOD_MAP(ONE) };

static const tgr_method *const methods[METHODS] = {
#define ROW(index, NAME, word, ...) [index] = &tgr_method_##word,
    TGR_METHOD_MAP(ROW)
#undef ROW
};

const tgr_method *tgr_method_of(int index) {
    return index >= 0 && index < METHODS && methods[index]->score != NULL ? methods[index] : NULL;
}
