/* SPDX-License-Identifier: MIT */
/* The table of named tensors: layout, names, limits, order of calls, lack of memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/parameters.h"
#include "support.h"

static const int64_t FIVE[] = {5};

static tgr_parameters *new_parameters(uint64_t seed) {
    tgr_context *context = test_context(1, seed);
    tgr_parameters *parameters = NULL;
    assert_status(TGR_OK, tgr_parameters_create(&parameters, context));
    tgr_context_free(context); /* the parameters hold it */
    return parameters;
}

/* Adds `tensors` tensors with random shapes; every third is running state. */
static void add_random(tgr_parameters *parameters, test_random *random, int64_t tensors, int64_t *trained) {
    *trained = 0;
    FOR(i, tensors) {
        char name[TGR_NAME_BYTES];
        snprintf(name, sizeof name, "blocks.%d.weight", (int)i);
        int ndim = (int)test_random_integer(random, 1, 4);
        int64_t dims[4], count = 1, index = -1;
        for (int d = 0; d < ndim; d++) {
            dims[d] = test_random_integer(random, 1, 6);
            count *= dims[d];
        }
        if (i % 3 != 0) *trained += count;
        assert_status(TGR_OK,
                      tgr_parameters_add(parameters, &index, name, i % 3 == 0 ? TGR_TENSOR_STATE : 0, ndim, dims));
        assert_int_equal(index, i);
        assert_int_equal(parameters->tensors[i].count, count);
        assert_same_bytes(parameters->tensors[i].dims, dims, (size_t)ndim * sizeof *dims);
    }
}

/* Writes every element of every tensor. Whatever then is still zero is padding, and nothing overlaps. */
static void check_places(tgr_parameters *parameters) {
    int64_t end = 0, elements = 0, written = 0;
    FOR(i, parameters->tensor_count) {
        float *value = NULL, *gradient = NULL;
        assert_status(TGR_OK, tgr_parameters_value(parameters, i, &value));
        assert_status(TGR_OK, tgr_parameters_gradient(parameters, i, &gradient));
        assert_int_equal((uintptr_t)value % 64 + (uintptr_t)gradient % 64, 0);
        assert_int_equal(value - parameters->values, gradient - parameters->gradients);
        assert_true(value - parameters->values >= end);
        int64_t count = parameters->tensors[i].count;
        FOR(j, count) {
            assert_true(value[j] == 0 && gradient[j] == 0);
            value[j] = gradient[j] = 1;
        }
        end = value - parameters->values + count;
        elements += count;
    }
    assert_true(end <= parameters->floats && parameters->floats < end + 16);
    assert_int_equal(parameters->floats % 16, 0);
    FOR(i, parameters->floats) written += parameters->values[i] == 1;
    assert_int_equal(written, elements);
}

static void test_layout(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    for (int64_t tensors = 1; tensors < 100; tensors += 14) {
        tgr_parameters *parameters = new_parameters(99);
        int64_t trained, count, total, micro = -1;
        add_random(parameters, &random, tensors, &trained);
        assert_status(TGR_OK, tgr_parameters_seal(parameters));
        assert_int_equal(parameters->seed, 99);
        count = tgr_parameters_count(parameters);
        total = tgr_parameters_number_count(parameters);
        assert_int_equal(count, tensors);
        assert_int_equal(total, trained);
        check_places(parameters);

        parameters->micro = 3;
        assert_status(TGR_OK, tgr_parameters_zero_gradients(parameters));
        micro = tgr_parameters_micro_count(parameters);
        assert_int_equal(micro, 0);
        FOR(i, parameters->floats) assert_true(parameters->gradients[i] == 0);
        tgr_parameters_release(parameters);
    }
}

