/* SPDX-License-Identifier: MIT */
/* libFuzzer target: reads any bytes as a safetensors file, and, since a fuzzer seldom guesses lengths, again with the
 * header's length made right and with exactly as much data as the header claims, if that is little. What opens must be
 * sound: every tensor within the file, every name UTF-8 and found again, all of it read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors/utf8.h"
#include "tgrmoe/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)         \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

enum { LARGEST = 1 << 16, LENGTH = 8 };

static tgr_context *context;
static float numbers[LARGEST];

static void set_up(void) {
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    REQUIRE(tgr_context_create(&context, &options) == TGR_OK);
}

static void read_tensor(const tgr_safetensors *file, int64_t index, const uint8_t *bytes, size_t size) {
    tgr_safetensors_entry entry = {.struct_size = sizeof entry};
    int64_t product = 1;
    REQUIRE(tgr_safetensors_entry_at(file, index, &entry) == TGR_OK && tgr_utf8_valid(entry.name));
    REQUIRE(tgr_safetensors_find(file, entry.name) == index);
    const uint8_t *from = entry.data;
    REQUIRE(from >= bytes && from <= bytes + size && entry.bytes <= (size_t)(bytes + size - from));
    REQUIRE(entry.ndim >= 0 && entry.ndim <= TGR_SAFETENSORS_DIMS);
    for (int d = 0; d < TGR_SAFETENSORS_DIMS; d++) REQUIRE(d < entry.ndim ? entry.dims[d] >= 0 : entry.dims[d] == 0);
    for (int d = 0; d < entry.ndim; d++) product = product == 0 || entry.dims[d] == 0 ? 0 : product * entry.dims[d];
    REQUIRE(entry.count == product && (uint64_t)entry.count <= entry.bytes);
    if (entry.count <= LARGEST) (void)tgr_safetensors_read(file, index, numbers);
}

static void read_texts(const tgr_safetensors *file) {
    const int64_t count = tgr_safetensors_text_count(file);
    for (int64_t i = 0; i < count; i++) {
        const char *key = NULL, *text = NULL;
        REQUIRE(tgr_safetensors_text_at(file, i, &key, &text) == TGR_OK);
        REQUIRE(tgr_safetensors_text(file, key) == text);
        REQUIRE(tgr_utf8_valid(key) && tgr_utf8_valid(text));
    }
}

static void read_bytes(const uint8_t *bytes, size_t size) {
    tgr_safetensors *file = NULL;
    const tgr_status status = tgr_safetensors_open_memory(&file, context, bytes, size);
    REQUIRE((status == TGR_OK) == (file != NULL));
    if (status != TGR_OK) return;
    const int64_t count = tgr_safetensors_count(file);
    uint64_t covered = 0;
    for (int64_t i = 0; i < count; i++) {
        tgr_safetensors_entry entry = {.struct_size = sizeof entry};
        read_tensor(file, i, bytes, size);
        REQUIRE(tgr_safetensors_entry_at(file, i, &entry) == TGR_OK);
        covered += entry.bytes;
    }
    REQUIRE(covered <= size);
    read_texts(file);
    tgr_safetensors_close(file);
}

/* The largest number behind a comma and before a closing bracket: the data's size, if the header is sound. */
static size_t claimed_data(const uint8_t *json, size_t size) {
    size_t largest = 0;
    for (size_t at = 0; at < size; at++) {
        size_t value = 0, digits = 0;
        if (json[at] != ',') continue;
        while (at + 1 < size && digits < 5 && json[at + 1] >= '0' && json[at + 1] <= '9') {
            value = 10 * value + (size_t)(json[++at] - '0');
            digits++;
        }
        if (digits > 0 && at + 1 < size && json[at + 1] == ']' && value > largest) largest = value;
    }
    return largest;
}

/* The input from byte 8 on as the header alone, with its length and its data put around it. */
static void read_repaired(const uint8_t *data, size_t size) {
    if (size <= LENGTH) return;
    const size_t length = size - LENGTH, whole = size + claimed_data(data + LENGTH, length);
    if (whole > LARGEST) return;
    uint8_t *repaired = calloc(whole, 1); /* so that a read past the end is seen */
    REQUIRE(repaired != NULL);
    memcpy(repaired, data, size);
    for (int i = 0; i < LENGTH; i++) repaired[i] = (uint8_t)((uint64_t)length >> 8 * i);
    read_bytes(repaired, whole);
    free(repaired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nothing;
    if (context == NULL) set_up();
    if (size > LARGEST) return 0;
    read_bytes(size > 0 ? data : &nothing, size);
    read_repaired(data, size);
    return 0;
}
