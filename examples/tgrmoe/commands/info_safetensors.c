/* SPDX-License-Identifier: MIT */
/* Names and texts come from strangers. */
#include "commands/info_safetensors.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"

static const char *element_name(tgr_element element) {
    switch (element) {
#define ELEMENT_NAME(number, NAME, name, bytes) \
    case TGR_ELEMENT_##NAME:                    \
        return name;
        TGR_ELEMENT_MAP(ELEMENT_NAME)
#undef ELEMENT_NAME
    }
    return "?";
}

/* A terminal must not obey what names and texts contain. */
static void print_plainly(const char *text) {
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f)
            printf("\\x%02X", byte);
        else
            putchar(byte);
    }
}

static void print_tensor(const tgr_safetensors_entry *tensor) {
    char shape[256] = "";
    for (int i = 0; i < tensor->ndim; i++) {
        const size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%s%lld", i ? ", " : "", (long long)tensor->dims[i]);
    }
    printf("  ");
    print_plainly(tensor->name);
    printf("%*s %-4s [%s]  %llu bytes\n", strlen(tensor->name) < 44 ? 44 - (int)strlen(tensor->name) : 0, "",
           element_name(tensor->element), shape, (unsigned long long)tensor->bytes);
}

int info_safetensors(tgr_context *context, const char *path) {
    int result = 0;
    uint64_t bytes = 0;
    tgr_safetensors *file = NULL;
    LIBRARY(tgr_safetensors_open(&file, context, path));
    const int64_t tensors = tgr_safetensors_count(file), texts = tgr_safetensors_text_count(file);
    for (int64_t i = 0; i < tensors; i++) {
        tgr_safetensors_entry tensor = {.struct_size = sizeof tensor};
        LIBRARY(tgr_safetensors_entry_at(file, i, &tensor));
        print_tensor(&tensor);
        bytes += tensor.bytes;
    }
    printf("%lld tensors, %llu bytes, %lld texts\n", (long long)tensors, (unsigned long long)bytes, (long long)texts);
    for (int64_t i = 0; i < texts; i++) {
        const char *key = NULL, *text = NULL;
        LIBRARY(tgr_safetensors_text_at(file, i, &key, &text));
        if (strncmp(key, "tgrmoe.", strlen("tgrmoe.")) == 0) continue; /* the model's options, which follow */
        printf("  ");
        print_plainly(key);
        printf(": ");
        print_plainly(text);
        printf("\n");
    }
done:
    tgr_safetensors_close(file);
    return result;
}