static void test_names(void **state) {
    (void)state;
    tgr_parameters *parameters = new_parameters(0);
    int64_t index = -7;
    char name[TGR_NAME_BYTES + 1];
    memset(name, 'n', sizeof name);
    name[TGR_NAME_BYTES] = '\0';
    assert_fails(TGR_ERROR_RANGE, "64 bytes", tgr_parameters_add(parameters, &index, name, 0, 1, FIVE));
    assert_fails(TGR_ERROR_RANGE, "0 bytes", tgr_parameters_add(parameters, &index, "", 0, 1, FIVE));
    assert_int_equal(index, -7);
    name[TGR_NAME_BYTES - 1] = '\0';
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, name, 0, 1, FIVE));
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "head.bias", TGR_TENSOR_NO_DECAY, 1, FIVE));
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "head.bia", 0, 1, FIVE));
    assert_int_equal(index, 2);
    assert_fails(TGR_ERROR_ARGUMENT, "head.bias", tgr_parameters_add(parameters, &index, "head.bias", 0, 1, FIVE));
    assert_int_equal(index, 2);
    assert_int_equal(parameters->tensor_count, 3);
    assert_int_equal(parameters->tensors[1].flags, TGR_TENSOR_NO_DECAY);

    assert_int_equal(tgr_parameters_find(parameters, "head.bias"), 1);
    assert_int_equal(tgr_parameters_find(parameters, "head.bi"), -1);
    tgr_parameter_description tensor = {.struct_size = sizeof tensor};
    assert_status(TGR_OK, tgr_parameters_describe(parameters, 0, &tensor));
    assert_string_equal(tensor.name, name);
    assert_true(tensor.ndim == 1 && tensor.dims[0] == 5 && tensor.dims[1] == 0 && tensor.count == 5);
    assert_true(tensor.trained && tensor.decayed);
    assert_status(TGR_OK, tgr_parameters_describe(parameters, 1, &tensor));
    assert_true(tensor.trained && !tensor.decayed);
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "mean", TGR_TENSOR_STATE, 2, (const int64_t[]){2, 3}));
    assert_status(TGR_OK, tgr_parameters_describe(parameters, 3, &tensor));
    assert_true(tensor.ndim == 2 && tensor.dims[1] == 3 && tensor.count == 6 && !tensor.trained && !tensor.decayed);
    assert_int_equal(tgr_parameters_count(parameters), 4);
    assert_int_equal(tgr_parameters_number_count(parameters), 15);
    tgr_parameters_release(parameters);
    tgr_parameters_release(NULL);
}

static void test_limits(void **state) {
    (void)state;
    tgr_parameters *parameters = new_parameters(0);
    int64_t index = -7;
    static const int64_t dims[][4] = {
        {0, 1, 1, 1},
        {1, 1, 1, -1},
        {INT64_MIN, 1, 1, 1},
        {INT64_MAX, 2, 1, 1},
        {INT64_MAX, 1, 1, 1},
        {1 << 16, 1 << 16, 1 << 16, 1 << 16},
        {INT64_MAX / 4, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        assert_status(i < 3 ? TGR_ERROR_RANGE : TGR_ERROR_OVERFLOW,
                      tgr_parameters_add(parameters, &index, "a", 0, 4, dims[i]));
    static const int64_t ones[] = {1, 1, 1, 1, 1};
    assert_fails(TGR_ERROR_RANGE, "0 dimensions", tgr_parameters_add(parameters, &index, "a", 0, 0, ones));
    assert_fails(TGR_ERROR_RANGE, "5 dimensions", tgr_parameters_add(parameters, &index, "a", 0, 5, ones));
    assert_int_equal(index, -7);
    assert_int_equal(parameters->tensor_count, 0);
    assert_int_equal(parameters->floats, 0);
    /* Each fits, their sum does not. */
    static const int64_t half[] = {INT64_MAX / 8};
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "a", 0, 1, half));
    assert_status(TGR_ERROR_OVERFLOW, tgr_parameters_add(parameters, &index, "b", 0, 1, half));
    assert_int_equal(parameters->tensor_count, 1);
    tgr_parameters_release(parameters);
}

