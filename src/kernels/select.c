/* SPDX-License-Identifier: MIT */
/* Which kernels a machine uses. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/variants.h"

/* Best first. */
static const tgr_kernels *const rows[] = {
#if defined(__x86_64__)
    &tgr_kernels_amx,  &tgr_kernels_avx512,   &tgr_kernels_avx2,
#endif
    &tgr_kernels_blis, &tgr_kernels_portable,
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* The names of the kernels that this machine can run, for messages. */
static void list_usable(char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < ROW_COUNT && used < size; i++) {
        if (!rows[i]->usable()) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", rows[i]->name);
    }
}

const tgr_kernels *tgr_kernels_row(int index) {
    return index < ROW_COUNT ? rows[index] : NULL;
}

tgr_status tgr_kernels_select(const char *name, const tgr_kernels **out) {
    char usable[64];
    for (int i = 0; i < ROW_COUNT; i++) {
        int found = name ? strcmp(name, rows[i]->name) == 0 : rows[i]->usable();
        if (!found) continue;
        if (rows[i]->usable()) {
            *out = rows[i];
            return TGR_OK;
        }
        list_usable(usable, sizeof usable);
        return tgr_fail(TGR_ERROR_UNSUPPORTED, "kernels '%s' cannot run on this machine; those that can are %s", name,
                        usable);
    }
    list_usable(usable, sizeof usable);
    return tgr_fail(TGR_ERROR_ARGUMENT, "there are no kernels called '%s'; this machine can run %s", name, usable);
}

tgr_status tgr_kernels_check_precision(const tgr_kernels *kernels, tgr_precision precision) {
    if (precision == TGR_PRECISION_FLOAT32 || (kernels->gemm_bfloat16 != NULL && kernels->bfloat16_usable()))
        return TGR_OK;
    return tgr_fail(TGR_ERROR_UNSUPPORTED,
                    "option 'precision' is bfloat16, which needs a processor with AMX or AVX512_BF16; this context "
                    "runs kernels '%s', which multiply only float32 (precision=float32 runs anywhere)",
                    kernels->name);
}
