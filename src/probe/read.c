/* SPDX-License-Identifier: MIT */
/* What can be read from a probe's history. */
#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "base/struct.h"
#include "probe/probe.h"
#include "tgrmoe/measure.h"

static tgr_status check_run(const tgr_probe *probe, const char *name, int64_t run) {
    if (run >= 0 && run < probe->runs) return TGR_OK;
    return tgr_fail(TGR_ERROR_RANGE, "argument '%s' is %lld; there are %lld runs, counted from 0", name, (long long)run,
                    (long long)probe->runs);
}

static tgr_status check_layer(const tgr_probe *probe, int64_t layer) {
    if (layer >= -1 && layer < probe->layers) return TGR_OK;
    return tgr_fail(TGR_ERROR_RANGE, "argument 'layer' is %lld; it must be -1 or one of the %lld layers",
                    (long long)layer, (long long)probe->layers);
}

/* The layers that `layer` stands for: [first, first + count). */
static int64_t first_layer(int64_t layer) {
    return layer < 0 ? 0 : layer;
}
static int64_t layer_count(const tgr_probe *probe, int64_t layer) {
    return layer < 0 ? probe->layers : 1;
}

/* The k-th choices of those layers: [layers, tokens]. */
static const int32_t *choices_of(const tgr_probe *probe, int64_t run, int64_t k, int64_t layer) {
    return tgr_probe_view(probe, run).choices + (k * probe->layers + first_layer(layer)) * probe->tokens;
}

int64_t tgr_probe_run_count(const tgr_probe *probe) {
    return probe != NULL ? probe->runs : 0;
}

tgr_status tgr_probe_describe(const tgr_probe *probe, tgr_probe_description *description) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    const tgr_probe_description found = {
        .layers = probe->layers, .tokens = probe->tokens, .experts = probe->experts, .top_k = probe->top_k};
    return TGR_STRUCT_WRITE(description, &found, top_k);
}

tgr_status tgr_probe_choices(const tgr_probe *probe, int64_t run, int64_t k, const int32_t **experts) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(experts);
    TGR_TRY(check_run(probe, "run", run));
    TGR_REQUIRE(k >= 0 && k < probe->top_k, TGR_ERROR_RANGE, "argument 'k' is %lld; a token has %lld choices",
                (long long)k, (long long)probe->top_k);
    *experts = choices_of(probe, run, k, -1);
    return TGR_OK;
}

tgr_status tgr_probe_agreement(const tgr_probe *probe, int64_t layer, int64_t run, int64_t other, double *share) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(share);
    TGR_TRY(check_layer(probe, layer));
    TGR_TRY(check_run(probe, "run", run));
    TGR_TRY(check_run(probe, "other", other));
    return tgr_measure_agreement(choices_of(probe, run, 0, layer), choices_of(probe, other, 0, layer),
                                 layer_count(probe, layer) * probe->tokens, share);
}

tgr_status tgr_probe_overlap(const tgr_probe *probe, int64_t layer, int64_t run, int64_t other, double *share) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(share);
    TGR_TRY(check_layer(probe, layer));
    TGR_TRY(check_run(probe, "run", run));
    TGR_TRY(check_run(probe, "other", other));
    const int64_t tokens = layer_count(probe, layer) * probe->tokens;
    int64_t shared = 0; /* pairs (k, l) with the same expert: the experts of one token differ from each other */
    for (int64_t k = 0; k < probe->top_k; k++) {
        const int32_t *a = choices_of(probe, run, k, layer);
        for (int64_t l = 0; l < probe->top_k; l++) {
            const int32_t *b = choices_of(probe, other, l, layer);
            for (int64_t t = 0; t < tokens; t++) shared += a[t] == b[t];
        }
    }
    TGR_ASSERT(shared <= tokens * probe->top_k);
    *share = (double)shared / ((double)tokens * (double)probe->top_k);
    return TGR_OK;
}

/* The last fluctuation of token `t` of those layers. */
static int64_t last_fluctuation(const tgr_probe *probe, int64_t layer, int64_t t) {
    const int32_t final = choices_of(probe, probe->runs - 1, 0, layer)[t];
    int64_t run = probe->runs - 2;
    while (run >= 0 && choices_of(probe, run, 0, layer)[t] == final) run--;
    return run;
}

