/* SPDX-License-Identifier: MIT */
/* An open file whose tensors are looked up by the model's names; shapes as texts for messages. */
#ifndef TGR_EXCHANGE_SOURCE_H
#define TGR_EXCHANGE_SOURCE_H

#include "base/parameters.h"
#include "tgrmoe/safetensors.h"

#define TGR_SHAPE_BYTES 256 /* always enough for tgr_shape_write */

/* Training programs leave "module.", "model." and "_orig_mod." in front of names, sometimes several of them; where all
 * names begin like this, it is ignored. LayerScale is "blocks.0.ls1.gamma" in timm's vision_transformer, and
 * "blocks.0.gamma_1" in its beit and in DeiT-III's own files. */
typedef struct tgr_source {
    const tgr_safetensors *file;
    int64_t count;      /* tensors */
    const char *prefix; /* [prefix_length], owned by the file, in front of every name */
    size_t prefix_length;
} tgr_source;

tgr_status tgr_source_open(tgr_source *source, const tgr_safetensors *file);
/* *found: whether there is a tensor that the model calls `name`; if so, *index and *entry describe it. */
tgr_status tgr_source_find(const tgr_source *source, const char *name, int *found, int64_t *index,
                           tgr_safetensors_entry *entry);
/* The tensor with that name in the file, after its prefix; *index is -1 if there is none. */
tgr_status tgr_source_find_exactly(const tgr_source *source, const char *name, int64_t *index);
/* The model's name for tensor `index`, written to `memory` or owned by the file. */
tgr_status tgr_source_at(const tgr_source *source, int64_t index, char memory[TGR_NAME_BYTES],
                         tgr_safetensors_entry *entry);
/* "[8, 256, 64]" */
const char *tgr_shape_write(char text[TGR_SHAPE_BYTES], int ndim, const int64_t *dims);

#endif
