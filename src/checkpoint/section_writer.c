/* SPDX-License-Identifier: MIT */
/* Writing sections. The payload is written first, since only then are its size and checksum known; then the header
 * before it.
 *
 * Trained float32 weights are noise except for sign and exponent. Split into planes, with only runs and Huffman codes,
 * they shrink to 0.83 of their size, four times as fast as with deflate's search for matches, which gets to 0.93. */
#include "checkpoint/section_writer.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/deflate_memory.h"

enum { LEVEL = 1, WINDOW_BITS = 15, MEMORY_LEVEL = 8 };

tgr_status tgr_section_writer_open(tgr_section_writer *writer, tgr_context *context, const char *path) {
    *writer = (tgr_section_writer){.context = context, .file = {.directory = -1, .file = -1}};
    unsigned char start[TGR_FILE_HEADER_BYTES];
    TGR_TRY(tgr_allocate(context, (void **)&writer->planes, TGR_SECTION_BLOCK_BYTES, 1));
    TGR_TRY(tgr_allocate(context, (void **)&writer->output, TGR_SECTION_BLOCK_BYTES, 1));
    tgr_deflate_memory(&writer->stream, context);
    TGR_REQUIRE(deflateInit2(&writer->stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_RLE) == Z_OK,
                TGR_ERROR_MEMORY, "no memory for compressing '%s'", path);
    writer->deflating = 1;
    TGR_TRY(tgr_atomic_file_open(&writer->file, path));
    tgr_file_header_encode(start);
    writer->position = sizeof start;
    return tgr_atomic_file_write(&writer->file, 0, start, sizeof start);
}

/* Compresses the input of `stream` and appends it to the payload. Stops early, with success, if the payload would not
 * get smaller than its raw bytes. */
static tgr_status deflate_some(tgr_section_writer *writer, tgr_section_header *header, uint64_t begin, int flush) {
    z_stream *stream = &writer->stream;
    do {
        stream->next_out = writer->output;
        stream->avail_out = TGR_SECTION_BLOCK_BYTES;
        const int result = deflate(stream, flush);
        TGR_ASSERT(result != Z_STREAM_ERROR); /* its state is valid and there is room: it cannot fail */
        const size_t made = TGR_SECTION_BLOCK_BYTES - stream->avail_out;
        if (header->stored_bytes + made >= header->raw_bytes) {
            header->stored_bytes = header->raw_bytes;
            return TGR_OK;
        }
        TGR_TRY(tgr_atomic_file_write(&writer->file, begin + header->stored_bytes, writer->output, made));
        header->crc = (uint32_t)crc32_z(header->crc, writer->output, made);
        header->stored_bytes += made;
    } while (stream->avail_out == 0);
    return TGR_OK;
}

/* Writes the payload at `begin` as compressed planes; stored_bytes is raw_bytes if that does not make it smaller. */
static tgr_status write_deflated(tgr_section_writer *writer, tgr_section_header *header, uint64_t begin,
                                 const unsigned char *data) {
    const size_t element = tgr_section_element(header->type);
    header->encoding = TGR_DEFLATED_PLANES;
    header->stored_bytes = 0;
    header->crc = 0;
    const int reset = deflateReset(&writer->stream);
    TGR_ASSERT(reset == Z_OK);
    for (uint64_t done = 0; done < header->raw_bytes && header->stored_bytes < header->raw_bytes;) {
        const uint64_t left = header->raw_bytes - done;
        const size_t block = left < TGR_SECTION_BLOCK_BYTES ? (size_t)left : TGR_SECTION_BLOCK_BYTES;
        tgr_planes_split(writer->planes, data + done, block, element);
        done += block;
        writer->stream.next_in = writer->planes;
        writer->stream.avail_in = (uInt)block;
        TGR_TRY(deflate_some(writer, header, begin, done == header->raw_bytes ? Z_FINISH : Z_NO_FLUSH));
    }
    return TGR_OK;
}

/* Overwrites what write_deflated left there, which is shorter. */
static tgr_status write_stored(tgr_section_writer *writer, tgr_section_header *header, uint64_t begin,
                               const unsigned char *data) {
    header->encoding = TGR_STORED;
    header->stored_bytes = header->raw_bytes;
    header->crc = (uint32_t)crc32_z(0, data, (size_t)header->raw_bytes);
    return tgr_atomic_file_write(&writer->file, begin, data, (size_t)header->raw_bytes);
}

static tgr_status write_header(tgr_section_writer *writer, const tgr_section_header *header) {
    unsigned char bytes[TGR_SECTION_HEADER_BYTES];
    tgr_section_encode(header, bytes);
    TGR_TRY(tgr_atomic_file_write(&writer->file, writer->position, bytes, sizeof bytes));
    writer->headers_crc = (uint32_t)crc32_z(writer->headers_crc, bytes, sizeof bytes);
    writer->position += sizeof bytes + header->stored_bytes;
    return TGR_OK;
}

tgr_status tgr_section_writer_add(tgr_section_writer *writer, const tgr_section_header *header, const void *data) {
    tgr_section_header section = *header;
    const uint64_t begin = writer->position + TGR_SECTION_HEADER_BYTES;
    TGR_REQUIRE(tgr_section_name_valid(section.name), TGR_ERROR_ARGUMENT, "'%s' cannot be the name of a section",
                section.name);
    TGR_REQUIRE(tgr_section_size(section.type, section.ndim, section.dims, &section.raw_bytes), TGR_ERROR_OVERFLOW,
                "'%s' has a dimension of zero or is too large to count", section.name);
    TGR_TRY(write_deflated(writer, &section, begin, data));
    TGR_ASSERT(section.stored_bytes <= section.raw_bytes);
    if (section.stored_bytes == section.raw_bytes) TGR_TRY(write_stored(writer, &section, begin, data));
    TGR_TRY(write_header(writer, &section));
    writer->sections++;
    return TGR_OK;
}

tgr_status tgr_section_writer_finish(tgr_section_writer *writer) {
    const tgr_section_header end = {.type = TGR_SECTION_END,
                                    .ndim = 2,
                                    .dims = {writer->sections, writer->position + TGR_SECTION_HEADER_BYTES},
                                    .crc = writer->headers_crc};
    TGR_TRY(write_header(writer, &end));
    return tgr_atomic_file_commit(&writer->file);
}

void tgr_section_writer_close(tgr_section_writer *writer) {
    tgr_atomic_file_close(&writer->file);
    if (writer->deflating) (void)deflateEnd(&writer->stream);
    writer->deflating = 0;
    tgr_release(writer->context, writer->output, TGR_SECTION_BLOCK_BYTES, 1);
    tgr_release(writer->context, writer->planes, TGR_SECTION_BLOCK_BYTES, 1);
    writer->output = writer->planes = NULL;
}
