/* SPDX-License-Identifier: MIT */
/* Creating a context: the one public function of contexts that knows kernels. */
#include "base/context.h"

#include <stdlib.h>

#include "base/status.h"
#include "kernels/kernels.h"

tgr_status tgr_context_create(tgr_context **out, const tgr_context_options *options) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    const char *name = getenv("TGRMOE_KERNELS");
    const tgr_kernels *kernels;
    TGR_TRY(tgr_kernels_select(name != NULL && name[0] != '\0' ? name : NULL, &kernels));
    return tgr_context_build(out, options, kernels, TGR_GEMM_SCRATCH);
}

const char *tgr_context_kernels(const tgr_context *context) {
    return context != NULL ? context->compute.kernels->name : NULL;
}
