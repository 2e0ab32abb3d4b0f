/* SPDX-License-Identifier: MIT */
/* What the tests of checkpoints share: small parameters, files made by hand with sound checksums. */
#ifndef TGR_TEST_CHECKPOINT_SUPPORT_H
#define TGR_TEST_CHECKPOINT_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/parameters.h"
#include "checkpoint/section.h"
#include "file_support.h"
#include "tgrmoe/checkpoint.h"

/* Weights [2, 3] and [40, 5], running state [5]; all numbers, step and micro from `seed`. */
static inline tgr_parameters *test_parameters(tgr_context *context, uint64_t seed) {
    tgr_parameters *parameters = NULL;
    int64_t index;
    assert_status(TGR_OK, tgr_parameters_create(&parameters, context));
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "first.weight", 0, 2, (const int64_t[]){2, 3}));
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "mean", TGR_TENSOR_STATE, 1, (const int64_t[]){5}));
    assert_status(TGR_OK, tgr_parameters_add(parameters, &index, "last.weight", 0, 2, (const int64_t[]){40, 5}));
    assert_status(TGR_OK, tgr_parameters_seal(parameters));
    test_random random = test_random_start(seed);
    FOR(i, 3) {
        test_random_fill(&random, tgr_value(parameters, i), parameters->tensors[i].count, -1, 1);
        test_random_fill(&random, tgr_gradient(parameters, i), parameters->tensors[i].count, -1, 1);
    }
    memset(tgr_gradient(parameters, 1), 0, 5 * sizeof(float)); /* running state has none */
    parameters->seed = test_random_word(&random);
    parameters->step = 1000 + seed;
    parameters->micro = 3;
    return parameters;
}

/* All that a checkpoint may change in parameters. */
typedef struct test_snapshot {
    size_t bytes; /* of each arena */
    unsigned char *values, *gradients;
    uint64_t seed, step, micro;
} test_snapshot;

static inline test_snapshot test_snapshot_take(const tgr_parameters *parameters) {
    test_snapshot snapshot = {.bytes = (size_t)parameters->floats * sizeof(float),
                              .seed = parameters->seed,
                              .step = parameters->step,
                              .micro = parameters->micro};
    snapshot.values = malloc(snapshot.bytes);
    snapshot.gradients = malloc(snapshot.bytes);
    assert_true(snapshot.values != NULL && snapshot.gradients != NULL);
    memcpy(snapshot.values, parameters->values, snapshot.bytes);
    memcpy(snapshot.gradients, parameters->gradients, snapshot.bytes);
    return snapshot;
}

static inline int test_snapshot_equal(const test_snapshot *snapshot, const tgr_parameters *parameters) {
    return memcmp(snapshot->values, parameters->values, snapshot->bytes) == 0 &&
           memcmp(snapshot->gradients, parameters->gradients, snapshot->bytes) == 0 &&
           snapshot->seed == parameters->seed && snapshot->step == parameters->step &&
           snapshot->micro == parameters->micro;
}

static inline void test_snapshot_free(test_snapshot *snapshot) {
    free(snapshot->values);
    free(snapshot->gradients);
}

/* A file under construction. */
typedef struct test_craft {
    unsigned char bytes[1 << 18];
    size_t size;
    uint64_t sections;
    uint32_t headers_crc;
} test_craft;

static inline void test_craft_start(test_craft *craft) {
    *craft = (test_craft){.size = TGR_FILE_HEADER_BYTES};
    tgr_file_header_encode(craft->bytes);
}

static inline void test_craft_append(test_craft *craft, const void *bytes, size_t count) {
    assert_true(craft->size + count <= sizeof craft->bytes);
    if (count > 0) memcpy(craft->bytes + craft->size, bytes, count);
    craft->size += count;
}

/* Makes the checksum of the header at `at` right. */
static inline void test_craft_sign(unsigned char *header) {
    const uint32_t crc = (uint32_t)crc32_z(0, header, TGR_SECTION_HEADER_BYTES - 4);
    for (int i = 0; i < 4; i++) header[TGR_SECTION_HEADER_BYTES - 4 + i] = (unsigned char)(crc >> 8 * i);
}

/* Adds the section as `header` tells it, its payload's checksum made right. Returns where its header is. */
static inline unsigned char *test_craft_section(test_craft *craft, tgr_section_header header, const void *payload,
                                                size_t count) {
    unsigned char encoded[TGR_SECTION_HEADER_BYTES];
    header.crc = (uint32_t)crc32_z(0, payload, count);
    tgr_section_encode(&header, encoded);
    unsigned char *place = craft->bytes + craft->size;
    test_craft_append(craft, encoded, sizeof encoded);
    test_craft_append(craft, payload, count);
    craft->sections++;
    craft->headers_crc = (uint32_t)crc32_z(craft->headers_crc, encoded, sizeof encoded);
    return place;
}

static inline tgr_section_header test_craft_end_header(const test_craft *craft) {
    return (tgr_section_header){.type = TGR_SECTION_END,
                                .ndim = 2,
                                .dims = {craft->sections, craft->size + TGR_SECTION_HEADER_BYTES},
                                .crc = craft->headers_crc};
}

static inline void test_craft_end(test_craft *craft, tgr_section_header end) {
    unsigned char encoded[TGR_SECTION_HEADER_BYTES];
    tgr_section_encode(&end, encoded);
    test_craft_append(craft, encoded, sizeof encoded);
}

/* A plain section of bytes. */
static inline void test_craft_bytes(test_craft *craft, const char *name, const void *bytes, size_t count) {
    tgr_section_header header = {
        .type = TGR_SECTION_U8, .ndim = 1, .dims = {count}, .raw_bytes = count, .stored_bytes = count};
    snprintf(header.name, sizeof header.name, "%s", name);
    test_craft_section(craft, header, bytes, count);
}

#endif
