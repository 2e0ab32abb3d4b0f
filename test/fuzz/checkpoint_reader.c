/* SPDX-License-Identifier: MIT */
/* Fuzz target: any bytes as a checkpoint. Each input is read twice, the second time with its checksums made right, so
 * that what lies behind them is reached. A load that fails must leave memory as it was. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/parameters.h"
#include "checkpoint/section.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)         \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

enum { BYTES = 300, LARGEST = 1 << 16 };

static tgr_context *context;
static tgr_parameters *parameters;
static tgr_checkpoint *checkpoint;
static unsigned char bytes[BYTES];
static int file;
static char path[64];

static void set_up(void) {
    int64_t index;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    REQUIRE(tgr_context_create(&context, &options) == TGR_OK);
    REQUIRE(tgr_parameters_create(&parameters, context) == TGR_OK);
    REQUIRE(tgr_parameters_add(parameters, &index, "a", 0, 2, (const int64_t[]){2, 3}) == TGR_OK);
    REQUIRE(tgr_parameters_add(parameters, &index, "b", TGR_TENSOR_STATE, 1, (const int64_t[]){5}) == TGR_OK);
    REQUIRE(tgr_parameters_seal(parameters) == TGR_OK);
    REQUIRE(tgr_checkpoint_create(&checkpoint, context) == TGR_OK);
    REQUIRE(tgr_checkpoint_add_parameters(checkpoint, "p", parameters) == TGR_OK);
    REQUIRE(tgr_checkpoint_add_bytes(checkpoint, "host", bytes, BYTES) == TGR_OK);
    file = memfd_create("checkpoint", MFD_CLOEXEC);
    REQUIRE(file >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
}

static int ignore(void *user, const tgr_section *section) {
    (void)user;
    REQUIRE(strlen(section->name) < sizeof section->name && section->ndim >= 0 && section->ndim <= 4);
    return 0;
}

/* What a load may change, in one place. */
typedef struct memory {
    unsigned char bytes[BYTES];
    float values[32], gradients[32];
    uint64_t seed, step, micro;
} memory;

static memory remember(void) {
    memory now;
    memset(&now, 0, sizeof now);
    REQUIRE(parameters->floats <= 32);
    memcpy(now.bytes, bytes, BYTES);
    memcpy(now.values, parameters->values, (size_t)parameters->floats * sizeof(float));
    memcpy(now.gradients, parameters->gradients, (size_t)parameters->floats * sizeof(float));
    now.seed = parameters->seed;
    now.step = parameters->step;
    now.micro = parameters->micro;
    return now;
}

static void read_file(const uint8_t *data, size_t size) {
    REQUIRE(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    const tgr_status listed = tgr_checkpoint_list(context, path, ignore, NULL);
    const memory before = remember();
    const tgr_status loaded = tgr_checkpoint_load(checkpoint, path);
    const memory after = remember();
    REQUIRE(loaded == TGR_OK || memcmp(&before, &after, sizeof before) == 0);
    REQUIRE(loaded == listed || listed == TGR_OK);
    if (listed != TGR_OK) return;
    tgr_model *model = NULL;
    (void)tgr_model_load(&model, context, path, "m");
    tgr_model_free(model);
}

static uint64_t get(const uint8_t *from, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static void put(uint8_t *to, uint64_t value, int count) {
    for (int i = 0; i < count; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* Makes signature, version and every checksum right, and the last header an end section that fits. */
static void repair(uint8_t *data, size_t size) {
    if (size < TGR_FILE_HEADER_BYTES) return;
    tgr_file_header_encode(data);
    uint32_t headers = 0;
    uint64_t sections = 0;
    for (size_t at = TGR_FILE_HEADER_BYTES; size - at >= TGR_SECTION_HEADER_BYTES;) {
        uint8_t *header = data + at;
        const uint64_t left = size - at - TGR_SECTION_HEADER_BYTES, stored = get(header + 48, 8);
        if (left == 0 && header[4] == TGR_SECTION_END) {
            put(header + 8, sections, 8);
            put(header + 16, size, 8);
            put(header + 56, headers, 4);
        } else if (stored <= left) {
            put(header + 56, crc32_z(0, header + TGR_SECTION_HEADER_BYTES, (size_t)stored), 4);
        }
        put(header + 188, crc32_z(0, header, 188), 4);
        headers = (uint32_t)crc32_z(headers, header, TGR_SECTION_HEADER_BYTES);
        sections++;
        if (stored > left) return;
        at += TGR_SECTION_HEADER_BYTES + (size_t)stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t repaired[LARGEST];
    if (context == NULL) set_up();
    if (size > LARGEST) return 0;
    read_file(data, size);
    if (size > 0) memcpy(repaired, data, size);
    repair(repaired, size);
    read_file(repaired, size);
    return 0;
}
