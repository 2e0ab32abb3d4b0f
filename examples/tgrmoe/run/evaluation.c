/* SPDX-License-Identifier: MIT */
/* In batches: top-1 of all images, routing of the probe. */
#include "run/evaluation.h"

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

/* The first `count` images in batches. None of them crosses the end of the probe, so that the probe's routing does not
 * depend on other images. */
typedef struct evaluation_order {
    int64_t count, probed, batch, at;
} evaluation_order;

static void plan_batch(void *user, int64_t number, tool_batch *batch) {
    evaluation_order *order = user;
    const int64_t end = order->at < order->probed ? order->probed : order->count, left = end - order->at;
    batch->count = left < order->batch ? left : order->batch;
    batch->epoch = 0;
    batch->number = number;
    for (int64_t i = 0; i < batch->count; i++) batch->ids[i] = order->at++;
}

int evaluate(double *top1, tgr_model *model, tgr_teacher *teacher, const reading *what, int64_t count, tgr_probe *probe,
             int64_t probed, float *logits) {
    int result = 0;
    int64_t correct = 0, at = 0;
    evaluation_order order = {.count = count, .probed = probed, .batch = what->batch};
    const tool_batch *batch = NULL;
    image_reader *reader = NULL;
    tgr_model_description sizes = {.struct_size = sizeof sizes};
    reading plain = *what;
    plain.augment = NULL;
    plain.user = &order;
    plain.plan = plan_batch;
    LIBRARY(tgr_model_describe(model, &sizes));
    TRY(image_reader_open(&reader, &plain));
    for (;; at += batch->count) {
        const float *scores = NULL;
        TRY(image_reader_next(reader, &batch));
        if (!batch) break;
        if (teacher) LIBRARY(tgr_teacher_forward(teacher, TGR_EVAL, batch->images, batch->count));
        LIBRARY(tgr_model_forward(model, TGR_EVAL, batch->images, batch->count));
        LIBRARY(tgr_model_logits(model, &scores));
        correct += count_correct(scores, batch->labels, batch->count, sizes.classes);
        if (probe && at < probed) LIBRARY(tgr_probe_record(probe));
        if (logits) {
            memcpy(logits + at * sizes.classes, scores, (size_t)(batch->count * sizes.classes) * sizeof *logits);
        }
    }
    *top1 = 100.0 * (double)correct / (double)count;
done:
    image_reader_close(reader);
    return result;
}
