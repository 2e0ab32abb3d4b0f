/* SPDX-License-Identifier: MIT */
/* An open file whose tensors go by the model's names, and shapes as texts for messages. */
#ifndef TGR_EXCHANGE_SOURCE_H
#define TGR_EXCHANGE_SOURCE_H

#include "base/parameters.h"
#include "tgrmoe/safetensors.h"

#define TGR_SHAPE_BYTES 256 /* always suffices for tgr_shape_write */

/* Trainers leave "module.", "model." and "_orig_mod." in front of names, also several of them; where all names begin
 * so, they are named without. LayerScale is "blocks.0.ls1.gamma" in timm's vision_transformer, and "blocks.0.gamma_1"
 * in its beit and in DeiT-III's own files. */
typedef struct tgr_source {
    const tgr_safetensors *file;
    int64_t count;      /* tensors */
    const char *prefix; /* [prefix_length], lent by the file, in front of every name */
    size_t prefix_length;
} tgr_source;

tgr_status tgr_source_open(tgr_source *source, const tgr_safetensors *file);
/* *found tells whether there is a tensor that the model calls `name`; *index and *entry describe it then. */
tgr_status tgr_source_find(const tgr_source *source, const char *name, int *found, int64_t *index,
                           tgr_safetensors_entry *entry);
/* The tensor that the file calls so after its prefix; *index -1 without. */
tgr_status tgr_source_find_exactly(const tgr_source *source, const char *name, int64_t *index);
/* Tensor `index` under the name that the model has for it, written to `memory` or lent by the file. */
tgr_status tgr_source_at(const tgr_source *source, int64_t index, char memory[TGR_NAME_BYTES],
                         tgr_safetensors_entry *entry);
/* "[8, 256, 64]" */
const char *tgr_shape_write(char text[TGR_SHAPE_BYTES], int ndim, const int64_t *dims);

#endif
