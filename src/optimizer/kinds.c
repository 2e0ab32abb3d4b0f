/* SPDX-License-Identifier: MIT */
/* The optimizers of TGR_OPTIMIZER_MAP by index. */
#include "optimizer/kind.h"

#include "base/assert.h"

static const tgr_optimizer_kind *const kinds[] = {
#define ROW(index, NAME, word, ...) [index] = &tgr_optimizer_##word,
    TGR_OPTIMIZER_MAP(ROW)
#undef ROW
};

static const char *const names[] = {
#define ROW(index, NAME, word, name, ...) [index] = (name),
    TGR_OPTIMIZER_MAP(ROW)
#undef ROW
};

const tgr_optimizer_kind *tgr_optimizer_kind_of(int64_t index) {
    TGR_ASSERT(tgr_optimizer_is_known((uint64_t)index));
    return kinds[index];
}

const char *tgr_optimizer_name(int64_t index) {
    return names[index];
}

int tgr_optimizer_is_known(uint64_t index) {
    return index < sizeof names / sizeof *names;
}
