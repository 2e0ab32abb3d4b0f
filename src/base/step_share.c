/* SPDX-License-Identifier: MIT */
/* Shares of training as whole steps. */
#include "base/step_share.h"

#include <float.h>
#include <math.h>

#include "base/assert.h"

uint64_t tgr_step_of_share(double share, int64_t total) {
    TGR_ASSERT(share >= 0 && share <= 1 && total >= 0);
    double product = share * (double)total, nearest = round(product);
    return (uint64_t)(fabs(product - nearest) <= 4 * DBL_EPSILON * product ? nearest : ceil(product));
}
