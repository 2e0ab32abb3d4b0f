/* SPDX-License-Identifier: MIT */
/* A model as a file: its tensors, its options, the host's texts. */
#include <string.h>

#include "base/status.h"
#include "base/struct.h"
#include "exchange/texts.h"
#include "model/model.h"
#include "tgrmoe/exchange.h"

/* State is always float32: a table of experts or a count of tokens would not survive BF16's eight bits. */
static tgr_status add_tensors(tgr_safetensors_writer *writer, const tgr_parameters *parameters, tgr_element element) {
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        TGR_TRY(tgr_safetensors_writer_add(writer, tensor->name,
                                           tensor->flags & TGR_TENSOR_STATE ? TGR_ELEMENT_F32 : element, tensor->ndim,
                                           tensor->dims, tgr_value(parameters, i)));
    }
    return TGR_OK;
}

static tgr_status add_texts(tgr_safetensors_writer *writer, const tgr_export_options *options) {
    for (int64_t i = 0; i < options->text_count; i++)
        TGR_TRY(tgr_safetensors_writer_add_text(writer, options->texts[2 * i], options->texts[2 * i + 1]));
    return TGR_OK;
}

static tgr_status check(const tgr_export_options *options) {
    const char *const *texts = options->texts;
    TGR_REQUIRE(options->element == TGR_ELEMENT_F32 || options->element == TGR_ELEMENT_BF16, TGR_ERROR_RANGE,
                "argument 'options->element' is %d; it must be TGR_ELEMENT_F32 (%d) or TGR_ELEMENT_BF16 (%d)",
                (int)options->element, TGR_ELEMENT_F32, TGR_ELEMENT_BF16);
    TGR_REQUIRE(options->text_count >= 0 && (options->text_count == 0 || texts != NULL), TGR_ERROR_ARGUMENT,
                "argument 'options->text_count' is %lld and 'options->texts' is %sNULL", (long long)options->text_count,
                texts == NULL ? "" : "not ");
    for (int64_t i = 0; i < options->text_count; i++) {
        TGR_REQUIRE(texts[2 * i] != NULL && texts[2 * i + 1] != NULL, TGR_ERROR_ARGUMENT,
                    "text %lld of argument 'options->texts' or its key is NULL", (long long)i);
        TGR_REQUIRE(strncmp(texts[2 * i], TGR_TEXT_PREFIX, strlen(TGR_TEXT_PREFIX)) != 0, TGR_ERROR_ARGUMENT,
                    "the key '%s' begins with '%s', which is reserved for the library's", texts[2 * i],
                    TGR_TEXT_PREFIX);
    }
    return TGR_OK;
}

tgr_status tgr_model_export(tgr_model *model, const char *path, const tgr_export_options *options) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(path);
    tgr_export_options chosen = {.struct_size = sizeof chosen};
    if (options != NULL) TGR_TRY(TGR_STRUCT_READ(&chosen, options, text_count));
    if (chosen.element == 0) chosen.element = TGR_ELEMENT_F32;
    TGR_TRY(check(&chosen));
    tgr_safetensors_writer *writer = NULL;
    TGR_TRY(tgr_safetensors_writer_create(&writer, tgr_model_context(model)));
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(add_tensors(writer, tgr_model_parameters(model), chosen.element));
    TGR_TRY_DONE(tgr_texts_write(writer, tgr_model_config(model)));
    TGR_TRY_DONE(add_texts(writer, &chosen));
    TGR_TRY_DONE(tgr_safetensors_writer_save(writer, path));
done:
    tgr_safetensors_writer_free(writer);
    return status;
}
