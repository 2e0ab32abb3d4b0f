/* SPDX-License-Identifier: MIT */
/* Writing safetensors files: the same bytes as the reference library's, read back by it and by us. */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_support.h"
#include "tgrmoe/safetensors.h"

#define ESCAPED "q\"\\\b\f\n\r\t\x01\x7F\xC3\xBC/"

static const float weight[] = {-0.75f, -0.5f, -0.25f, 0, 0.25f, 0.5f}, bias[] = {1, 2, 3}, scalar[] = {7},
                   rounded[] = {1.00390625f, -2.501f, 3.0e38f, 1e-40f}, half[] = {0.5f};

static const struct tensor {
    const char *name;
    tgr_element element;
    int ndim;
    int64_t dims[2];
    const float *data;
} tensors[] = {
    {"z.weight", TGR_ELEMENT_F32, 2, {2, 3}, weight}, {"rounded", TGR_ELEMENT_BF16, 1, {4}, rounded},
    {"a.bias", TGR_ELEMENT_F32, 1, {3}, bias},        {ESCAPED, TGR_ELEMENT_BF16, 1, {1}, half},
    {"none", TGR_ELEMENT_F32, 2, {2, 0}, NULL},       {"scalar", TGR_ELEMENT_F32, 0, {0}, scalar},
};
enum { TENSORS = sizeof tensors / sizeof *tensors };

/* Lists the tensors above from number `first` on, round and round, and one text. */
static tgr_status list_all(tgr_safetensors_writer *writer, int first) {
    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &tensors[(first + i) % TENSORS];
        TGR_TRY(tgr_safetensors_writer_add(writer, t->name, t->element, t->ndim, t->dims, t->data));
    }
    return tgr_safetensors_writer_add_text(writer, "note", "line\n\"two\" \xC3\xBC");
}

static tgr_safetensors_writer *new_writer(tgr_context *context) {
    tgr_safetensors_writer *writer = NULL;
    assert_status(TGR_OK, tgr_safetensors_writer_create(&writer, context));
    return writer;
}

static void assert_file_is(const char *path, const test_file *expected) {
    test_file written = test_file_read(path);
    assert_int_equal(written.size, expected->size);
    assert_same_bytes(written.bytes, expected->bytes, expected->size);
    free(written.bytes);
}

/* test/golden/make_safetensors.py has written the same tensors. */
static void test_the_bytes_are_those_of_the_reference_library(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    char *path = test_file_create(), *golden = test_path_beside(__FILE__, "golden/sorted.safetensors");
    test_file expected = test_file_read(golden);
    for (int first = 0; first < TENSORS; first++) {
        tgr_safetensors_writer *writer = new_writer(context);
        assert_status(TGR_OK, list_all(writer, first));
        assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
        assert_file_is(path, &expected);
        assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path)); /* over a file that is there, and twice */
        assert_file_is(path, &expected);
        tgr_safetensors_writer_free(writer);
    }
    free(expected.bytes);
    free(golden);
    test_file_remove(path);
    tgr_context_free(context);
}

/* Where python3 has the reference library, it reads what we write. */
static void test_the_reference_library_reads_it(void **state) {
    (void)state;
    if (system("python3 -c 'import torch, safetensors.torch' >/dev/null 2>&1") != 0) skip();
    tgr_context *context = test_context(1, 1);
    tgr_safetensors_writer *writer = new_writer(context);
    char *path = test_file_create(), *script = test_path_beside(__FILE__, "golden/make_safetensors.py"), command[8192];
    assert_status(TGR_OK, list_all(writer, 0));
    assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
    snprintf(command, sizeof command, "python3 '%s' --check '%s' >&2", script, path);
    assert_int_equal(system(command), 0);
    tgr_safetensors_writer_free(writer);
    test_file_remove(path);
    free(script);
    tgr_context_free(context);
}

enum { DATA = 70000, MOST = 40 };

