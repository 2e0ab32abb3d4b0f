/* SPDX-License-Identifier: MIT */
/* Reading safetensors files: those of the reference library, odd but sound ones, and hostile ones. */
#include <inttypes.h>
#include <time.h>

#include "file_support.h"
#include "safetensors/utf8.h"
#include "tgrmoe/safetensors.h"

/* A file with this header and `data_bytes` bytes 0, 1, 2 … of data, in memory of exactly its size. */
static test_file craft(const char *json, size_t json_bytes, size_t data_bytes) {
    test_file file = {.size = 8 + json_bytes + data_bytes};
    file.bytes = malloc(file.size);
    assert_non_null(file.bytes);
    for (int i = 0; i < 8; i++) file.bytes[i] = (unsigned char)((uint64_t)json_bytes >> 8 * i);
    memcpy(file.bytes + 8, json, json_bytes);
    for (size_t i = 0; i < data_bytes; i++) file.bytes[8 + json_bytes + i] = (unsigned char)i;
    return file;
}

static tgr_safetensors_entry entry_at(const tgr_safetensors *file, int64_t index) {
    tgr_safetensors_entry entry = {.struct_size = sizeof entry};
    assert_status(TGR_OK, tgr_safetensors_entry_at(file, index, &entry));
    return entry;
}

static const char *text_of(const tgr_safetensors *file, const char *key) {
    const char *text = "unset";
    text = tgr_safetensors_text(file, key);
    return text;
}

static int64_t index_of(const tgr_safetensors *file, const char *name) {
    int64_t index = -2;
    index = tgr_safetensors_find(file, name);
    return index;
}

static int64_t count_of(const tgr_safetensors *file) {
    int64_t count = tgr_safetensors_count(file);
    return count;
}

/* test/golden/make_safetensors.py has written what is expected here. */
static void test_a_file_of_the_reference_library(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    char *path = test_path_beside(__FILE__, "golden/mixed.safetensors");
    assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
    assert_int_equal(count_of(file), 7);
    static const struct {
        const char *name;
        tgr_element element;
        int32_t ndim;
        int64_t dims[3];
    } expected[] = {
        {"int64", TGR_ELEMENT_I64, 1, {2}},      {"empty", TGR_ELEMENT_F32, 2, {0, 4}},
        {"weight", TGR_ELEMENT_F32, 2, {2, 3}},  {"bf16", TGR_ELEMENT_BF16, 1, {4}},
        {"half", TGR_ELEMENT_F16, 3, {1, 2, 2}}, {"n\xC3\xA4me \"\\\n\x01", TGR_ELEMENT_F16, 0, {0}},
        {"bytes", TGR_ELEMENT_U8, 1, {3}},
    };
    FOR(i, 7) {
        const tgr_safetensors_entry entry = entry_at(file, i);
        assert_string_equal(entry.name, expected[i].name);
        assert_int_equal(index_of(file, entry.name), i);
        assert_int_equal(entry.element, expected[i].element);
        assert_int_equal(entry.ndim, expected[i].ndim);
        for (int d = 0; d < TGR_SAFETENSORS_DIMS; d++) assert_int_equal(entry.dims[d], d < 3 ? expected[i].dims[d] : 0);
    }
    static const float weight[] = {0, 0.5f, 1, 1.5f, 2, 2.5f}, bf16[] = {1, -2, 0.00390625f, 3.0e38f},
                       half[] = {1, -0.0f, 65504, 0x1p-24f};
    float numbers[6];
    assert_status(TGR_OK, tgr_safetensors_read(file, index_of(file, "weight"), numbers));
    assert_memory_equal(numbers, weight, sizeof weight);
    assert_status(TGR_OK, tgr_safetensors_read(file, index_of(file, "bf16"), numbers));
    assert_all_close(numbers, bf16, 4, 0, 0x1p-8);
    assert_status(TGR_OK, tgr_safetensors_read(file, index_of(file, "half"), numbers));
    assert_memory_equal(numbers, half, sizeof half);
    assert_status(TGR_OK, tgr_safetensors_read(file, index_of(file, "n\xC3\xA4me \"\\\n\x01"), numbers));
    assert_true(numbers[0] == 3.5f);
    assert_status(TGR_OK, tgr_safetensors_read(file, index_of(file, "empty"), NULL));
    assert_fails(TGR_ERROR_UNSUPPORTED, "tensor 'int64' has type I64", tgr_safetensors_read(file, 0, numbers));
    assert_status(TGR_OK, tgr_safetensors_read_bytes(file, 6, numbers));
    assert_memory_equal(numbers, "\x01\x02\xFF", 3);
    assert_int_equal(entry_at(file, 6).bytes, 3);
    assert_int_equal(index_of(file, "weigh"), -1);
    assert_string_equal(text_of(file, "format"), "pt");
    assert_null(text_of(file, "weight"));
    tgr_safetensors_close(file);
    tgr_context_free(context);
    free(path);
}

