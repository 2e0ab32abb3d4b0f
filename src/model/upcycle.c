/* SPDX-License-Identifier: MIT */
/* Sparse upcycling of a model: the weights of base/upcycle.h, noise on the experts, shared experts that output 0. */
#include "base/upcycle.h"

#include <math.h>
#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "model/state.h"

/* What changes a model's function but no tensor's shape. */
static tgr_status check_heads(const tgr_model *sparse, const tgr_model *dense) {
    if (sparse->dimensions.heads == dense->dimensions.heads) return TGR_OK;
    return tgr_fail(TGR_ERROR_SHAPE, "option 'heads' is %lld; it must be as in the dense model, %lld",
                    (long long)sparse->dimensions.heads, (long long)dense->dimensions.heads);
}

static double deviation_of(const float *values, int64_t count) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < count; i++) mean += values[i] / (double)count;
    for (int64_t i = 0; i < count; i++) variance += (values[i] - mean) * (values[i] - mean) / (double)count;
    return sqrt(variance);
}

static int ends_with(const char *name, const char *end) {
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

/* Independent noise on each expert's matrices; biases stay copies. */
static void add_noise(tgr_parameters *sparse, const tgr_parameters *dense, double noise) {
    for (int64_t i = 0; i < sparse->tensor_count; i++) {
        const char *name = sparse->tensors[i].name;
        if (strstr(name, ".moe.experts.") == NULL || !ends_with(name, ".weight")) continue;
        int64_t source = tgr_upcycle_source(sparse, i, dense);
        double deviation = deviation_of(tgr_value(dense, source), dense->tensors[source].count);
        tgr_initialise_add_noise(sparse, i, noise * deviation);
    }
}

/* y += FFN(x) of shared experts adds nothing until their second matrix has learned. */
static void silence_shared(tgr_parameters *sparse) {
    for (int64_t i = 0; i < sparse->tensor_count; i++)
        if (strstr(sparse->tensors[i].name, ".moe.shared.fc2.") != NULL) tgr_initialise_constant(sparse, i, 0);
}

void tgr_model_forget(tgr_model *model) {
    tgr_parameters_replace(model->parameters);
}

tgr_status tgr_model_upcycle(tgr_model *sparse, const tgr_model *dense) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(sparse);
    TGR_REQUIRE_ARGUMENT(dense);
    TGR_REQUIRE(dense->moe_count == 0, TGR_ERROR_ARGUMENT,
                "argument 'dense' has %lld blocks with experts; it must have none", (long long)dense->moe_count);
    TGR_TRY(tgr_upcycle_check(sparse->parameters, dense->parameters));
    TGR_TRY(check_heads(sparse, dense));
    double noise = tgr_option_f64(sparse->config, TGR_OPTION_UPCYCLE_NOISE);
    tgr_upcycle_copy(sparse->parameters, sparse->parameters->values, dense->parameters, dense->parameters->values);
    if (noise > 0) add_noise(sparse->parameters, dense->parameters, noise);
    silence_shared(sparse->parameters);
    tgr_model_forget(sparse);
    return TGR_OK;
}