/* Random shapes, empty ones and those longer than a chunk among them. */
static void test_round_trips(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    test_random random = test_random_start(11);
    float *data = test_random_floats(&random, DATA), *read = malloc(DATA * sizeof(float));
    char *path = test_file_create();
    assert_non_null(read);
    for (int round = 0; round < 30; round++) {
        tgr_safetensors_writer *writer = new_writer(context);
        tgr_safetensors *file = NULL;
        const int64_t count = test_random_integer(&random, 0, MOST);
        int64_t dims[MOST][TGR_SAFETENSORS_DIMS] = {{0}}, from[MOST], numbers[MOST], index;
        int ndim[MOST];
        char name[32];
        FOR(i, count) {
            ndim[i] = (int)test_random_integer(&random, 0, TGR_SAFETENSORS_DIMS);
            numbers[i] = 1;
            for (int d = 0; d < ndim[i]; d++)
                numbers[i] *= dims[i][d] = test_random_integer(&random, d == 0 ? 0 : 1, d == 0 ? 257 : 2);
            from[i] = test_random_integer(&random, 0, DATA - numbers[i]);
            snprintf(name, sizeof name, "%s%lld", i % 3 ? "b." : "", (long long)i);
            assert_status(TGR_OK, tgr_safetensors_writer_add(writer, name, i % 2 ? TGR_ELEMENT_BF16 : TGR_ELEMENT_F32,
                                                             ndim[i], dims[i], data + from[i]));
            assert_status(TGR_OK, tgr_safetensors_writer_add_text(writer, name, i % 4 ? "text" : ""));
        }
        assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
        const test_file bytes = test_file_read(path); /* at an address that any number may have */
        assert_status(TGR_OK, tgr_safetensors_open_memory(&file, context, bytes.bytes, bytes.size));
        FOR(i, count) {
            tgr_safetensors_entry entry = {.struct_size = sizeof entry};
            const char *key, *text;
            snprintf(name, sizeof name, "%s%lld", i % 3 ? "b." : "", (long long)i);
            index = tgr_safetensors_find(file, name);
            assert_status(TGR_OK, tgr_safetensors_entry_at(file, index, &entry));
            assert_true(entry.ndim == ndim[i] && entry.count == numbers[i]);
            assert_memory_equal(entry.dims, dims[i], sizeof entry.dims);
            assert_true((uintptr_t)entry.data % (i % 2 ? 2 : 4) == 0);
            assert_status(TGR_OK, tgr_safetensors_read(file, index, read));
            FOR(n, numbers[i])
                assert_true(fabs((double)read[n] - (double)data[from[i] + n]) <=
                            (i % 2 ? 0x1p-8 * fabs((double)read[n]) : 0));
            assert_status(TGR_OK, tgr_safetensors_text_at(file, i, &key, &text));
            assert_string_equal(key, name);
            assert_string_equal(text, i % 4 ? "text" : "");
        }
        tgr_safetensors_close(file);
        free(bytes.bytes);
        tgr_safetensors_writer_free(writer);
    }
    free(data);
    free(read);
    test_file_remove(path);
    tgr_context_free(context);
}

/* More numbers than are converted at a time, and one that is not a multiple. */
static void test_a_large_tensor(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    test_random random = test_random_start(12);
    const int64_t count = 3 * 16384 + 5;
    float *data = test_random_floats(&random, count), *read = malloc((size_t)count * sizeof(float));
    char *path = test_file_create();
    tgr_safetensors_writer *writer = new_writer(context);
    tgr_safetensors *file = NULL;
    assert_non_null(read);
    assert_status(TGR_OK, tgr_safetensors_writer_add(writer, "a", TGR_ELEMENT_BF16, 1, &count, data));
    assert_status(TGR_OK, tgr_safetensors_writer_add(writer, "b", TGR_ELEMENT_F32, 1, &count, data));
    assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
    assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
    assert_status(TGR_OK, tgr_safetensors_read(file, 0, read)); /* "b" */
    assert_same_bytes(read, data, (size_t)count * sizeof(float));
    assert_status(TGR_OK, tgr_safetensors_read(file, 1, read));
    assert_all_close(read, data, count, 0, 0x1p-8);
    tgr_safetensors_close(file);
    tgr_safetensors_writer_free(writer);
    free(data);
    free(read);
    test_file_remove(path);
    tgr_context_free(context);
}