static void test_sound_files(void **state) {
    (void)state;
    static const struct {
        const char *json;
        size_t data_bytes;
        int64_t tensors;
    } sound[] = {
        {"{}", 0, 0},
        {"{}      ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{\n\t\"\" : { \"shape\" : [ ] , \"data_offsets\" : [ 0 , 1 ] , \"dtype\" : \"\\u00558\"\r} } ", 1, 1},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         3, 2},
        {"{\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         1, 2},
        {"{\"b\":{\"dtype\":\"F64\",\"shape\":[3,0],\"data_offsets\":[1,1]},"
         "\"a\":{\"dtype\":\"BOOL\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}",
         1, 2},
        {"{\"\\ud83d\\ude00\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},\"__metadata__\":{\"a\":\"\"}}", 1,
         1},
    };
    tgr_context *context = test_context(1, 1);
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        test_file bytes = craft(sound[i].json, strlen(sound[i].json), sound[i].data_bytes);
        tgr_safetensors *file = NULL;
        assert_status(TGR_OK, tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size));
        assert_int_equal(count_of(file), sound[i].tensors);
        FOR(t, sound[i].tensors) {
            const tgr_safetensors_entry entry = entry_at(file, t);
            assert_int_equal(index_of(file, entry.name), t);
            if (strstr(sound[i].json, "ud83d") != NULL) assert_string_equal(entry.name, "\xF0\x9F\x98\x80");
            assert_true(t == 0 || (const char *)entry.data >= (const char *)entry_at(file, t - 1).data);
        }
        tgr_safetensors_close(file);
        free(bytes.bytes);
    }
    tgr_context_free(context);
}

#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"
#define ONE(dtype, shape, offsets) "{" TENSOR("conv", dtype, shape, offsets) "}"

