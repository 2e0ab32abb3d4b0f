/* SPDX-License-Identifier: MIT */
/* Writes named tensors to a file, one section each. */
#ifndef TGR_CHECKPOINT_SECTION_WRITER_H
#define TGR_CHECKPOINT_SECTION_WRITER_H

#include <zlib.h>

#include "checkpoint/atomic_file.h"
#include "checkpoint/section.h"
#include "tgrmoe/context.h"

typedef struct tgr_section_writer {
    tgr_context *context; /* outlives the writer */
    tgr_atomic_file file;
    uint64_t position, sections;
    uint32_t headers_crc;
    int deflating; /* whether `stream` is set up */
    z_stream stream;
    unsigned char *planes; /* [TGR_SECTION_BLOCK_BYTES] */
    unsigned char *output; /* [TGR_SECTION_BLOCK_BYTES] */
} tgr_section_writer;

/* Starts the file that will become `path`. After a failure of any call: tgr_section_writer_close. */
tgr_status tgr_section_writer_open(tgr_section_writer *writer, tgr_context *context, const char *path);
/* Adds a tensor. `header` has name, type, ndim and dims; the rest is computed. */
tgr_status tgr_section_writer_add(tgr_section_writer *writer, const tgr_section_header *header, const void *data);
/* Adds the end section and commits the file. */
tgr_status tgr_section_writer_finish(tgr_section_writer *writer);
/* Frees what the writer holds; the file is removed unless it was finished. */
void tgr_section_writer_close(tgr_section_writer *writer);

#endif