/* A refused tensor or text changes nothing, so the file is as if it had not been offered. */
static void test_refusals(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors_writer *writer = new_writer(context);
    char *path = test_file_create(), *golden = test_path_beside(__FILE__, "golden/sorted.safetensors");
    test_file expected = test_file_read(golden);
    const int64_t one[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, negative[] = {-1}, huge[] = {INT64_MAX / 2, 3};
    assert_status(TGR_OK, list_all(writer, 3));
#define ADD(name, element, ndim, dims, data) tgr_safetensors_writer_add(writer, name, element, ndim, dims, data)
    assert_fails(TGR_ERROR_ARGUMENT, "'name' is 'a.bias', which is taken",
                 ADD("a.bias", TGR_ELEMENT_F32, 1, one, bias));
    assert_fails(TGR_ERROR_ARGUMENT, "the format reserves", ADD("__metadata__", TGR_ELEMENT_F32, 1, one, bias));
    assert_fails(TGR_ERROR_RANGE, "not UTF-8", ADD("x\xC0\x80", TGR_ELEMENT_F32, 1, one, bias));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", ADD(NULL, TGR_ELEMENT_F32, 1, one, bias));
    assert_fails(TGR_ERROR_UNSUPPORTED, "'element' is 2", ADD("x", TGR_ELEMENT_F16, 1, one, bias));
    assert_fails(TGR_ERROR_RANGE, "'ndim' is 9", ADD("x", TGR_ELEMENT_F32, 9, one, bias));
    assert_fails(TGR_ERROR_RANGE, "'ndim' is -1", ADD("x", TGR_ELEMENT_F32, -1, one, bias));
    assert_fails(TGR_ERROR_RANGE, "'dims' has -1 at 0", ADD("x", TGR_ELEMENT_F32, 1, negative, bias));
    assert_fails(TGR_ERROR_OVERFLOW, "'dims'", ADD("x", TGR_ELEMENT_F32, 2, huge, bias));
    assert_fails(TGR_ERROR_OVERFLOW, "'dims'", ADD("x", TGR_ELEMENT_F32, 1, huge, bias));
    assert_fails(TGR_ERROR_ARGUMENT, "'dims'", ADD("x", TGR_ELEMENT_F32, 1, NULL, bias));
    assert_fails(TGR_ERROR_ARGUMENT, "'data'", ADD("x", TGR_ELEMENT_F32, 1, one, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'writer'", tgr_safetensors_writer_add(NULL, "x", TGR_ELEMENT_F32, 1, one, bias));
    assert_fails(TGR_ERROR_ARGUMENT, "'key' is 'note'", tgr_safetensors_writer_add_text(writer, "note", "x"));
    assert_fails(TGR_ERROR_RANGE, "'text' is '?'", tgr_safetensors_writer_add_text(writer, "x", "\xFF"));
    assert_fails(TGR_ERROR_RANGE, "'key'", tgr_safetensors_writer_add_text(writer, "\xFF", "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'key'", tgr_safetensors_writer_add_text(writer, NULL, "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'text'", tgr_safetensors_writer_add_text(writer, "x", NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'writer'", tgr_safetensors_writer_add_text(NULL, "x", "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_safetensors_writer_save(writer, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'writer'", tgr_safetensors_writer_save(NULL, path));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_safetensors_writer_create(NULL, context));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_safetensors_writer_create(&writer, NULL));
    assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
    assert_file_is(path, &expected);
    tgr_safetensors_writer_free(writer);
    tgr_safetensors_writer_free(NULL);
    free(expected.bytes);
    free(golden);
    test_file_remove(path);
    tgr_context_free(context);
}

/* Two tensors whose bytes together are too many, though each by itself is not: found before anything is written. */
static void test_too_many_bytes(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors_writer *writer = new_writer(context);
    char *path = test_file_create();
    const int64_t most = INT64_MAX / 4;
    assert_status(TGR_OK, tgr_safetensors_writer_add(writer, "a", TGR_ELEMENT_F32, 1, &most, bias));
    assert_status(TGR_OK, tgr_safetensors_writer_add(writer, "b", TGR_ELEMENT_F32, 1, &most, bias));
    assert_fails(TGR_ERROR_OVERFLOW, "the tensors' bytes", tgr_safetensors_writer_save(writer, path));
    tgr_safetensors_writer_free(writer);
    test_file_remove(path);
    tgr_context_free(context);
}

/* The largest header that the format allows can be read again; one byte more is refused. */
static void test_the_longest_header(void **state) {
    (void)state;
    enum { LIMIT = 100000000, AROUND = sizeof "{\"__metadata__\":{\"k\":\"\"}}" - 1 };
    tgr_context *context = test_context(1, 1);
    char *path = test_file_create(), *text = malloc(LIMIT);
    tgr_safetensors *file = NULL;
    assert_non_null(text);
    memset(text, 'x', LIMIT);
    for (int more = 1; more >= 0; more--) {
        tgr_safetensors_writer *writer = new_writer(context);
        text[LIMIT - AROUND + more] = '\0';
        assert_status(TGR_OK, tgr_safetensors_writer_add_text(writer, "k", text));
        if (more)
            assert_fails(TGR_ERROR_RANGE, "the format allows 100000000", tgr_safetensors_writer_save(writer, path));
        else
            assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
        tgr_safetensors_writer_free(writer);
    }
    assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
    const char *read = tgr_safetensors_text(file, "k");
    assert_string_equal(read, text);
    tgr_safetensors_close(file);
    free(text);
    test_file_remove(path);
    tgr_context_free(context);
}

static tgr_status write_with(const tgr_allocator *allocator, void *path) {
    tgr_context *context = NULL;
    tgr_safetensors_writer *writer = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(tgr_safetensors_writer_create(&writer, context));
    tgr_context_free(context); /* the writer keeps it alive */
    context = NULL;
    TGR_TRY_DONE(list_all(writer, 0));
    TGR_TRY_DONE(tgr_safetensors_writer_save(writer, path));
done:
    tgr_safetensors_writer_free(writer);
    tgr_context_free(context);
    return status;
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    char *path = test_file_create();
    assert_true(test_each_allocation_failing(write_with, path) >= 14);
    test_file_remove(path);
}

/* A save that fails leaves the old file and nothing beside it. */
static void test_a_failed_save(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_safetensors_writer *writer = new_writer(context);
    char *folder = test_folder_create(), path[4096];
    snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_status(TGR_OK, list_all(writer, 0));
    assert_fails(TGR_ERROR_FILE, path, tgr_safetensors_writer_save(writer, path)); /* a folder is in the way */
    int names = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) names += entry->d_name[0] != '.';
    closedir(stream);
    assert_int_equal(names, 1);
    test_folder_remove(folder);
    tgr_safetensors_writer_free(writer);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_bytes_are_those_of_the_reference_library),
        cmocka_unit_test(test_the_reference_library_reads_it),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_a_large_tensor),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_bytes),
        cmocka_unit_test(test_the_longest_header),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_a_failed_save),
    };
    return cmocka_run_group_tests_name("safetensors writer", tests, NULL, NULL);
}
