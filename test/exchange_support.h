/* SPDX-License-Identifier: MIT */
/* What the tests of model exchange share: files opened, models made of them, models written to files. */
#ifndef TGR_TEST_EXCHANGE_SUPPORT_H
#define TGR_TEST_EXCHANGE_SUPPORT_H

#include "model_support.h"
#include "tgrmoe/exchange.h"

/* An open file, or the test fails. */
static inline tgr_safetensors *test_open(tgr_context *context, const char *path) {
    tgr_safetensors *file = NULL;
    assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
    return file;
}

/* The index of a tensor that is there, and what the file says of it. */
static inline int64_t test_entry(const tgr_safetensors *file, const char *name, tgr_safetensors_entry *entry) {
    int64_t index = tgr_safetensors_find(file, name);
    if (index < 0) fail_msg("the file has no '%s'", name);
    entry->struct_size = sizeof *entry;
    assert_status(TGR_OK, tgr_safetensors_entry_at(file, index, entry));
    return index;
}

/* The model in a file as the file describes it; `options` ("key=value …") are set beside, and may be "". */
static inline tgr_model *test_import(tgr_context *context, const tgr_safetensors *file, const char *options) {
    tgr_config *config = NULL;
    tgr_model *model = NULL;
    int64_t image_size;
    assert_status(TGR_OK, tgr_config_import(&config, context, file));
    assert_status(TGR_OK, tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &image_size));
    assert_status(TGR_OK, tgr_config_set_i64(config, TGR_OPTION_IMAGE_SIZE, image_size)); /* images are square */
    assert_status(TGR_OK, test_config_set_all(config, options));
    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    assert_status(TGR_OK, tgr_model_import(model, file, NULL));
    tgr_config_free(config);
    return model;
}

#endif