static const struct {
    const char *json;
    size_t data_bytes;
    tgr_status status;
    const char *text;
} hostile[] = {
    /* places */
    {"{" TENSOR("a", "U8", "4", "0,4") "," TENSOR("b", "U8", "4", "2,6") "}", 6, TGR_ERROR_FILE_CORRUPT,
     "tensor 'b' begins at byte 2 of the data and overlaps byte 4"},
    {"{" TENSOR("a", "U8", "4", "0,4") "," TENSOR("b", "U8", "4", "0,4") "}", 4, TGR_ERROR_FILE_CORRUPT,
     "tensor 'b' begins at byte 0 of the data and overlaps"},
    {"{" TENSOR("a", "U8", "4", "0,4") "," TENSOR("b", "U8", "0", "2,2") "}", 4, TGR_ERROR_FILE_CORRUPT,
     "tensor 'b' begins at byte 2"},
    {"{" TENSOR("a", "U8", "4", "0,4") "," TENSOR("b", "U8", "1", "5,6") "}", 6, TGR_ERROR_FILE_CORRUPT,
     "tensor 'b' begins at byte 5 of the data and leaves a gap from byte 4"},
    {ONE("U8", "4", "1,5"), 5, TGR_ERROR_FILE_CORRUPT, "tensor 'conv' begins at byte 1 of the data and leaves a gap"},
    {ONE("U8", "4", "0,4"), 3, TGR_ERROR_FILE_TRUNCATED, "tensor 'conv' ends at byte 4 of the data, which has 3"},
    {ONE("U8", "4", "0,4"), 5, TGR_ERROR_FILE_CORRUPT, "1 bytes follow the last tensor"},
    {"{}", 1, TGR_ERROR_FILE_CORRUPT, "1 bytes follow"},
    {ONE("U8", "9223372036854775807", "0,9223372036854775807"), 8, TGR_ERROR_FILE_TRUNCATED, "tensor 'conv' ends"},
    {ONE("U8", "4", "4,0"), 4, TGR_ERROR_FILE_CORRUPT, "tensor 'conv'"},
    {ONE("U8", "4", "0,4,4"), 4, TGR_ERROR_FILE_CORRUPT, "tensor 'conv', byte 53 of the header: ']' is needed"},
    {ONE("U8", "4", "0"), 4, TGR_ERROR_FILE_CORRUPT, "tensor 'conv', byte 51 of the header: ',' is needed"},
    /* numbers */
    {ONE("U8", "4", "-1,3"), 4, TGR_ERROR_FILE_CORRUPT, "tensor 'conv', byte 51 of the header: a number is negative"},
    {ONE("U8", "-4", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a number is negative"},
    {ONE("U8", "4", "0,18446744073709551616"), 4, TGR_ERROR_FILE_CORRUPT, "larger than 9223372036854775807"},
    {ONE("U8", "9223372036854775808", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "larger than 9223372036854775807"},
    {ONE("U8", "4", "0.0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a whole number is needed"},
    {ONE("U8", "4e0", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a whole number is needed"},
    {ONE("U8", "04", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a number begins with 0"},
    {ONE("U8", "\"4\"", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a number is needed"},
    {ONE("U8", "null", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a number is needed"},
    {ONE("U8", "4,", "0,4"), 4, TGR_ERROR_FILE_CORRUPT, "a number is needed"},
    /* shapes */
    {ONE("F32", "3", "0,4"), 4, TGR_ERROR_FILE_CORRUPT,
     "tensor 'conv': its shape and dtype need 12 bytes; data_offsets are 0 to 4"},
    {ONE("F32", "4294967296,4294967296", "0,0"), 0, TGR_ERROR_FILE_CORRUPT, "the product of the dimensions"},
    {ONE("F32", "0,4294967296,4294967296", "0,0"), 0, TGR_ERROR_FILE_CORRUPT, "the product of the dimensions"},
    {ONE("F64", "2305843009213693952", "0,0"), 0, TGR_ERROR_FILE_CORRUPT, "the product of the dimensions"},
    {ONE("U8", "1,1,1,1,1,1,1,1,1", "0,1"), 1, TGR_ERROR_UNSUPPORTED, "tensor 'conv'"},
    {ONE("F8_E5M2", "1", "0,1"), 1, TGR_ERROR_UNSUPPORTED, "does not know the dtype F8_E5M2"},
    {ONE("f32", "1", "0,4"), 4, TGR_ERROR_UNSUPPORTED, "tensor 'conv', byte 22 of the header: this library does"},
    /* names and fields */
    {"{" TENSOR("a", "U8", "1", "0,1") "," TENSOR("\\u0061", "U8", "1", "1,2") "}", 2, TGR_ERROR_FILE_CORRUPT,
     "there are two tensors 'a'"},
    {"{\"conv\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TGR_ERROR_FILE_CORRUPT,
     "there is a second shape"},
    {"{\"conv\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TGR_ERROR_FILE_CORRUPT, "it lacks dtype"},
    {"{\"conv\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, TGR_ERROR_FILE_CORRUPT, "it lacks shape"},
    {"{\"conv\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, TGR_ERROR_FILE_CORRUPT, "it lacks data_offsets"},
    {"{\"conv\":{}}", 1, TGR_ERROR_FILE_CORRUPT, "tensor 'conv', byte 10 of the header: it lacks dtype"},
    {"{\"conv\":{\"strides\":[1]}}", 1, TGR_ERROR_FILE_CORRUPT, "the format has no field strides"},
    {"{\"\\u001b[2J\":7}", 0, TGR_ERROR_FILE_CORRUPT, "tensor '?[2J'"},
    {"{\"a\\u0000b\":{}}", 0, TGR_ERROR_FILE_CORRUPT, "a string contains NUL"},
    {"{\"conv\":[[[[[[[[[[[[[[[[[[", 0, TGR_ERROR_FILE_CORRUPT, "'{' is needed"},
    {"{\"conv\":{\"shape\":[[[[[[[[[[[[", 0, TGR_ERROR_FILE_CORRUPT, "a number is needed"},
    {"{\"conv\":{\"conv\":{\"conv\":{\"conv\":{", 0, TGR_ERROR_FILE_CORRUPT, "the format has no field conv"},
    /* texts */
    {"{\"__metadata__\":{\"a\":1}}", 0, TGR_ERROR_FILE_CORRUPT, "byte 21 of the header: a string is needed"},
    {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, TGR_ERROR_FILE_CORRUPT, "a string is needed"},
    {"{\"__metadata__\":[]}", 0, TGR_ERROR_FILE_CORRUPT, "'{' is needed"},
    {"{\"__metadata__\":null}", 0, TGR_ERROR_FILE_CORRUPT, "'{' is needed"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", 0, TGR_ERROR_FILE_CORRUPT, "two __metadata__ keys 'a'"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, TGR_ERROR_FILE_CORRUPT, "a second __metadata__"},
    /* strings */
    {"{\"\xC0\x80", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\xE0\x80\xAF\"", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\xED\xA0\x80\"", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\xF4\x90\x80\x80\"", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\xF8\x88\x80\x80\x80\"", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\xE2\x82", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\x80\"", 0, TGR_ERROR_FILE_CORRUPT, "not UTF-8"},
    {"{\"\\ud800\"", 0, TGR_ERROR_FILE_CORRUPT, "a surrogate stands alone"},
    {"{\"\\udc00\\udc00\"", 0, TGR_ERROR_FILE_CORRUPT, "a surrogate stands alone"},
    {"{\"\\ud800\\u0041\"", 0, TGR_ERROR_FILE_CORRUPT, "a surrogate stands alone"},
    {"{\"\\ud800\\", 0, TGR_ERROR_FILE_CORRUPT, "a surrogate stands alone"},
    {"{\"\\u12g4\"", 0, TGR_ERROR_FILE_CORRUPT, "four hexadecimal digits"},
    {"{\"\\u12", 0, TGR_ERROR_FILE_CORRUPT, "four hexadecimal digits"},
    {"{\"\\x\"", 0, TGR_ERROR_FILE_CORRUPT, "no such escape"},
    {"{\"\\", 0, TGR_ERROR_FILE_CORRUPT, "no such escape"},
    {"{\"\n\"", 0, TGR_ERROR_FILE_CORRUPT, "a control character"},
    {"{\"abc", 0, TGR_ERROR_FILE_CORRUPT, "a string has no end"},
    /* the whole */
    {" {}", 0, TGR_ERROR_FILE_FOREIGN, "not a safetensors file"},
    {"[]", 0, TGR_ERROR_FILE_FOREIGN, "not a safetensors file"},
    {"{", 0, TGR_ERROR_FILE_FOREIGN, "not a safetensors file"},
    {"", 0, TGR_ERROR_FILE_FOREIGN, "not a safetensors file"},
    {"{ ", 0, TGR_ERROR_FILE_CORRUPT, "a string is needed"},
    {"{}x", 0, TGR_ERROR_FILE_CORRUPT, "something follows the closing '}'"},
    {"{}{}", 0, TGR_ERROR_FILE_CORRUPT, "something follows"},
    {"{},", 0, TGR_ERROR_FILE_CORRUPT, "something follows"},
    {"{conv:1}", 0, TGR_ERROR_FILE_CORRUPT, "a string is needed"},
    {"{" TENSOR("a", "U8", "1", "0,1") ",}", 1, TGR_ERROR_FILE_CORRUPT, "a string is needed"},
    {"{" TENSOR("a", "U8", "1", "0,1") " " TENSOR("b", "U8", "1", "1,2") "}", 2, TGR_ERROR_FILE_CORRUPT, "'}' is"},
    {"{" TENSOR("a", "U8", "1", "0,1"), 1, TGR_ERROR_FILE_CORRUPT, "'}' is needed"},
};

static void test_hostile_files(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        test_file bytes = craft(hostile[i].json, strlen(hostile[i].json), hostile[i].data_bytes);
        tgr_safetensors *file = NULL;
        const tgr_status status = tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size);
        if (status != hostile[i].status) print_error("%s\n", hostile[i].json);
        assert_fails(hostile[i].status, hostile[i].text, status);
        assert_null(file);
        free(bytes.bytes);
    }
    tgr_context_free(context);
}

static void test_hostile_lengths(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    unsigned char bytes[16] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    for (size_t size = 0; size < 8; size++)
        assert_fails(TGR_ERROR_FILE_TRUNCATED, "a safetensors file begins with 8",
                     tgr_safetensors_open_memory(&file, context, bytes, size));
    assert_fails(TGR_ERROR_FILE_TRUNCATED, "of its header's 3 bytes there are 2",
                 tgr_safetensors_open_memory(&file, context, bytes, 10));
    const uint64_t lengths[] = {100000001, UINT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int b = 0; b < 8; b++) bytes[b] = (unsigned char)(lengths[i] >> 8 * b);
        assert_fails(TGR_ERROR_FILE_CORRUPT, "the format allows 100000000",
                     tgr_safetensors_open_memory(&file, context, bytes, sizeof bytes));
    }
    /* a character of which the header has but the first two bytes */
    memcpy(bytes, "\4\0\0\0\0\0\0\0{\"\xE2\x82\xAC\":", 15);
    assert_fails(TGR_ERROR_FILE_CORRUPT, "not UTF-8", tgr_safetensors_open_memory(&file, context, bytes, sizeof bytes));
    memset(bytes, 0x89, sizeof bytes);
    assert_fails(TGR_ERROR_FILE_FOREIGN, "not a safetensors file",
                 tgr_safetensors_open_memory(&file, context, bytes, sizeof bytes));
    assert_null(file);
    tgr_context_free(context);
}

/* 100 MB of opening brackets: the longest header that the format allows. */
static void test_a_hostile_header_of_the_longest_length(void **state) {
    (void)state;
    const size_t length = 100000000;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    char *json = malloc(length);
    assert_non_null(json);
    memset(json, '[', length);
    memcpy(json, "{\"a\":", 5);
    test_file bytes = craft(json, length, 0);
    assert_fails(TGR_ERROR_FILE_CORRUPT, "tensor 'a', byte 5",
                 tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size));
    tgr_context_free(context);
    free(bytes.bytes);
    free(json);
}

/* Every character there is, in the bytes that UTF-8 is defined by; and no other code passes for one. */
static void test_every_character(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x200000; code++) {
        char written[TGR_UTF8_BYTES] = {0};
        unsigned char expected[4] = {(unsigned char)code};
        size_t bytes = 1;
        if (code >= 0x80) {
            bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
            static const unsigned char starts[] = {0, 0, 0xC0, 0xE0, 0xF0};
            expected[0] = (unsigned char)(starts[bytes] | code >> 6 * (bytes - 1));
            for (size_t i = 1; i < bytes; i++)
                expected[i] = (unsigned char)(0x80 | (code >> 6 * (bytes - 1 - i) & 0x3F));
        }
        const int sound = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        assert_int_equal(tgr_utf8_bytes(expected, bytes), sound ? bytes : 0);
        if (bytes > 1) assert_int_equal(tgr_utf8_bytes(expected, bytes - 1), 0);
        if (!sound) continue;
        assert_int_equal(tgr_utf8_write(code, written), bytes);
        assert_memory_equal(written, expected, bytes);
    }
}

/* In messages: cut between characters, nothing that a terminal obeys. */
static void test_names_in_messages(void **state) {
    (void)state;
    char shown[TGR_SHOWN_BYTES], name[400] = "";
    assert_string_equal(tgr_utf8_show("a\n\x1B\x7F\xC2\x85\xC2\xA0\xC3\xA4\xFF", shown), "a????\xC2\xA0\xC3\xA4?");
    for (int i = 0; i < 100; i++) strcat(name, "\xE2\x82\xAC");
    assert_int_equal(strlen(tgr_utf8_show(name, shown)), 126);
    assert_true(tgr_utf8_valid(shown));
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Tensors in the order of their names' digits turned round, so that neither names nor places are sorted. */
static void test_a_hundred_thousand_tensors(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    char *json = malloc((size_t)COUNT * 90), name[8];
    assert_non_null(json);
    size_t used = 0;
    for (int i = 0; i < COUNT; i++) {
        const int place = (int)((int64_t)i * 7919 % COUNT);
        used += (size_t)sprintf(json + used, "%c" TENSOR("%05d", "U8", "1", "%d,%d"), i == 0 ? '{' : ',',
                                (int)((int64_t)place * 331 % COUNT), place, place + 1);
    }
    json[used++] = '}';
    test_file bytes = craft(json, used, COUNT);
    const double start = seconds();
    assert_status(TGR_OK, tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size));
    assert_true(seconds() - start < 10); /* about 0.2 s; it would be minutes if it were quadratic */
    for (int i = 0; i < COUNT; i += 37) {
        sprintf(name, "%05d", (int)((int64_t)i * 331 % COUNT));
        assert_string_equal(entry_at(file, i).name, name);
        assert_int_equal(index_of(file, name), i);
        assert_true(*(const unsigned char *)entry_at(file, i).data == i % 256);
    }
    tgr_safetensors_close(file);
    tgr_context_free(context);
    free(bytes.bytes);
    free(json);
}

static tgr_status open_with(const tgr_allocator *allocator, void *user) {
    const char *json = "{\"__metadata__\":{\"k\":\"v\"}," TENSOR("a", "F32", "1", "0,4") "}";
    test_file bytes = craft(json, strlen(json), 4);
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    float numbers[3];
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(user == NULL ? tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size)
                              : tgr_safetensors_open(&file, context, user));
    TGR_TRY_DONE(tgr_safetensors_read(file, 0, numbers));
done:
    tgr_context_free(context); /* the file keeps it alive */
    tgr_safetensors_close(file);
    free(bytes.bytes);
    return status;
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    char *path = test_path_beside(__FILE__, "golden/sorted.safetensors");
    assert_true(test_each_allocation_failing(open_with, NULL) >= 6);
    assert_true(test_each_allocation_failing(open_with, path) >= 6);
    free(path);
}

/* What a file has is the same by its path and from memory; only there it can be looked at in place. */
static void test_file_and_memory_are_the_same(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    char *path = test_path_beside(__FILE__, "golden/mixed.safetensors");
    const test_file bytes = test_file_read(path);
    tgr_safetensors *files[2] = {NULL};
    assert_status(TGR_OK, tgr_safetensors_open(&files[0], context, path));
    assert_status(TGR_OK, tgr_safetensors_open_memory(&files[1], context, bytes.bytes, bytes.size));
    const int64_t count = tgr_safetensors_count(files[0]);
    assert_true(count > 0 && count == tgr_safetensors_count(files[1]));
    FOR(i, count) {
        const tgr_safetensors_entry entry = entry_at(files[0], i), same = entry_at(files[1], i);
        assert_string_equal(entry.name, same.name);
        assert_true(entry.data == NULL && same.data != NULL && entry.bytes == same.bytes);
        for (int f = 0; f < 2; f++) {
            void *read = malloc((size_t)entry.bytes + 1);
            assert_non_null(read);
            assert_status(TGR_OK, tgr_safetensors_read_bytes(files[f], i, read));
            assert_memory_equal(read, same.data, (size_t)entry.bytes);
            free(read);
        }
    }
    assert_fails(TGR_ERROR_ARGUMENT, "'file'", tgr_safetensors_read_bytes(NULL, 0, path));
    assert_fails(TGR_ERROR_ARGUMENT, "'to'", tgr_safetensors_read_bytes(files[0], 0, NULL));
    assert_fails(TGR_ERROR_RANGE, "'index'", tgr_safetensors_read_bytes(files[0], count, path));
    for (int f = 0; f < 2; f++) tgr_safetensors_close(files[f]);
    tgr_context_free(context);
    free(bytes.bytes);
    free(path);
}

static void test_files_that_cannot_be_had(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    char *empty = test_file_create();
    assert_fails(TGR_ERROR_FILE, "cannot be opened", tgr_safetensors_open(&file, context, "/nowhere/at/all"));
    assert_fails(TGR_ERROR_FILE, "not a regular file", tgr_safetensors_open(&file, context, "/"));
    assert_fails(TGR_ERROR_FILE, "not a regular file", tgr_safetensors_open(&file, context, "/dev/null"));
    assert_fails(TGR_ERROR_FILE_TRUNCATED, empty, tgr_safetensors_open(&file, context, empty));
    assert_null(file);
    test_file_remove(empty);
    tgr_context_free(context);
}

static void test_arguments(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors *file = NULL;
    int64_t number = 5;
    float value = 0;
    const char *key = "key", *text = "text";
    test_file bytes = craft(ONE("F32", "1", "0,4"), strlen(ONE("F32", "1", "0,4")), 4);
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_safetensors_open(NULL, context, "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_safetensors_open(&file, NULL, "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_safetensors_open(&file, context, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_safetensors_open_memory(NULL, context, bytes.bytes, bytes.size));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_safetensors_open_memory(&file, NULL, bytes.bytes, bytes.size));
    assert_fails(TGR_ERROR_ARGUMENT, "'bytes'", tgr_safetensors_open_memory(&file, context, NULL, 0));
    assert_fails(TGR_ERROR_RANGE, "'size'", tgr_safetensors_open_memory(&file, context, bytes.bytes, SIZE_MAX));
    assert_status(TGR_OK, tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size));
    tgr_safetensors_entry entry = {.struct_size = sizeof entry, .count = 77};
    assert_int_equal(tgr_safetensors_count(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "'file'", tgr_safetensors_entry_at(NULL, 0, &entry));
    assert_fails(TGR_ERROR_ARGUMENT, "'entry'", tgr_safetensors_entry_at(file, 0, NULL));
    assert_fails(TGR_ERROR_RANGE, "'index' is 1; there are 1", tgr_safetensors_entry_at(file, 1, &entry));
    assert_fails(TGR_ERROR_RANGE, "'index' is -1", tgr_safetensors_entry_at(file, -1, &entry));
    entry.struct_size = 0;
    assert_fails(TGR_ERROR_RANGE, "struct_size 0", tgr_safetensors_entry_at(file, 0, &entry));
    assert_int_equal(entry.count, 77);
    assert_int_equal(tgr_safetensors_find(file, NULL), -1);
    assert_int_equal(tgr_safetensors_find(NULL, "a"), -1);
    assert_fails(TGR_ERROR_ARGUMENT, "'file'", tgr_safetensors_read(NULL, 0, &value));
    assert_fails(TGR_ERROR_RANGE, "'index'", tgr_safetensors_read(file, 1, &value));
    assert_fails(TGR_ERROR_ARGUMENT, "'to'", tgr_safetensors_read(file, 0, NULL));
    assert_int_equal(tgr_safetensors_text_count(NULL), 0);
    assert_fails(TGR_ERROR_RANGE, "'index' is 0; there are 0", tgr_safetensors_text_at(file, 0, &key, &text));
    assert_fails(TGR_ERROR_ARGUMENT, "'key'", tgr_safetensors_text_at(file, 0, NULL, &text));
    assert_fails(TGR_ERROR_ARGUMENT, "'text'", tgr_safetensors_text_at(file, 0, &key, NULL));
    assert_null(tgr_safetensors_text(file, NULL));
    assert_null(tgr_safetensors_text(NULL, "key"));
    assert_int_equal(number, 5);
    tgr_safetensors_close(file);
    tgr_safetensors_close(NULL);
    tgr_context_free(context);
    free(bytes.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_of_the_reference_library),
        cmocka_unit_test(test_sound_files),
        cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_hostile_lengths),
        cmocka_unit_test(test_a_hostile_header_of_the_longest_length),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_names_in_messages),
        cmocka_unit_test(test_a_hundred_thousand_tensors),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_file_and_memory_are_the_same),
        cmocka_unit_test(test_files_that_cannot_be_had),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
