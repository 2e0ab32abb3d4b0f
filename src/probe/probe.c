/* SPDX-License-Identifier: MIT */
/* Creating and freeing a probe, and how a run gets into its history. */
#include "probe/probe.h"

#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "tgrmoe/measure.h"

enum { MEASURES = 3 }; /* entropy, dropped, margin */

tgr_probe_record_view tgr_probe_view(const tgr_probe *probe, int64_t run) {
    TGR_ASSERT(run >= 0 && run < probe->capacity && probe->record_bytes % 8 == 0);
    char *record = probe->history + run * probe->record_bytes;
    double *measures = (double *)(void *)record;
    int64_t *load = (int64_t *)(void *)(measures + MEASURES * probe->layers);
    return (tgr_probe_record_view){.entropy = measures,
                                   .dropped = measures + probe->layers,
                                   .margin = measures + 2 * probe->layers,
                                   .load = load,
                                   .choices = (int32_t *)(void *)(load + probe->layers * probe->experts)};
}

/* The size of a record, a multiple of 8. */
static tgr_status measure_record(tgr_probe *probe) {
    int64_t choices, bytes;
    const int64_t numbers = probe->layers * (MEASURES + probe->experts);
    TGR_ASSERT(probe->layers <= 1024 && probe->experts <= 4096); /* so that this cannot overflow */
    const int fits = tgr_multiply(probe->tokens, probe->layers * probe->top_k, &choices) &&
                     tgr_add(choices, 1, &bytes) && tgr_multiply(bytes / 2, 8, &bytes) &&
                     tgr_add(bytes, 8 * numbers, &bytes);
    TGR_REQUIRE(fits, TGR_ERROR_OVERFLOW, "the choices of %lld images are too many", (long long)probe->count);
    probe->record_bytes = bytes;
    return TGR_OK;
}

static tgr_status prepare(tgr_probe *probe, const float *images) {
    const tgr_dimensions *d = tgr_model_dimensions(probe->model);
    const tgr_routing *routing;
    tgr_routing_view view = {.struct_size = sizeof view};
    int64_t image_bytes;
    TGR_TRY(tgr_model_routing(probe->model, 0, &routing));
    TGR_TRY(tgr_routing_read(routing, &view));
    probe->experts = view.experts;
    probe->top_k = view.top_k;
    probe->layers = tgr_model_moe_layer_count(probe->model);
    probe->image_floats = d->channels * d->image_size * d->image_size;
    TGR_REQUIRE(tgr_multiply(probe->count, d->tokens, &probe->tokens) &&
                    tgr_multiply(probe->count, probe->image_floats * (int64_t)sizeof(float), &image_bytes),
                TGR_ERROR_OVERFLOW, "argument 'count' is %lld, which is too many images", (long long)probe->count);
    TGR_TRY(measure_record(probe));
    if (images == NULL) return TGR_OK;
    TGR_TRY(tgr_allocate(probe->context, (void **)&probe->images, (size_t)probe->count,
                         (size_t)probe->image_floats * sizeof(float)));
    memcpy(probe->images, images, (size_t)image_bytes);
    return TGR_OK;
}

tgr_status tgr_probe_create(tgr_probe **out, tgr_model *model, const float *images, int64_t count, int64_t batch) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE(count >= 1, TGR_ERROR_RANGE, "argument 'count' is %lld; it must be at least 1", (long long)count);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    TGR_REQUIRE(tgr_model_moe_layer_count(model) > 0, TGR_ERROR_STATE, "the model has no MoE layer to probe");
    tgr_context *context = tgr_model_context(model);
    tgr_probe *probe;
    TGR_TRY(tgr_allocate(context, (void **)&probe, 1, sizeof *probe));
    *probe = (tgr_probe){.model = model, .context = context, .count = count, .batch = batch};
    tgr_model_retain(model);
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(prepare(probe, images));
    *out = probe;
done:
    if (status != TGR_OK) tgr_probe_free(probe);
    return status;
}

void tgr_probe_free(tgr_probe *probe) {
    if (probe == NULL) return;
    tgr_model *model = probe->model;
    tgr_context *context = probe->context;
    tgr_release(context, probe->history, (size_t)probe->capacity, (size_t)probe->record_bytes);
    tgr_release(context, probe->images, (size_t)probe->count, (size_t)probe->image_floats * sizeof(float));
    tgr_release(context, probe, 1, sizeof *probe);
    tgr_model_free(model); /* The context may end with it. */
}

