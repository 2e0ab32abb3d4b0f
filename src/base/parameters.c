/* SPDX-License-Identifier: MIT */
/* Building the table of named tensors, and the public functions that read it. */
#include "base/parameters.h"

#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/struct.h"

#define FLOATS_PER_LINE (TGR_ALIGNMENT / (int64_t)sizeof(float))
#define FIRST_CAPACITY  16

tgr_status tgr_parameters_create(tgr_parameters **out, tgr_context *context) {
    void *memory;
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_parameters)));
    tgr_parameters *parameters = memory;
    atomic_init(&parameters->references, 1);
    tgr_context_retain(context);
    parameters->context = context;
    parameters->seed = context->seed;
    *out = parameters;
    return TGR_OK;
}

void tgr_parameters_retain(tgr_parameters *parameters) {
    int before = atomic_fetch_add(&parameters->references, 1);
    TGR_ASSERT(before > 0);
}

/* Between tensors, whatever was written to them. */
__attribute__((unused)) static int padding_is_zero(const tgr_parameters *parameters, const float *arena) {
    for (int64_t i = 0; arena != NULL && i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        for (int64_t at = tensor->offset + tensor->count; at % FLOATS_PER_LINE != 0; at++)
            if (arena[at] != 0) return 0;
    }
    return 1;
}

void tgr_parameters_release(tgr_parameters *parameters) {
    if (parameters == NULL || atomic_fetch_sub(&parameters->references, 1) != 1) return;
    tgr_context *context = parameters->context;
    TGR_ASSERT(padding_is_zero(parameters, parameters->lender == NULL ? parameters->values : NULL));
    TGR_ASSERT(padding_is_zero(parameters, parameters->gradients));
    if (parameters->lender == NULL) {
        tgr_release(context, parameters->gradients, (size_t)parameters->floats, sizeof(float));
        tgr_release(context, parameters->values, (size_t)parameters->floats, sizeof(float));
    }
    tgr_parameters_release(parameters->lender);
    tgr_release(context, parameters->tensors, (size_t)parameters->tensor_capacity, sizeof(tgr_tensor));
    tgr_release(context, parameters, 1, sizeof *parameters);
    tgr_context_free(context);
}

/* The index of the tensor called `name`, or -1. */
static int64_t find(const tgr_parameters *parameters, const char *name) {
    for (int64_t i = 0; i < parameters->tensor_count; i++)
        if (strcmp(parameters->tensors[i].name, name) == 0) return i;
    return -1;
}

/* Fills in what follows from the dimensions; *floats receives the arena's size including this tensor. */
static tgr_status lay_out(const tgr_parameters *parameters, tgr_tensor *tensor, int64_t *floats) {
    int64_t padded, bytes;
    tensor->count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        TGR_REQUIRE(tensor->dims[i] >= 1, TGR_ERROR_RANGE, "dimension %d of '%s' is %lld; it must be at least 1", i,
                    tensor->name, (long long)tensor->dims[i]);
        TGR_REQUIRE(tgr_multiply(tensor->count, tensor->dims[i], &tensor->count), TGR_ERROR_OVERFLOW,
                    "the elements of '%s' are too many to count", tensor->name);
    }
    tensor->offset = parameters->floats;
    TGR_ASSERT(tensor->offset % FLOATS_PER_LINE == 0);
    TGR_REQUIRE(tgr_add(tensor->count, FLOATS_PER_LINE - 1, &padded) &&
                    tgr_add(tensor->offset, padded / FLOATS_PER_LINE * FLOATS_PER_LINE, floats) &&
                    tgr_multiply(*floats, (int64_t)sizeof(float), &bytes),
                TGR_ERROR_OVERFLOW, "with '%s' of %lld elements the parameters are too large to address", tensor->name,
                (long long)tensor->count);
    return TGR_OK;
}

