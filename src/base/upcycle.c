/* SPDX-License-Identifier: MIT */
/* Matching tensors by name. */
#include "base/upcycle.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/status.h"

static const char experts_part[] = ".moe.experts.", sparse_part[] = ".moe.", dense_part[] = ".mlp.";

/* The name of the tensor's source; "" for none. */
static void source_name(const char *name, char source[TGR_NAME_BYTES]) {
    const char *expert = strstr(name, experts_part);
    source[0] = '\0';
    if (expert != NULL)
        snprintf(source, TGR_NAME_BYTES, "%.*s%s%s", (int)(expert - name), name, dense_part,
                 expert + strlen(experts_part));
    else if (strstr(name, sparse_part) == NULL)
        snprintf(source, TGR_NAME_BYTES, "%s", name);
}

static int64_t find(const tgr_parameters *parameters, const char *name) {
    for (int64_t i = 0; i < parameters->tensor_count; i++)
        if (strcmp(parameters->tensors[i].name, name) == 0) return i;
    return -1;
}

int64_t tgr_upcycle_source(const tgr_parameters *sparse, int64_t index, const tgr_parameters *dense) {
    char name[TGR_NAME_BYTES];
    source_name(sparse->tensors[index].name, name);
    TGR_ASSERT(find(dense, "") < 0);
    return find(dense, name);
}

/* "8 x 256 x 64" */
static void write_shape(const tgr_tensor *tensor, char *text, size_t size) {
    size_t used = 0;
    for (int i = 0; i < tensor->ndim; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? " x " : "", (long long)tensor->dims[i]);
    TGR_ASSERT(used < size);
}

static int fits(const tgr_tensor *sparse, const tgr_tensor *dense) {
    int copied = strstr(sparse->name, experts_part) != NULL; /* its first dimension counts the experts */
    return sparse->ndim == dense->ndim + copied &&
           memcmp(sparse->dims + copied, dense->dims, (size_t)dense->ndim * sizeof *dense->dims) == 0;
}

static tgr_status check_tensor(const tgr_tensor *sparse, const tgr_parameters *dense) {
    char name[TGR_NAME_BYTES], shape[128], dense_shape[128];
    source_name(sparse->name, name);
    if (name[0] == '\0') return TGR_OK;
    int64_t source = find(dense, name);
    if (source < 0)
        return tgr_fail(TGR_ERROR_SHAPE, "the dense side has no '%s', from which '%s' would be copied", name,
                        sparse->name);
    if (fits(sparse, &dense->tensors[source])) return TGR_OK;
    write_shape(sparse, shape, sizeof shape);
    write_shape(&dense->tensors[source], dense_shape, sizeof dense_shape);
    return tgr_fail(TGR_ERROR_SHAPE, "'%s' is %s; it cannot be copied from '%s', which is %s", sparse->name, shape,
                    name, dense_shape);
}

static int is_used(const tgr_parameters *sparse, const tgr_parameters *dense, int64_t index) {
    for (int64_t i = 0; i < sparse->tensor_count; i++)
        if (tgr_upcycle_source(sparse, i, dense) == index) return 1;
    return 0;
}

tgr_status tgr_upcycle_check(const tgr_parameters *sparse, const tgr_parameters *dense) {
    int64_t experts = 0;
    for (int64_t i = 0; i < sparse->tensor_count; i++) experts += strstr(sparse->tensors[i].name, experts_part) != NULL;
    if (experts == 0) return tgr_fail(TGR_ERROR_ARGUMENT, "argument 'sparse' has no experts");
    for (int64_t i = 0; i < sparse->tensor_count; i++) TGR_TRY(check_tensor(&sparse->tensors[i], dense));
    for (int64_t i = 0; i < dense->tensor_count; i++)
        if (!is_used(sparse, dense, i))
            return tgr_fail(TGR_ERROR_SHAPE, "the sparse side has no place for '%s'", dense->tensors[i].name);
    return TGR_OK;
}

void tgr_upcycle_copy(const tgr_parameters *sparse, float *to, const tgr_parameters *dense, const float *from) {
    for (int64_t i = 0; i < sparse->tensor_count; i++) {
        const tgr_tensor *tensor = &sparse->tensors[i];
        int64_t source = tgr_upcycle_source(sparse, i, dense);
        if (source < 0) continue;
        int64_t count = dense->tensors[source].count;
        TGR_ASSERT(tensor->count % count == 0);
        for (int64_t first = 0; first < tensor->count; first += count)
            memcpy(to + tensor->offset + first, from + dense->tensors[source].offset, (size_t)count * sizeof *to);
    }
}
