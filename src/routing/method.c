/* SPDX-License-Identifier: MIT */
/* The methods of TGR_METHOD_MAP by index. */
#include "routing/method.h"

static const tgr_method *const methods[] = {
#define ROW(index, NAME, word, ...) [index] = &tgr_method_##word,
    TGR_METHOD_MAP(ROW)
#undef ROW
};

const tgr_method *tgr_method_find(int index) {
    int there = index >= 0 && index < (int)(sizeof methods / sizeof *methods) && methods[index] != NULL;
    return there && methods[index]->score != NULL ? methods[index] : NULL;
}
