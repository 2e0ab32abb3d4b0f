/* SPDX-License-Identifier: MIT */
/* Each tensor of the model is compared with the file's, then the file's with the model's. */
#include "exchange/match.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/status.h"
#include "exchange/foreign.h"
#include "safetensors/element.h"

/* One file and one model. */
typedef struct match_pair {
    const tgr_model *model;
    const tgr_parameters *parameters;
    const tgr_source *source;
    const tgr_import_options *options;
} match_pair;

static int starts_with(const char *name, const char *start) {
    return strncmp(name, start, strlen(start)) == 0;
}

int tgr_match_keeps(const char *name, const tgr_import_options *options) {
    return options->fresh_head && (starts_with(name, "head.") || starts_with(name, "head_dist."));
}

int tgr_match_is_positions(const char *name) {
    return strcmp(name, "pos_embed") == 0;
}

int64_t tgr_match_position_prefix(const tgr_model *model) {
    return tgr_option_i64(tgr_model_config(model), TGR_OPTION_POSITION_CLS) ? tgr_model_dimensions(model)->prefix_tokens
                                                                            : 0;
}

int64_t tgr_match_square_root(int64_t count) {
    int64_t root = count > 0 ? llround(sqrt((double)count)) : 0;
    return root <= INT32_MAX && root * root == count ? root : 0;
}

/* Shapes that are the same except for dimensions of 1 mean the same: [1, tokens, dim] and [tokens, dim]. */
static int is_same_shape(const tgr_tensor *tensor, const tgr_safetensors_entry *entry) {
    int i = 0, j = 0;
    for (;;) {
        while (i < tensor->ndim && tensor->dims[i] == 1) i++;
        while (j < entry->ndim && entry->dims[j] == 1) j++;
        if (i == tensor->ndim || j == entry->ndim) return i == tensor->ndim && j == entry->ndim;
        if (tensor->dims[i++] != entry->dims[j++]) return 0;
    }
}

/* A convolution's kernel [out, channels, rows, columns] as the matrix [out, channels · rows · columns]. */
static int is_flat_kernel(const tgr_tensor *tensor, const tgr_safetensors_entry *entry) {
    return tensor->ndim == 4 && entry->ndim == 2 && entry->dims[0] == tensor->dims[0] && entry->count == tensor->count;
}

/* Whether the positions in the file are for another square grid; sizes are bounded by the file's own. */
static int can_resample(const match_pair *pair, const tgr_tensor *tensor, const tgr_safetensors_entry *entry) {
    int64_t dim = tensor->dims[tensor->ndim - 1];
    return tgr_match_is_positions(tensor->name) && entry->ndim >= 1 && entry->dims[entry->ndim - 1] == dim &&
           tgr_match_square_root(entry->count / dim - tgr_match_position_prefix(pair->model)) > 0;
}

static tgr_status check_shape(const match_pair *pair, const tgr_tensor *tensor, const tgr_safetensors_entry *entry) {
    if (is_same_shape(tensor, entry) || is_flat_kernel(tensor, entry)) return TGR_OK;
    int of_grid = can_resample(pair, tensor, entry);
    if (of_grid && pair->options->resample) return TGR_OK;
    char here[TGR_SHAPE_BYTES], there[TGR_SHAPE_BYTES];
    const char *hint = "";
    if (of_grid) hint = "; 'resample' makes the one of the other";
    if (starts_with(tensor->name, "head")) hint = "; 'fresh_head' leaves the model's as it is";
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "'%s' is %s in the file and %s in the model%s", tensor->name,
                    tgr_shape_write(there, entry->ndim, entry->dims), tgr_shape_write(here, tensor->ndim, tensor->dims),
                    hint);
}

static tgr_status check_tensor(const match_pair *pair, const tgr_tensor *tensor) {
    tgr_safetensors_entry entry;
    int64_t index;
    int found;
    if (tgr_match_keeps(tensor->name, pair->options)) return TGR_OK;
    TGR_TRY(tgr_source_find(pair->source, tensor->name, &found, &index, &entry));
    if (!found) {
        char shape[TGR_SHAPE_BYTES];
        return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file has no '%s', which is %s in the model%s", tensor->name,
                        tgr_shape_write(shape, tensor->ndim, tensor->dims), tgr_foreign_lack(tensor->name));
    }
    TGR_TRY(check_shape(pair, tensor, &entry));
    if (tgr_element_is_read(entry.element)) return TGR_OK;
    return tgr_fail(TGR_ERROR_UNSUPPORTED, "'%s' is %s in the file; F32, F16, BF16 and F64 are read", tensor->name,
                    tgr_element_name(entry.element));
}

static int has_tensor(const tgr_parameters *parameters, const char *name) {
    for (int64_t i = 0; i < parameters->tensor_count; i++)
        if (strcmp(parameters->tensors[i].name, name) == 0) return 1;
    return 0;
}

/* A tensor that the model has no place for: why it cannot be left out, or what leaves it out. */
static tgr_status refuse_extra(const tgr_safetensors_entry *entry, tgr_foreign_kind kind, const char *what) {
    char shape[TGR_SHAPE_BYTES];
    const char *end = "for which the model has no place";
    if (kind == TGR_FOREIGN_IDLE) end = "for which the model has no place; 'ignore_unknown' skips it";
    if (kind == TGR_FOREIGN_PART) end = "which belongs to another architecture";
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file has '%.200s', %s, %s%s%s%s", entry->name,
                    tgr_shape_write(shape, entry->ndim, entry->dims), end, *what ? " (" : "", what, *what ? ")" : "");
}

/* Tensor `index` is the one that is read as `name`. */
static tgr_status check_single(const match_pair *pair, const char *name, int64_t index) {
    tgr_safetensors_entry entry;
    int64_t read;
    int found;
    TGR_TRY(tgr_source_find(pair->source, name, &found, &read, &entry));
    if (read == index) return TGR_OK;
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "'%s' is there under two names", name);
}

static tgr_status check_extra(const match_pair *pair) {
    for (int64_t i = 0; i < pair->source->count; i++) {
        char name[TGR_NAME_BYTES];
        const char *what;
        tgr_safetensors_entry entry;
        TGR_TRY(tgr_source_at(pair->source, i, name, &entry));
        if (tgr_match_keeps(entry.name, pair->options)) continue;
        if (has_tensor(pair->parameters, entry.name)) {
            TGR_TRY(check_single(pair, entry.name, i));
            continue;
        }
        const tgr_foreign_kind kind = tgr_foreign_find(entry.name, &what);
        if (kind == TGR_FOREIGN_PART || !pair->options->ignore_unknown) return refuse_extra(&entry, kind, what);
    }
    return TGR_OK;
}

tgr_status tgr_match_check(tgr_model *model, const tgr_source *source, const tgr_import_options *options) {
    match_pair pair = {.model = model, .source = source, .options = options};
    tgr_parameters *parameters = tgr_model_parameters(model);
    pair.parameters = parameters;
    for (int64_t i = 0; i < parameters->tensor_count; i++) TGR_TRY(check_tensor(&pair, &parameters->tensors[i]));
    return check_extra(&pair);
}
