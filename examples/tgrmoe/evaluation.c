/* SPDX-License-Identifier: MIT */
/* Evaluation in batches: top-1 of all images, routing of the probe. */
#include "evaluation.h"

#include <stdlib.h>
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

/* Room for the probe, once the first batch has shown how many tokens an image has. */
static int make_room(tool_evaluation *out, int64_t tokens, int64_t experts, int64_t probe) {
    out->experts = experts;
    out->choices = probe * tokens;
    out->routing = calloc((size_t)(out->layers * out->choices), sizeof *out->routing);
    out->load = calloc((size_t)(out->layers * experts), sizeof *out->load);
    if (!out->routing || !out->load) return fail_with("no memory for the routing of %lld images", (long long)probe);
    return 0;
}

/* Adds one batch of probe images, the first of them at `first`. Entropy and drops are summed over tokens. */
static int add_routing(tool_evaluation *out, const tgr_model *model, int64_t first, int64_t images, int64_t probe) {
    int result = 0;
    for (int64_t layer = 0; layer < out->layers; layer++) {
        const tgr_routing *routing = NULL;
        const int32_t *chosen = NULL;
        const int64_t *load = NULL;
        int64_t rows = 0, experts = 0, top_k = 0;
        double entropy = 0, dropped = 0;
        LIBRARY(tgr_model_routing(model, layer, &routing));
        LIBRARY(tgr_routing_shape(routing, &rows, &experts, &top_k));
        LIBRARY(tgr_routing_choices(routing, &chosen, NULL));
        LIBRARY(tgr_routing_load(routing, &load));
        LIBRARY(tgr_measure_routing(routing, &entropy, &dropped, NULL, NULL));
        if (!out->routing) TRY(make_room(out, rows / images, experts, probe));
        int32_t *to = out->routing + layer * out->choices + first * (rows / images);
        for (int64_t t = 0; t < rows; t++) to[t] = chosen[t * top_k];
        for (int64_t e = 0; e < experts; e++) out->load[layer * experts + e] += load[e];
        out->entropy += entropy * (double)rows;
        out->dropped += dropped * (double)rows;
    }
done:
    return result;
}

/* From sums to means over layers and tokens. */
static int summarise_routing(tool_evaluation *out) {
    int result = 0;
    if (out->layers == 0 || out->choices == 0) goto done;
    const double tokens = (double)(out->layers * out->choices);
    out->entropy /= tokens;
    out->dropped /= tokens;
    for (int64_t layer = 0; layer < out->layers; layer++) {
        const int64_t *load = out->load + layer * out->experts;
        double cv = 0;
        LIBRARY(tgr_measure_load_cv(load, out->experts, &cv));
        out->load_cv += cv / (double)out->layers;
        for (int64_t e = 0; e < out->experts; e++) out->dead += load[e] == 0;
    }
done:
    return result;
}

int evaluate(tool_evaluation *out, tgr_model *model, tgr_teacher *teacher, const image_set *set, int64_t count,
             int64_t probe, tool_batch *scratch, float *logits) {
    int result = 0;
    int64_t correct = 0;
    tool_evaluation seen = {0};
    LIBRARY(tgr_model_moe_layers(model, &seen.layers));
    for (int64_t at = 0; at < count; at += scratch->count) { /* A batch does not reach across the end of the probe, so
                                                                that the probe's routing is that of its own tokens. */
        const int64_t end = at < probe ? probe : count;
        const float *scores = NULL;
        int64_t classes = 0;
        batch_fill(scratch, set, NULL, at, end - at < scratch->capacity ? end - at : scratch->capacity);
        if (teacher) LIBRARY(tgr_teacher_forward(teacher, TGR_EVAL, scratch->images, scratch->count));
        LIBRARY(tgr_model_forward(model, TGR_EVAL, scratch->images, scratch->count));
        LIBRARY(tgr_model_logits(model, &scores, NULL, &classes));
        correct += count_correct(scores, scratch->labels, scratch->count, classes);
        if (at < probe) TRY(add_routing(&seen, model, at, scratch->count, probe));
        if (logits) memcpy(logits + at * classes, scores, (size_t)(scratch->count * classes) * sizeof *logits);
    }
    TRY(summarise_routing(&seen));
    seen.top1 = 100.0 * (double)correct / (double)count;
    evaluation_free(out);
    *out = seen;
    seen = (tool_evaluation){0};
done:
    evaluation_free(&seen);
    return result;
}

void evaluation_free(tool_evaluation *evaluation) {
    free(evaluation->routing);
    free(evaluation->load);
    *evaluation = (tool_evaluation){0};
}
