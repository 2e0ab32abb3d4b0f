/* SPDX-License-Identifier: MIT */
/* Reads a file section by section, and trusts nothing in it before it has been checked. */
#ifndef TGR_CHECKPOINT_SECTION_READER_H
#define TGR_CHECKPOINT_SECTION_READER_H

#include <zlib.h>

#include "checkpoint/name_set.h"
#include "checkpoint/section.h"
#include "tgrmoe/context.h"

typedef struct tgr_section_reader {
    tgr_context *context; /* outlives the reader, as does the path */
    const char *path;
    int file; /* descriptor, -1 when closed */
    uint64_t size, position, sections;
    uint32_t headers_crc;
    tgr_name_set names;
    int inflating; /* whether `stream` is set up */
    z_stream stream;
    unsigned char *input;  /* [TGR_SECTION_BLOCK_BYTES], as stored */
    unsigned char *planes; /* [TGR_SECTION_BLOCK_BYTES], unpacked */
    unsigned char *block;  /* [TGR_SECTION_BLOCK_BYTES], for payloads that are not needed */
} tgr_section_reader;

/* Opens the file and checks its header. After a failure of any call: tgr_section_reader_close. */
tgr_status tgr_section_reader_open(tgr_section_reader *reader, tgr_context *context, const char *path);
/* The next section's header, checked against the rest of the file; *more is 0 at the end of the file, which is checked
 * as well. The payload must be read or skipped before the next call. */
tgr_status tgr_section_reader_next(tgr_section_reader *reader, tgr_section_header *header, int *more);
/* Checks the payload and unpacks it to `target` of header->raw_bytes, or nowhere if it is NULL. On failure `target`
 * holds garbage. */
tgr_status tgr_section_reader_payload(tgr_section_reader *reader, const tgr_section_header *header, void *target);
/* Skips the payload unchecked. */
tgr_status tgr_section_reader_skip(tgr_section_reader *reader, const tgr_section_header *header);
void tgr_section_reader_close(tgr_section_reader *reader);

#endif
