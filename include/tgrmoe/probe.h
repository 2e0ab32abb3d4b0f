/* SPDX-License-Identifier: MIT */
/**
 * @file probe.h
 * How stably and how evenly a model routes one fixed set of images (the probe set) while it trains.
 *
 * Register the images once, then run the probe whenever the routing is of interest, for example at the end of each
 * epoch. Each run records, for every MoE layer and token, the experts that the token goes to. Runs are counted from 0;
 * any two can be compared, and each can be read. `layer` is an index of tgr_model_routing(), or -1 for all layers: then
 * shares and means are over the tokens of all layers.
 *
 * The first choice (top-1) of a token is the first of its tgr_routing_view::choices. What that means depends on the
 * method:
 *  - where tokens choose: the expert with the largest gate, whether or not it had a slot left for the token;
 *  - Expert Choice: among the experts that took the token the one with the largest p; if none did, the argmax of p;
 *  - Soft MoE: the expert whose slots have the largest weight, all together, in the token's combine.
 *
 * Forward passes of a probe are in TGR_EVAL. They replace the model's last batch, so run a probe between steps, not
 * between a forward and its backward.
 */
#ifndef TGRMOE_PROBE_H
#define TGRMOE_PROBE_H

#include "tgrmoe/measure.h"
#include "tgrmoe/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A probe of `count` images [count, channels, image_size, image_size], normalised as for the model, which are copied.
 *  They run `batch` at a time; the last batch may be smaller. With `images` NULL the host runs them itself and calls
 *  tgr_probe_record(). ERROR_STATE for a model without MoE layers. @param count,batch at least 1. */
TGR_API tgr_status tgr_probe_create(tgr_probe **out, tgr_model *model, const float *images, int64_t count,
                                    int64_t batch);
TGR_API void tgr_probe_free(tgr_probe *probe);

/** Routes the probe set and records a run. On failure the runs are as before. Memory is allocated when the history
 *  outgrows its memory, which then doubles, and when `batch` is larger than any before. */
TGR_API tgr_status tgr_probe_run(tgr_probe *probe);
/** For a host that evaluates the probe's images anyway: records the model's last forward pass, in TGR_EVAL, as the next
 *  images of the set. With the last of them the run is complete and counts. ERROR_SHAPE, and nothing is recorded, if
 *  the pass has more images than remain. */
TGR_API tgr_status tgr_probe_record(tgr_probe *probe);

/** How many runs there are. */
TGR_API int64_t tgr_probe_run_count(const tgr_probe *probe);

/** The sizes of a probe, which do not change. */
typedef struct tgr_probe_description {
    size_t struct_size; /**< sizeof(tgr_probe_description), set by the caller */
    int64_t layers;     /**< MoE layers */
    int64_t tokens;     /**< of the whole probe set, in one layer */
    int64_t experts;    /**< E */
    int64_t top_k;      /**< K, choices of a token */
} tgr_probe_description;
TGR_API tgr_status tgr_probe_describe(const tgr_probe *probe, tgr_probe_description *description);

/** The `k`-th choices of a run, counted from 0, in all layers: [layers, tokens], valid until the next run. */
TGR_API tgr_status tgr_probe_choices(const tgr_probe *probe, int64_t run, int64_t k, const int32_t **experts);

/** The share of tokens whose first choice is the same in two runs, in [0, 1]. */
TGR_API tgr_status tgr_probe_agreement(const tgr_probe *probe, int64_t layer, int64_t run, int64_t other,
                                       double *share);
/** The mean share of a token's K experts that are in the sets of both runs, in [0, 1]. */
TGR_API tgr_status tgr_probe_overlap(const tgr_probe *probe, int64_t layer, int64_t run, int64_t other, double *share);
/** The last fluctuation of each token (Dai et al., ACL 2022): the last run in which its first choice differs from that
 *  of the latest run, -1 if there is none. @param last [tokens], or [layers, tokens] for layer -1. */
TGR_API tgr_status tgr_probe_last_fluctuation(const tgr_probe *probe, int64_t layer, int64_t *last);
/** The share of tokens whose last fluctuation is later than `run`, in [0, 1]: the cumulative curve, one point at a
 * time.
 *  @param run -1 (every token that ever differs) to runs - 1 (always 0). */
TGR_API tgr_status tgr_probe_fluctuating(const tgr_probe *probe, int64_t layer, int64_t run, double *share);

/** Each expert's share of the tokens that were computed in a run: [experts]; zeros when none was. For layer -1 the
 *  experts with the same index are added up. */
TGR_API tgr_status tgr_probe_load(const tgr_probe *probe, int64_t layer, int64_t run, double *shares);
/** The measures of one run. For layer -1 `dead` is the sum over layers, the others are means. */
TGR_API tgr_status tgr_probe_measure(const tgr_probe *probe, int64_t layer, int64_t run,
                                     tgr_routing_measures *measures);

/** The history as bytes, in this machine's byte order, for tgr_checkpoint_add_bytes(): valid until the next run or
 *  resize. `size` is 0 (and `bytes` NULL) without runs. */
TGR_API tgr_status tgr_probe_history(tgr_probe *probe, void **bytes, uint64_t *size);
/** Makes the history hold `runs` runs, for a checkpoint to fill: first the host reads how many there are, then it calls
 *  this, registers the bytes and loads. New runs are zeros until then; runs beyond are discarded. */
TGR_API tgr_status tgr_probe_resize(tgr_probe *probe, int64_t runs);

#ifdef __cplusplus
}
#endif
#endif
