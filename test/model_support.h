/* SPDX-License-Identifier: MIT */
/* What the tests of the model share: models from one line of options, lively weights, made-up images. */
#ifndef TGR_TEST_MODEL_SUPPORT_H
#define TGR_TEST_MODEL_SUPPORT_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "support.h"

static inline tgr_status test_model_create(tgr_model **out, tgr_context *context, const char *options) {
    tgr_config *config = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_config_create(&config, context));
    TGR_TRY_DONE(test_config_set_all(config, options));
    TGR_TRY_DONE(tgr_model_create(out, context, config));
done:
    tgr_config_free(config);
    return status;
}

static inline tgr_parameters *test_model_parameters(tgr_model *model) {
    tgr_parameters *parameters = tgr_model_parameters(model);
    return parameters;
}

/* Moves every weight (not the state) so far that all parts of the model matter: fresh ones are close to zero. */
static inline void test_model_enliven(tgr_model *model, uint64_t seed) {
    tgr_parameters *parameters = test_model_parameters(model);
    test_random random = test_random_start(seed);
    FOR(t, parameters->tensor_count) {
        const tgr_tensor *tensor = &parameters->tensors[t];
        if (tensor->flags & TGR_TENSOR_STATE) continue;
        float *value = tgr_value(parameters, t);
        int64_t inputs = tensor->dims[tensor->ndim - 1];
        if (tensor->ndim == 4) inputs *= tensor->dims[1] * tensor->dims[2];
        double width = tensor->ndim == 1 ? 0.3 : 1.5 / sqrt((double)inputs);
        FOR(i, tensor->count) value[i] = (float)((double)value[i] + test_random_uniform(&random, -width, width));
    }
}

/* A model of lively weights, or the test fails. */
static inline tgr_model *test_model(tgr_context *context, const char *options) {
    tgr_model *model = NULL;
    assert_status(TGR_OK, test_model_create(&model, context, options));
    test_model_enliven(model, 11);
    return model;
}

/* New images for `batch`, to be freed with free(). */
static inline float *test_images(const tgr_model *model, int64_t batch, uint64_t seed) {
    const tgr_dimensions *d = tgr_model_dimensions(model);
    test_random random = test_random_start(seed);
    return test_random_floats(&random, batch * d->channels * d->image_size * d->image_size);
}

static inline const float *test_logits(const tgr_model *model) {
    const float *logits = NULL;
    assert_status(TGR_OK, tgr_model_logits(model, &logits));
    return logits;
}

static inline const float *test_features(const tgr_model *model) {
    const float *features = NULL;
    assert_status(TGR_OK, tgr_model_features(model, &features));
    return features;
}

#endif