static void test_order_of_calls(void **state) {
    (void)state;
    tgr_parameters *parameters = new_parameters(0);
    int64_t index;
    float *pointer = NULL;
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "a", 0, 1, FIVE));
    assert_status(TGR_ERROR_STATE, tgr_parameters_value(parameters, 0, &pointer));
    assert_status(TGR_ERROR_STATE, tgr_parameters_gradient(parameters, 0, &pointer));
    assert_status(TGR_OK, tgr_parameters_zero_gradients(parameters));
    assert_null(pointer);
    assert_status(TGR_OK, tgr_parameters_seal(parameters));
    assert_status(TGR_ERROR_STATE, tgr_parameters_seal(parameters));
    assert_status(TGR_ERROR_STATE, tgr_parameters_add(parameters, &index, "b", 0, 1, FIVE));
    parameters->step = 12;
    assert_int_equal(tgr_parameters_step_count(parameters), 12);
    tgr_parameters_retain(parameters);
    tgr_parameters_release(parameters);
    assert_status(TGR_OK, tgr_parameters_value(parameters, 0, &pointer));
    tgr_parameters_release(parameters);
}

static void test_bad_arguments(void **state) {
    (void)state;
    tgr_parameters *parameters = new_parameters(0);
    int64_t index;
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "a", 0, 1, FIVE));
    assert_status(TGR_OK, tgr_parameters_seal(parameters));
    float *pointer = NULL;
    static const int64_t wrong[] = {-1, 1, INT64_MIN, INT64_MAX};
    for (int i = 0; i < 4; i++) {
        tgr_parameter_description tensor = {.struct_size = sizeof tensor};
        assert_fails(TGR_ERROR_RANGE, "1 tensors", tgr_parameters_value(parameters, wrong[i], &pointer));
        assert_fails(TGR_ERROR_RANGE, "1 tensors", tgr_parameters_gradient(parameters, wrong[i], &pointer));
        assert_fails(TGR_ERROR_RANGE, "1 tensors", tgr_parameters_describe(parameters, wrong[i], &tensor));
        assert_null(tensor.name);
    }
    assert_null(pointer);
    tgr_parameter_description tensor = {.struct_size = sizeof tensor};
    assert_int_equal(tgr_parameters_count(NULL), 0);
    assert_int_equal(tgr_parameters_number_count(NULL), 0);
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_describe(NULL, 0, &tensor));
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_describe(parameters, 0, NULL));
    assert_int_equal(tgr_parameters_find(NULL, "a"), -1);
    assert_int_equal(tgr_parameters_find(parameters, NULL), -1);
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_value(NULL, 0, &pointer));
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_value(parameters, 0, NULL));
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_gradient(NULL, 0, &pointer));
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_gradient(parameters, 0, NULL));
    assert_int_equal(tgr_parameters_micro_count(NULL), 0);
    assert_int_equal(tgr_parameters_step_count(NULL), 0);
    assert_status(TGR_ERROR_ARGUMENT, tgr_parameters_zero_gradients(NULL));
    tgr_parameters_release(parameters);
}

/* Builds a table of 40 tensors. A failing call must leave the table as it was, so that it can be tried again. */
static tgr_status build(const tgr_allocator *allocator, void *user) {
    (void)user;
    tgr_context *context = NULL;
    tgr_parameters *parameters = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(tgr_parameters_create(&parameters, context));
    for (int i = 0; i < 40; i++) {
        char name[TGR_NAME_BYTES];
        int64_t index = -1;
        snprintf(name, sizeof name, "t%d", i);
        status = tgr_parameters_add(parameters, &index, name, 0, 1, FIVE);
        if (status != TGR_OK) {
            assert_int_equal(parameters->tensor_count, i);
            assert_int_equal(parameters->floats, 16 * i);
            assert_status(TGR_OK, tgr_parameters_add(parameters, &index, name, 0, 1, FIVE));
        }
        assert_int_equal(index, i);
        TGR_TRY_DONE(status);
    }
    status = tgr_parameters_seal(parameters);
    if (status != TGR_OK) {
        assert_null(parameters->values);
        assert_status(TGR_OK, tgr_parameters_seal(parameters));
    }
done:
    tgr_context_free(context);
    tgr_parameters_release(parameters);
    return status;
}

static void test_without_memory(void **state) {
    (void)state;
    assert_true(test_each_allocation_failing(build, NULL) >= 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_bad_arguments), cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests_name("parameters", tests, NULL, NULL);
}
