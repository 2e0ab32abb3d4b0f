/* SPDX-License-Identifier: MIT */
/* The guidance window in whole steps. */
#include "teacher/window.h"

#include "base/assert.h"
#include "base/status.h"
#include "base/step_share.h"

tgr_status tgr_window_read(tgr_window *window, const tgr_config *config) {
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    double start = tgr_option_f64(config, TGR_OPTION_GUIDANCE_START);
    double end = tgr_option_f64(config, TGR_OPTION_GUIDANCE_END);
    if (start > end)
        return tgr_fail(TGR_ERROR_RANGE,
                        "guidance_start is %g and guidance_end %g; the end must not be before the start", start, end);
    if (total == 0 && (start != 0 || end != 1))
        return tgr_fail(TGR_ERROR_RANGE, "guidance from %g to %g of training needs total_steps, which is 0", start,
                        end);
    *window = total == 0 ? (tgr_window){0, UINT64_MAX}
                         : (tgr_window){tgr_step_of_share(start, total), tgr_step_of_share(end, total)};
    TGR_ASSERT(window->first <= window->end);
    return TGR_OK;
}