tgr_status tgr_probe_last_fluctuation(const tgr_probe *probe, int64_t layer, int64_t *last) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(last);
    TGR_TRY(check_layer(probe, layer));
    TGR_REQUIRE(probe->runs > 0, TGR_ERROR_STATE, "there has been no run yet");
    const int64_t tokens = layer_count(probe, layer) * probe->tokens;
    for (int64_t t = 0; t < tokens; t++) last[t] = last_fluctuation(probe, layer, t);
    return TGR_OK;
}

tgr_status tgr_probe_fluctuating(const tgr_probe *probe, int64_t layer, int64_t run, double *share) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(share);
    TGR_TRY(check_layer(probe, layer));
    TGR_REQUIRE(probe->runs > 0, TGR_ERROR_STATE, "there has been no run yet");
    if (run != -1) TGR_TRY(check_run(probe, "run", run));
    const int64_t tokens = layer_count(probe, layer) * probe->tokens;
    int64_t later = 0;
    for (int64_t t = 0; t < tokens; t++) later += last_fluctuation(probe, layer, t) > run;
    *share = (double)later / (double)tokens;
    return TGR_OK;
}

tgr_status tgr_probe_load(const tgr_probe *probe, int64_t layer, int64_t run, double *shares) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(shares);
    TGR_TRY(check_layer(probe, layer));
    TGR_TRY(check_run(probe, "run", run));
    const int64_t *load = tgr_probe_view(probe, run).load + first_layer(layer) * probe->experts;
    double sum = 0;
    for (int64_t e = 0; e < probe->experts; e++) {
        shares[e] = 0;
        for (int64_t i = 0; i < layer_count(probe, layer); i++) shares[e] += (double)load[i * probe->experts + e];
        sum += shares[e];
    }
    for (int64_t e = 0; e < probe->experts && sum > 0; e++) shares[e] /= sum;
    return TGR_OK;
}

/* The mean of a measure over those layers. */
static double mean_of(const tgr_probe *probe, const double *measure, int64_t layer) {
    double sum = 0;
    for (int64_t i = 0; i < layer_count(probe, layer); i++) sum += measure[first_layer(layer) + i];
    return sum / (double)layer_count(probe, layer);
}

tgr_status tgr_probe_measure(const tgr_probe *probe, int64_t layer, int64_t run, tgr_routing_measures *measures) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_TRY(check_layer(probe, layer));
    TGR_TRY(check_run(probe, "run", run));
    const tgr_probe_record_view record = tgr_probe_view(probe, run);
    tgr_routing_measures found = {.entropy = mean_of(probe, record.entropy, layer),
                                  .margin = mean_of(probe, record.margin, layer),
                                  .dropped = mean_of(probe, record.dropped, layer)};
    double cv_sum = 0;
    for (int64_t i = 0; i < layer_count(probe, layer); i++) {
        const int64_t *load = record.load + (first_layer(layer) + i) * probe->experts;
        double cv = 0;
        TGR_TRY(tgr_measure_load_cv(load, probe->experts, &cv));
        cv_sum += cv;
        for (int64_t e = 0; e < probe->experts; e++) found.dead += load[e] == 0;
    }
    found.load_cv = cv_sum / (double)layer_count(probe, layer);
    return TGR_STRUCT_WRITE(measures, &found, dead);
}

tgr_status tgr_probe_history(tgr_probe *probe, void **bytes, uint64_t *size) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE_ARGUMENT(bytes);
    TGR_REQUIRE_ARGUMENT(size);
    *bytes = probe->runs > 0 ? probe->history : NULL;
    *size = (uint64_t)(probe->runs * probe->record_bytes);
    return TGR_OK;
}

tgr_status tgr_probe_resize(tgr_probe *probe, int64_t runs) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    int64_t bytes;
    TGR_REQUIRE(runs >= 0 && tgr_multiply(runs, probe->record_bytes, &bytes), TGR_ERROR_RANGE,
                "argument 'runs' is %lld; it must be at least 0, and not too large", (long long)runs);
    TGR_TRY(tgr_probe_reserve(probe, runs));
    if (runs > probe->runs) {
        const int64_t before = probe->runs * probe->record_bytes;
        memset(probe->history + before, 0, (size_t)(bytes - before));
    }
    probe->runs = runs;
    probe->recorded = 0;
    return TGR_OK;
}