tgr_status tgr_probe_reserve(tgr_probe *probe, int64_t runs) {
    if (runs <= probe->capacity) return TGR_OK;
    const int64_t capacity = runs > 2 * probe->capacity ? runs : 2 * probe->capacity;
    char *history;
    TGR_TRY(tgr_allocate(probe->context, (void **)&history, (size_t)capacity, (size_t)probe->record_bytes));
    if (probe->capacity > 0) memcpy(history, probe->history, (size_t)(probe->capacity * probe->record_bytes));
    tgr_release(probe->context, probe->history, (size_t)probe->capacity, (size_t)probe->record_bytes);
    probe->history = history;
    probe->capacity = capacity;
    return TGR_OK;
}

/* Adds `rows` tokens of one layer, the first of which is token `first` of the probe. */
static tgr_status record_layer(tgr_probe *probe, int64_t layer, int64_t first, int64_t rows) {
    const tgr_probe_record_view to = tgr_probe_view(probe, probe->runs);
    const tgr_routing *routing;
    tgr_routing_view view = {.struct_size = sizeof view};
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    TGR_TRY(tgr_model_routing(probe->model, layer, &routing));
    TGR_TRY(tgr_routing_read(routing, &view));
    TGR_TRY(tgr_measure_routing(routing, &measures));
    TGR_ASSERT(first >= 0 && first + rows <= probe->tokens);
    for (int64_t k = 0; k < probe->top_k; k++) {
        int32_t *row = to.choices + (k * probe->layers + layer) * probe->tokens + first;
        for (int64_t t = 0; t < rows; t++) row[t] = view.choices[t * probe->top_k + k];
    }
    for (int64_t e = 0; e < probe->experts; e++) to.load[layer * probe->experts + e] += view.load[e];
    to.entropy[layer] += measures.entropy * (double)rows;
    to.dropped[layer] += measures.dropped * (double)rows;
    to.margin[layer] += measures.margin * (double)rows;
    return TGR_OK;
}

/* The current record has all images: sums become means, and the run counts. */
static void complete(tgr_probe *probe) {
    const tgr_probe_record_view record = tgr_probe_view(probe, probe->runs);
    for (int64_t i = 0; i < MEASURES * probe->layers; i++) record.entropy[i] /= (double)probe->tokens;
    probe->recorded = 0;
    probe->runs++;
}

/* Records the model's last batch. */
static tgr_status record_batch(tgr_probe *probe) {
    const int64_t tokens = tgr_model_dimensions(probe->model)->tokens, images = tgr_model_batch(probe->model);
    TGR_TRY(tgr_probe_reserve(probe, probe->runs + 1));
    if (probe->recorded == 0)
        memset(probe->history + probe->runs * probe->record_bytes, 0, (size_t)probe->record_bytes);
    for (int64_t layer = 0; layer < probe->layers; layer++)
        TGR_TRY(record_layer(probe, layer, probe->recorded * tokens, images * tokens));
    probe->recorded += images;
    TGR_ASSERT(probe->recorded <= probe->count);
    if (probe->recorded == probe->count) complete(probe);
    return TGR_OK;
}

tgr_status tgr_probe_record(tgr_probe *probe) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    const int64_t images = tgr_model_batch(probe->model), missing = probe->count - probe->recorded;
    TGR_REQUIRE(images > 0, TGR_ERROR_STATE, "there has been no forward pass yet");
    TGR_REQUIRE(tgr_model_mode(probe->model) == TGR_EVAL, TGR_ERROR_STATE,
                "the last forward pass was in TGR_TRAIN; one in TGR_EVAL is needed");
    TGR_REQUIRE(images <= missing, TGR_ERROR_SHAPE, "the last forward pass had %lld images; the run lacks %lld",
                (long long)images, (long long)missing);
    return record_batch(probe);
}

tgr_status tgr_probe_run(tgr_probe *probe) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(probe);
    TGR_REQUIRE(probe->images != NULL, TGR_ERROR_STATE, "the probe was made without images; use tgr_probe_record()");
    TGR_TRY(tgr_probe_reserve(probe, probe->runs + 1));
    probe->recorded = 0; /* An incomplete run is discarded. */
    tgr_status status = TGR_OK;
    for (int64_t at = 0; at < probe->count; at += probe->batch) {
        const int64_t left = probe->count - at, images = left < probe->batch ? left : probe->batch;
        TGR_TRY_DONE(tgr_model_forward(probe->model, TGR_EVAL, probe->images + at * probe->image_floats, images));
        TGR_TRY_DONE(record_batch(probe));
    }
done:
    if (status != TGR_OK) probe->recorded = 0;
    return status;
}
