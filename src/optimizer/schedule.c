/* SPDX-License-Identifier: MIT */
/* The learning rate as a function of the step: linear warm-up, then half a cosine. */
#include <math.h>

#include "base/assert.h"
#include "base/status.h"
#include "optimizer/optimizer.h"

#define PI 3.14159265358979323846

double tgr_schedule_cosine(int64_t step, int64_t total, int64_t warmup, double peak, double lowest) {
    TGR_ENTER;
    if (step < 0) step = 0;
    if (step < warmup) return peak * ((double)step + 1) / (double)warmup;
    if (step >= total) return lowest;
    if (warmup < 0) warmup = 0;
    TGR_ASSERT(total > warmup);
    double done = (double)(step - warmup) / (double)(total - warmup);
    return lowest + (peak - lowest) * (1 + cos(PI * done)) / 2;
}

double tgr_optimizer_rate_at(const tgr_optimizer *optimizer, uint64_t step) {
    const tgr_config *config = optimizer->config;
    if (optimizer->fixed_rate >= 0) return optimizer->fixed_rate;
    int64_t at = step > INT64_MAX ? INT64_MAX : (int64_t)step;
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    int64_t warmup = tgr_option_i64(config, TGR_OPTION_WARMUP_STEPS);
    double peak = tgr_option_f64(config, TGR_OPTION_LR);
    int constant = total == 0 || tgr_option_i64(config, TGR_OPTION_SCHEDULE) == TGR_SCHEDULE_CONSTANT;
    if (constant && at >= warmup) return peak;
    return tgr_schedule_cosine(at, total, warmup, peak, tgr_option_f64(config, TGR_OPTION_MIN_LR));
}