static tgr_status make_room(tgr_parameters *parameters) {
    if (parameters->tensor_count < parameters->tensor_capacity) return TGR_OK;
    int64_t capacity = parameters->tensor_capacity == 0 ? FIRST_CAPACITY : 2 * parameters->tensor_capacity;
    void *tensors;
    TGR_TRY(tgr_allocate(parameters->context, &tensors, (size_t)capacity, sizeof(tgr_tensor)));
    if (parameters->tensor_count > 0)
        memcpy(tensors, parameters->tensors, (size_t)parameters->tensor_count * sizeof(tgr_tensor));
    tgr_release(parameters->context, parameters->tensors, (size_t)parameters->tensor_capacity, sizeof(tgr_tensor));
    parameters->tensors = tensors;
    parameters->tensor_capacity = capacity;
    return TGR_OK;
}

tgr_status tgr_parameters_add(tgr_parameters *parameters, int64_t *index, const char *name, unsigned flags, int ndim,
                              const int64_t *dims) {
    TGR_REQUIRE(parameters->values == NULL, TGR_ERROR_STATE, "'%s' was added after the parameters were sealed", name);
    size_t length = strlen(name);
    TGR_REQUIRE(length >= 1 && length < TGR_NAME_BYTES, TGR_ERROR_RANGE,
                "the name '%s' has %zu bytes; it must have 1 to %d", name, length, TGR_NAME_BYTES - 1);
    TGR_REQUIRE(find(parameters, name) < 0, TGR_ERROR_ARGUMENT, "there is a tensor called '%s' already", name);
    TGR_REQUIRE(ndim >= 1 && ndim <= TGR_MAX_DIMS, TGR_ERROR_RANGE, "'%s' has %d dimensions; it must have 1 to %d",
                name, ndim, TGR_MAX_DIMS);

    tgr_tensor tensor = {.ndim = ndim, .flags = flags, .frozen_from = TGR_NEVER_FROZEN};
    int64_t floats = 0;
    memcpy(tensor.name, name, length);
    memcpy(tensor.dims, dims, (size_t)ndim * sizeof *dims);
    TGR_TRY(lay_out(parameters, &tensor, &floats));
    TGR_TRY(make_room(parameters));
    *index = parameters->tensor_count++;
    parameters->tensors[*index] = tensor;
    parameters->floats = floats;
    return TGR_OK;
}

void tgr_parameters_move_by(tgr_parameters *parameters, int64_t index, tgr_move_fn move, double rate) {
    TGR_ASSERT(parameters->tensors[index].flags & TGR_TENSOR_SUM);
    parameters->tensors[index].move = move;
    parameters->tensors[index].rate = rate;
}

void tgr_parameters_move_state(tgr_parameters *parameters) {
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        if (tensor->move != NULL) tensor->move(parameters, i, tensor->rate);
    }
}

tgr_status tgr_parameters_seal(tgr_parameters *parameters) {
    TGR_REQUIRE(parameters->values == NULL, TGR_ERROR_STATE, "the parameters were sealed already");
    tgr_status status = TGR_OK;
    void *values = NULL, *gradients = NULL;
    TGR_TRY_DONE(tgr_allocate(parameters->context, &values, (size_t)parameters->floats, sizeof(float)));
    TGR_TRY_DONE(tgr_allocate(parameters->context, &gradients, (size_t)parameters->floats, sizeof(float)));
    parameters->values = values;
    parameters->gradients = gradients;
done:
    if (status != TGR_OK) tgr_release(parameters->context, values, (size_t)parameters->floats, sizeof(float));
    return status;
}

void tgr_parameters_borrow(tgr_parameters *parameters, tgr_parameters *lender) {
    TGR_ASSERT(parameters->values == NULL && lender->values != NULL);
    TGR_ASSERT(parameters->tensor_count == lender->tensor_count && parameters->floats == lender->floats);
    tgr_parameters_retain(lender);
    parameters->lender = lender;
    parameters->values = lender->values;
    tgr_parameters_follow(parameters);
}

