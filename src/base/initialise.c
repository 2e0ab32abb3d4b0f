/* SPDX-License-Identifier: MIT */
/* Fresh weights, drawn from counter-based random numbers. */
#include "base/initialise.h"

/* FNV-1a of the name: the "step" of a tensor's stream. */
static uint32_t hash_name(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

tgr_random tgr_initialise_stream(const tgr_parameters *parameters, int64_t index) {
    return (tgr_random){.seed = parameters->seed,
                        .step = hash_name(parameters->tensors[index].name),
                        .place = tgr_random_place(TGR_PLACE_INIT, 0, 0)};
}

void tgr_initialise_truncated(tgr_parameters *parameters, int64_t index, double deviation) {
    const tgr_random random = tgr_initialise_stream(parameters, index);
    float *value = tgr_value(parameters, index);
    for (int64_t i = 0; i < parameters->tensors[index].count; i++) {
        value[i] = (float)tgr_random_truncated(&random, (uint64_t)i, deviation);
    }
}

void tgr_initialise_normal(tgr_parameters *parameters, int64_t index, double deviation) {
    const tgr_random random = tgr_initialise_stream(parameters, index);
    float *value = tgr_value(parameters, index);
    for (int64_t i = 0; i < parameters->tensors[index].count; i++) {
        value[i] = (float)(deviation * tgr_random_normal(&random, (uint64_t)i));
    }
}

void tgr_initialise_constant(tgr_parameters *parameters, int64_t index, float value) {
    float *values = tgr_value(parameters, index);
    for (int64_t i = 0; i < parameters->tensors[index].count; i++) values[i] = value;
}
