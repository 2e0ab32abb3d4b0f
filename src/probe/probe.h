/* SPDX-License-Identifier: MIT */
/* The inside of a probe: records of the same size, one for each run, in one piece of memory that can be saved. */
#ifndef TGR_PROBE_PROBE_H
#define TGR_PROBE_PROBE_H

#include "base/memory.h"
#include "model/model.h"
#include "tgrmoe/probe.h"

struct tgr_probe {
    tgr_model *model;     /* retained */
    tgr_context *context; /* the model's */
    float *images;        /* [count, image_floats], or NULL */
    int64_t count, batch, image_floats;
    int64_t layers, tokens, experts, top_k; /* tokens: of all `count` images in one layer */

    int64_t record_bytes, runs, capacity; /* there is room for `capacity` records */
    char *history;                        /* [capacity, record_bytes] */
    int64_t recorded;                     /* images so far in the current run, which is record number `runs` */
};

/* The parts of one record. */
typedef struct tgr_probe_record_view {
    double *entropy, *dropped, *margin; /* [layers], sums over tokens during the run, then means */
    int64_t *load;                      /* [layers, experts] */
    int32_t *choices;                   /* [top_k, layers, tokens] */
} tgr_probe_record_view;

tgr_probe_record_view tgr_probe_view(const tgr_probe *probe, int64_t run);
/* Makes room for `runs` records; existing ones are kept. */
tgr_status tgr_probe_reserve(tgr_probe *probe, int64_t runs);

#endif