void tgr_parameters_follow(tgr_parameters *parameters) {
    TGR_ASSERT(parameters->lender != NULL);
    parameters->seed = parameters->lender->seed;
    parameters->step = parameters->lender->step;
    parameters->micro = parameters->lender->micro;
}

void tgr_parameters_clear_gradients(tgr_parameters *parameters) {
    if (parameters->gradients != NULL) memset(parameters->gradients, 0, (size_t)parameters->floats * sizeof(float));
    parameters->micro = 0;
}

void tgr_parameters_replace(tgr_parameters *parameters) {
    tgr_parameters_clear_gradients(parameters);
    parameters->changes++;
    parameters->replacements++;
}

static tgr_status check_index(const tgr_parameters *parameters, int64_t index) {
    TGR_REQUIRE(index >= 0 && index < parameters->tensor_count, TGR_ERROR_RANGE,
                "argument 'index' is %lld; there are %lld tensors", (long long)index,
                (long long)parameters->tensor_count);
    return TGR_OK;
}

int64_t tgr_parameters_count(const tgr_parameters *parameters) {
    return parameters != NULL ? parameters->tensor_count : 0;
}

int64_t tgr_parameters_number_count(const tgr_parameters *parameters) {
    int64_t total = 0;
    if (parameters == NULL) return 0;
    for (int64_t i = 0; i < parameters->tensor_count; i++)
        if ((parameters->tensors[i].flags & TGR_TENSOR_STATE) == 0) total += parameters->tensors[i].count;
    TGR_ASSERT(total >= 0 && total <= parameters->floats); /* which tgr_parameters_add could count */
    return total;
}

tgr_status tgr_parameters_describe(const tgr_parameters *parameters, int64_t index,
                                   tgr_parameter_description *description) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(parameters);
    TGR_TRY(check_index(parameters, index));
    const tgr_tensor *tensor = &parameters->tensors[index];
    const int trained = (tensor->flags & TGR_TENSOR_STATE) == 0;
    tgr_parameter_description found = {.name = tensor->name,
                                       .ndim = tensor->ndim,
                                       .count = tensor->count,
                                       .trained = trained,
                                       .decayed = trained && (tensor->flags & TGR_TENSOR_NO_DECAY) == 0};
    memcpy(found.dims, tensor->dims, sizeof found.dims);
    return TGR_STRUCT_WRITE(description, &found, decayed);
}

int64_t tgr_parameters_find(const tgr_parameters *parameters, const char *name) {
    return parameters != NULL && name != NULL ? find(parameters, name) : -1;
}

tgr_status tgr_parameters_value(tgr_parameters *parameters, int64_t index, float **value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(parameters);
    TGR_REQUIRE_ARGUMENT(value);
    TGR_TRY(check_index(parameters, index));
    TGR_REQUIRE(parameters->values != NULL, TGR_ERROR_STATE, "the parameters have no memory yet");
    *value = tgr_value(parameters, index);
    return TGR_OK;
}

tgr_status tgr_parameters_gradient(tgr_parameters *parameters, int64_t index, float **gradient) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(parameters);
    TGR_REQUIRE_ARGUMENT(gradient);
    TGR_TRY(check_index(parameters, index));
    TGR_REQUIRE(parameters->gradients != NULL, TGR_ERROR_STATE, "the parameters have no memory yet");
    *gradient = tgr_gradient(parameters, index);
    return TGR_OK;
}

int64_t tgr_parameters_micro_count(const tgr_parameters *parameters) {
    return parameters != NULL ? parameters->micro : 0;
}

int64_t tgr_parameters_step_count(const tgr_parameters *parameters) {
    return parameters != NULL ? (int64_t)parameters->step : 0;
}

tgr_status tgr_parameters_zero_gradients(tgr_parameters *parameters) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(parameters);
    tgr_parameters_clear_gradients(parameters);
    return TGR_OK;
}
