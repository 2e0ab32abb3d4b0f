/* SPDX-License-Identifier: MIT */
/* Sparse upcycling of an optimizer: its moments are copied as the weights are. */
#include "base/upcycle.h"

#include <string.h>

#include "base/status.h"
#include "optimizer/kind.h"
#include "optimizer/optimizer.h"

tgr_status tgr_optimizer_upcycle(tgr_optimizer *sparse, const tgr_optimizer *dense) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(sparse);
    TGR_REQUIRE_ARGUMENT(dense);
    TGR_REQUIRE(sparse->kind == dense->kind, TGR_ERROR_ARGUMENT,
                "argument 'sparse' has optimizer=%s, 'dense' has optimizer=%s; they must be the same",
                tgr_optimizer_name(sparse->kind), tgr_optimizer_name(dense->kind));
    TGR_TRY(tgr_upcycle_check(sparse->parameters, dense->parameters));
    size_t bytes = (size_t)sparse->parameters->floats * sizeof(float);
    memset(sparse->first_moment, 0, bytes);
    tgr_upcycle_copy(sparse->parameters, sparse->first_moment, dense->parameters, dense->first_moment);
    if (sparse->second_moment != NULL) {
        memset(sparse->second_moment, 0, bytes);
        tgr_upcycle_copy(sparse->parameters, sparse->second_moment, dense->parameters, dense->second_moment);
    }
    sparse->steps = dense->steps;
    return TGR_OK;
}
