/* SPDX-License-Identifier: MIT */
/* Cross-entropy with label smoothing (Szegedy et al., CVPR 2016) and soft targets. */
#include "loss/cross_entropy.h"

#include <math.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/status.h"

/* How far the sum of a row of soft targets may be from one. */
#define SUM_TOLERANCE 1e-3

static tgr_status check_labels(const tgr_cross_entropy *task) {
    for (int64_t i = 0; i < task->batch; i++)
        TGR_REQUIRE(task->labels[i] >= 0 && task->labels[i] < task->classes, TGR_ERROR_RANGE,
                    "labels[%lld] is %d; it must be 0 to %lld", (long long)i, (int)task->labels[i],
                    (long long)(task->classes - 1));
    return TGR_OK;
}

static tgr_status check_targets(const tgr_cross_entropy *task) {
    for (int64_t i = 0; i < task->batch; i++) {
        double sum = 0;
        for (int64_t c = 0; c < task->classes; c++) {
            double target = task->targets[i * task->classes + c];
            TGR_REQUIRE(target >= 0 && isfinite(target), TGR_ERROR_RANGE,
                        "targets[%lld][%lld] is %g; it must be finite and at least 0", (long long)i, (long long)c,
                        target);
            sum += target;
        }
        TGR_REQUIRE(fabs(sum - 1) <= SUM_TOLERANCE, TGR_ERROR_RANGE,
                    "targets[%lld] has the sum %.9g; it must be 1 within %g", (long long)i, sum, SUM_TOLERANCE);
    }
    return TGR_OK;
}

tgr_status tgr_cross_entropy_check(const tgr_cross_entropy *task) {
    TGR_ASSERT(task->labels != NULL || task->targets != NULL);
    return task->labels != NULL ? check_labels(task) : check_targets(task);
}

static double log_sum_exp(const float *logits, int64_t classes) {
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        if (!(logits[c] <= most)) most = logits[c];
    for (int64_t c = 0; c < classes; c++) sum += exp(logits[c] - most);
    TGR_ASSERT(!(sum < 1)); /* the largest gives 1, unless there are infinities or NaN */
    return most + log(sum);
}

/* The target q of a class. */
static double smoothed(const tgr_cross_entropy *task, int64_t row, int64_t c) {
    double target = task->labels ? c == task->labels[row] : task->targets[row * task->classes + c];
    return (1 - task->smoothing) * target + task->smoothing / (double)task->classes;
}

/* One image: -Σ_c q_c (l_c - lse), whose gradient is Σq · softmax - q. */
static void row_task(void *data, int64_t row, int worker) {
    const tgr_cross_entropy *task = data;
    const int64_t classes = task->classes;
    const float *logits = task->logits + row * classes;
    double lse = log_sum_exp(logits, classes), loss = 0, mass = 0;
    (void)worker;
    for (int64_t c = 0; c < classes; c++) {
        double q = smoothed(task, row, c);
        mass += q;
        if (q != 0) loss += q * (lse - logits[c]); /* where q is 0, a logit may be -infinity */
    }
    task->row_losses[row] = loss;
    if (task->gradient == NULL) return;
    for (int64_t c = 0; c < classes; c++) {
        double difference = mass * exp(logits[c] - lse) - smoothed(task, row, c);
        task->gradient[row * classes + c] = (float)(difference / (double)task->batch);
    }
}

double tgr_cross_entropy_run(const struct tgr_compute *compute, const tgr_cross_entropy *task) {
    TGR_ASSERT(task->batch >= 1 && task->classes >= 1);
    tgr_parallel(compute, task->batch, row_task, (void *)task);
    double sum = 0;
    for (int64_t i = 0; i < task->batch; i++) sum += task->row_losses[i];
    return sum / (double)task->batch;
}
