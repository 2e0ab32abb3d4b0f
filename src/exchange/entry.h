/* SPDX-License-Identifier: MIT */
/* Tensors of an open file by name, and shapes as texts for messages. */
#ifndef TGR_EXCHANGE_ENTRY_H
#define TGR_EXCHANGE_ENTRY_H

#include "tgrmoe/safetensors.h"

#define TGR_SHAPE_BYTES 256 /* always enough for tgr_shape_write */

/* *found says whether there is a tensor called `name`; if so, *index and *entry describe it. */
tgr_status tgr_entry_find(const tgr_safetensors *file, const char *name, int *found, int64_t *index,
                          tgr_safetensors_entry *entry);
/* "[8, 256, 64]" */
const char *tgr_shape_write(char text[TGR_SHAPE_BYTES], int ndim, const int64_t *dims);

#endif
