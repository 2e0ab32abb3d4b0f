/* SPDX-License-Identifier: MIT */
/* A model as a file: its tensors, its options, the host's texts. */
#include <string.h>

#include "base/status.h"
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

static tgr_status add_texts(tgr_safetensors_writer *writer, const tgr_text *texts, int64_t count) {
    for (int64_t i = 0; i < count; i++) TGR_TRY(tgr_safetensors_writer_add_text(writer, texts[i].key, texts[i].text));
    return TGR_OK;
}

static tgr_status check_texts(const tgr_text *texts, int64_t count) {
    if (count < 0 || (count > 0 && texts == NULL))
        return tgr_fail(TGR_ERROR_ARGUMENT, "argument 'text_count' is %lld and 'texts' is %sNULL", (long long)count,
                        texts == NULL ? "" : "not ");
    for (int64_t i = 0; i < count; i++) {
        if (texts[i].key == NULL || texts[i].text == NULL)
            return tgr_fail(TGR_ERROR_ARGUMENT, "text %lld of argument 'texts' is NULL", (long long)i);
        if (strncmp(texts[i].key, TGR_TEXT_PREFIX, strlen(TGR_TEXT_PREFIX)) == 0)
            return tgr_fail(TGR_ERROR_ARGUMENT, "'%s' begins with '%s', as the library's own keys do", texts[i].key,
                            TGR_TEXT_PREFIX);
    }
    return TGR_OK;
}

tgr_status tgr_model_export(tgr_model *model, const char *path, tgr_element element, const tgr_text *texts,
                            int64_t text_count) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(path);
    TGR_REQUIRE(element == TGR_ELEMENT_F32 || element == TGR_ELEMENT_BF16, TGR_ERROR_RANGE,
                "argument 'element' is %d; it must be TGR_ELEMENT_F32 (%d) or TGR_ELEMENT_BF16 (%d)", (int)element,
                TGR_ELEMENT_F32, TGR_ELEMENT_BF16);
    TGR_TRY(check_texts(texts, text_count));
    tgr_parameters *parameters = NULL;
    const tgr_config *config = NULL;
    tgr_safetensors_writer *writer = NULL;
    TGR_TRY(tgr_model_parameters(model, &parameters));
    TGR_TRY(tgr_model_config(model, &config));
    TGR_TRY(tgr_safetensors_writer_create(&writer, tgr_model_context(model)));
    tgr_status status = add_tensors(writer, parameters, element);
    if (status == TGR_OK) status = tgr_texts_write(writer, config);
    if (status == TGR_OK) status = add_texts(writer, texts, text_count);
    if (status == TGR_OK) status = tgr_safetensors_writer_save(writer, path);
    tgr_safetensors_writer_free(writer);
    return status;
}
