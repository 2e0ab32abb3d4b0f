/* SPDX-License-Identifier: MIT */
/* Messages speak of the function that the host called, however deep inside they arose. (assert_status and assert_fails
 * hold every other test to it, too.) */
#include <pthread.h>

#include "base/status.h"
#include "exchange_support.h"
#include "file_support.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/teacher.h"

/* The call fails, and the whole message is as given. */
#define assert_message(expected, call)                     \
    do {                                                   \
        assert_int_not_equal((call), TGR_OK);              \
        assert_string_equal(tgr_last_error(), (expected)); \
    } while (0)

static void test_options(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 0);
    tgr_config *config = test_config(context, "");
    assert_message("tgr_config_set: experts is 0; it must be 1 to 4096", tgr_config_set(config, "experts", "0"));
    assert_message("tgr_config_set: experts is 'x'; a whole number is needed", tgr_config_set(config, "experts", "x"));
    assert_message("tgr_config_set: lr is 'fast'; a number is needed", tgr_config_set(config, "lr", "fast"));
    assert_message("tgr_config_set_i64: option lr has a different type", tgr_config_set_i64(config, TGR_OPTION_LR, 1));
    assert_message("tgr_config_get_f64: there is no option number 7",
                   tgr_config_get_f64(config, (tgr_option)7, &(double){0}));
    tgr_config_free(config);
    tgr_context_free(context);
}

/* Handles that make others on the way. */
static void test_nested(void **state) {
    (void)state;
    tgr_context *context = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = -1};
    assert_message("tgr_context_create: argument 'threads' is -1; it must be 1 to 1024, or 0 for all processors",
                   tgr_context_create(&context, &options));
    context = test_context(1, 0);
    tgr_model *model = NULL;
    tgr_teacher *teacher = NULL;
    tgr_config *config = test_config(context, "preset=fashion heads=5");
    assert_fails(TGR_ERROR_RANGE, "heads", tgr_model_create(&model, context, config));
    assert_status(TGR_OK, test_config_set_all(config, "preset=fashion heads=4"));
    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    assert_fails(TGR_ERROR_ARGUMENT, "same model", tgr_teacher_create(&teacher, model, model));
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_files(void **state) {
    (void)state;
    static const char foreign[] = "a file of quite another kind, and long enough to have a header";
    tgr_context *context = test_context(1, 0);
    tgr_checkpoint *checkpoint = NULL;
    tgr_model *model = NULL;
    tgr_config *config = NULL;
    tgr_safetensors *file = NULL;
    char *path = test_file_create(), byte = 0;
    test_file_write(path, foreign, sizeof foreign);
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, context));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, "byte", &byte, 1));
    assert_fails(TGR_ERROR_FILE_FOREIGN, path, tgr_checkpoint_load(checkpoint, path));
    assert_fails(TGR_ERROR_FILE_FOREIGN, path, tgr_model_load(&model, context, path, "model"));
    assert_fails(TGR_ERROR_FILE_FOREIGN, path, tgr_config_load(&config, context, path, "model"));
    assert_fails(TGR_ERROR_FILE_FOREIGN, "", tgr_safetensors_open(&file, context, path));
    assert_fails(TGR_ERROR_FILE, "/no/folder", tgr_checkpoint_save(checkpoint, "/no/folder/x"));
    assert_fails(TGR_ERROR_FILE, "/no/folder", tgr_checkpoint_load(checkpoint, "/no/folder/x"));
    assert_status(TGR_OK, tgr_checkpoint_save(checkpoint, path));
    test_file saved = test_file_read(path);
    test_file_write(path, saved.bytes, saved.size - 1);
    assert_fails(TGR_ERROR_FILE_TRUNCATED, path, tgr_checkpoint_load(checkpoint, path));
    free(saved.bytes);
    tgr_checkpoint_free(checkpoint);
    test_file_remove(path);
    tgr_context_free(context);
}

/* What a message inside said is part of the one outside, without a second function. */
static void test_message_within_message(void **state) {
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"tgrmoe.method\":\"vmoe\",\"tgrmoe.experts\":\"0\"}}";
    unsigned char bytes[8 + sizeof header - 1] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    tgr_context *context = test_context(1, 0);
    tgr_safetensors *file = NULL;
    tgr_config *config = NULL;
    assert_status(TGR_OK, tgr_safetensors_open_memory(&file, context, bytes, sizeof bytes));
    assert_message(
        "tgr_config_import: the file has an option that this library does not accept: "
        "experts is 0; it must be 1 to 4096",
        tgr_config_import(&config, context, file));
    tgr_safetensors_close(file);
    tgr_context_free(context);
}

/* A host that calls the library from its callback and keeps the message. */
typedef struct heard {
    tgr_config *config;
    char message[128];
} heard;

static int fail_inside(void *user, const tgr_section *section) {
    heard *host = user;
    (void)section;
    assert_status(TGR_ERROR_OPTION, tgr_config_set(host->config, "no_such_key", "1"));
    snprintf(host->message, sizeof host->message, "%s", tgr_last_error());
    return 0;
}

static void test_callbacks(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 0);
    tgr_checkpoint *checkpoint = NULL;
    heard host = {0};
    char *path = test_file_create(), byte = 0;
    host.config = test_config(context, "");
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, context));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, "byte", &byte, 1));
    assert_status(TGR_OK, tgr_checkpoint_save(checkpoint, path));
    assert_status(TGR_OK, tgr_checkpoint_list(context, path, fail_inside, &host));
    assert_non_null(strstr(host.message, "tgr_config_set: there is no option 'no_such_key'"));
    assert_fails(TGR_ERROR_ARGUMENT, "'each'", tgr_checkpoint_list(context, path, NULL, NULL));
    tgr_checkpoint_free(checkpoint);
    tgr_config_free(host.config);
    test_file_remove(path);
    tgr_context_free(context);
}

static void *fail_elsewhere(void *message) {
    tgr_status status = tgr_config_copy(NULL, NULL);
    snprintf(message, 128, "%s", status == TGR_ERROR_ARGUMENT ? tgr_last_error() : "");
    return NULL;
}

/* Another thread's call is its own, even while this one is inside. */
static void test_threads(void **state) {
    (void)state;
    char message[128] = "";
    pthread_t thread;
    const char *outside = tgr_enter("tgr_model_create");
    assert_null(outside);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, message), 0);
    pthread_join(thread, NULL);
    assert_string_equal(message, "tgr_config_copy: argument 'out' is NULL; a pointer is needed");
    assert_int_equal(tgr_config_copy(NULL, NULL), TGR_ERROR_ARGUMENT);
    assert_string_equal(tgr_last_error(), "tgr_model_create: argument 'out' is NULL; a pointer is needed");
    tgr_leave(&outside);
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_config_copy(NULL, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),   cmocka_unit_test(test_nested),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_message_within_message),
        cmocka_unit_test(test_callbacks), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
