/* SPDX-License-Identifier: MIT */
/* The guidance window in whole steps, worked out once, so that no later comparison depends on rounding. */
#include "teacher/window.h"

#include <float.h>
#include <math.h>

#include "base/status.h"

/* The first step that is not before `share` of `total`. A product that is a whole number but for the rounding of a
 * share such as 0.07 is that number; any other is rounded up. */
static uint64_t edge(double share, int64_t total) {
    double product = share * (double)total, nearest = round(product);
    return (uint64_t)(fabs(product - nearest) <= 4 * DBL_EPSILON * product ? nearest : ceil(product));
}

tgr_status tgr_window_read(tgr_window *window, const tgr_config *config) {
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    double start = tgr_option_f64(config, TGR_OPTION_GUIDANCE_START);
    double end = tgr_option_f64(config, TGR_OPTION_GUIDANCE_END);
    if (start > end)
        return tgr_fail_in("tgr_teacher_create", TGR_ERROR_RANGE,
                           "guidance_start is %g and guidance_end %g; the end must not come first", start, end);
    if (total == 0 && (start != 0 || end != 1))
        return tgr_fail_in("tgr_teacher_create", TGR_ERROR_RANGE,
                           "guidance from %g to %g of training needs total_steps, which is 0", start, end);
    *window = total == 0 ? (tgr_window){0, UINT64_MAX} : (tgr_window){edge(start, total), edge(end, total)};
    return TGR_OK;
}
