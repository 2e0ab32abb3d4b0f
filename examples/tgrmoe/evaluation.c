/* SPDX-License-Identifier: MIT */
/* Evaluation in batches: top-1 of all images, routing of the probe. */
#include "evaluation.h"

#include <string.h>

#include "failure.h"

static int64_t count_correct(const float *logits, const int32_t *labels, int64_t images, int64_t classes) {
    int64_t correct = 0;
    for (int64_t i = 0; i < images; i++) {
        const float *row = logits + i * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++) {
            if (row[c] > row[best]) best = c;
        }
        correct += best == labels[i];
    }
    return correct;
}

int evaluate(double *top1, tgr_model *model, tgr_teacher *teacher, const image_set *set, int64_t count,
             tgr_probe *probe, int64_t probed, tool_batch *scratch, float *logits) {
    int result = 0;
    int64_t correct = 0;
    for (int64_t at = 0; at < count; at += scratch->count) { /* A batch does not reach across the end of the probe, so
                                                                that the probe's routing is that of its own tokens. */
        const int64_t end = at < probed ? probed : count;
        const float *scores = NULL;
        int64_t classes = 0;
        batch_fill(scratch, set, NULL, at, end - at < scratch->capacity ? end - at : scratch->capacity);
        if (teacher) LIBRARY(tgr_teacher_forward(teacher, TGR_EVAL, scratch->images, scratch->count));
        LIBRARY(tgr_model_forward(model, TGR_EVAL, scratch->images, scratch->count));
        LIBRARY(tgr_model_logits(model, &scores, NULL, &classes));
        correct += count_correct(scores, scratch->labels, scratch->count, classes);
        if (probe && at < probed) LIBRARY(tgr_probe_record(probe));
        if (logits) memcpy(logits + at * classes, scores, (size_t)(scratch->count * classes) * sizeof *logits);
    }
    *top1 = 100.0 * (double)correct / (double)count;
done:
    return result;
}
