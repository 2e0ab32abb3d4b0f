/* SPDX-License-Identifier: MIT */
/* Reading sections. Memory: three blocks, zlib's window, 16 to 32 bytes for each section's name. */
#define _FILE_OFFSET_BITS 64
#include "checkpoint/section_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/deflate_memory.h"
#include "checkpoint/file_error.h"

#define LETTERS 6 /* of the signature, starting with its second byte */

static tgr_status truncated(const tgr_section_reader *reader, uint64_t needed) {
    return tgr_fail(TGR_ERROR_FILE_TRUNCATED,
                    "'%s' ends too early: it has %" PRIu64 " bytes, of which at byte %" PRIu64 " %" PRIu64
                    " more are needed",
                    reader->path, reader->size, reader->position, needed);
}

static tgr_status corrupt(const tgr_section_reader *reader, const char *name, const char *what) {
    return tgr_fail(TGR_ERROR_FILE_CORRUPT, "'%s' was altered: section %" PRIu64 " '%s', near byte %" PRIu64 ": %s",
                    reader->path, reader->sections, name, reader->position, what);
}

/* The next `count` bytes, which the caller has checked to be within the file. */
static tgr_status read_bytes(tgr_section_reader *reader, void *bytes, size_t count) {
    TGR_ASSERT(count <= reader->size - reader->position);
    char *to = bytes;
    while (count > 0) {
        const ssize_t got = read(reader->file, to, count);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tgr_file_fail(reader->path, "cannot be read");
        if (got == 0) return truncated(reader, count); /* it has shrunk since it was opened */
        to += got;
        count -= (size_t)got;
        reader->position += (uint64_t)got;
    }
    return TGR_OK;
}

static tgr_status open_file(tgr_section_reader *reader) {
    struct stat state;
    /* O_NONBLOCK: if it is a pipe, do not wait for a writer. */
    reader->file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (reader->file < 0 || fstat(reader->file, &state) != 0) return tgr_file_fail(reader->path, "cannot be opened");
    TGR_REQUIRE(S_ISREG(state.st_mode), TGR_ERROR_FILE, "'%s' is not a regular file", reader->path);
    reader->size = (uint64_t)state.st_size;
    return TGR_OK;
}

static tgr_status check_file_header(tgr_section_reader *reader) {
    unsigned char start[TGR_FILE_HEADER_BYTES] = {0}, expected[TGR_FILE_HEADER_BYTES];
    tgr_file_header_encode(expected);
    const size_t count = reader->size < sizeof start ? (size_t)reader->size : sizeof start;
    const size_t magic = count < TGR_FILE_MAGIC_BYTES ? count : TGR_FILE_MAGIC_BYTES;
    TGR_TRY(read_bytes(reader, start, count));
    if (memcmp(start, expected, magic) != 0) {
        TGR_REQUIRE(memcmp(start + 1, expected + 1, LETTERS) != 0, TGR_ERROR_FILE_CORRUPT,
                    "'%s' was altered: its signature is damaged, as by a transfer as text", reader->path);
        return tgr_fail(TGR_ERROR_FILE_FOREIGN, "'%s' is not a checkpoint of this library", reader->path);
    }
    if (count < sizeof start) return truncated(reader, sizeof start - count);
    const uint32_t version =
        (uint32_t)start[12] | (uint32_t)start[13] << 8 | (uint32_t)start[14] << 16 | (uint32_t)start[15] << 24;
    TGR_REQUIRE(version == TGR_FILE_VERSION, TGR_ERROR_FILE_VERSION,
                "'%s' has format version %" PRIu32 "; this library reads version %u", reader->path, version,
                TGR_FILE_VERSION);
    return TGR_OK;
}

tgr_status tgr_section_reader_open(tgr_section_reader *reader, tgr_context *context, const char *path) {
    *reader = (tgr_section_reader){.context = context, .path = path, .file = -1, .names = {.context = context}};
    TGR_TRY(open_file(reader));
    TGR_TRY(check_file_header(reader));
    TGR_TRY(tgr_allocate(context, (void **)&reader->input, TGR_SECTION_BLOCK_BYTES, 1));
    TGR_TRY(tgr_allocate(context, (void **)&reader->planes, TGR_SECTION_BLOCK_BYTES, 1));
    TGR_TRY(tgr_allocate(context, (void **)&reader->block, TGR_SECTION_BLOCK_BYTES, 1));
    tgr_deflate_memory(&reader->stream, context);
    TGR_REQUIRE(inflateInit(&reader->stream) == Z_OK, TGR_ERROR_MEMORY, "no memory for unpacking '%s'", path);
    reader->inflating = 1;
    return TGR_OK;
}

static tgr_status check_end(const tgr_section_reader *reader, const tgr_section_header *end) {
    if (end->dims[0] != reader->sections) return corrupt(reader, "", "the file had a different number of sections");
    if (end->crc != reader->headers_crc) return corrupt(reader, "", "sections were swapped");
    if (end->dims[1] != reader->position) return corrupt(reader, "", "the file had a different size");
    if (reader->position != reader->size) return corrupt(reader, "", "something follows the end section");
    return TGR_OK;
}

tgr_status tgr_section_reader_next(tgr_section_reader *reader, tgr_section_header *header, int *more) {
    unsigned char bytes[TGR_SECTION_HEADER_BYTES];
    if (reader->size - reader->position < sizeof bytes)
        return truncated(reader, sizeof bytes - (reader->size - reader->position));
    TGR_TRY(read_bytes(reader, bytes, sizeof bytes));
    *header = (tgr_section_header){0};
    const char *problem = tgr_section_decode(header, bytes);
    if (problem != NULL) return corrupt(reader, "", problem); /* its name may be garbage */
    *more = header->type != TGR_SECTION_END;
    if (!*more) return check_end(reader, header);

    reader->headers_crc = (uint32_t)crc32_z(reader->headers_crc, bytes, sizeof bytes);
    if (header->stored_bytes > reader->size - reader->position)
        return truncated(reader, header->stored_bytes - (reader->size - reader->position));
    int known;
    TGR_TRY(tgr_name_set_add(&reader->names, header->name, &known));
    if (known) return corrupt(reader, header->name, "there is another section with that name");
    reader->sections++;
    return TGR_OK;
}

/* What remains of a payload while it is being unpacked. */
typedef struct payload {
    uint64_t stored_left;
    uint32_t crc;
    int ended; /* zlib has reached the end of its stream */
} payload;

/* Unpacks exactly `count` bytes to planes, or says what is wrong. */
static tgr_status inflate_block(tgr_section_reader *reader, const tgr_section_header *header, payload *rest,
                                size_t count) {
    TGR_ASSERT(count <= TGR_SECTION_BLOCK_BYTES);
    z_stream *stream = &reader->stream;
    stream->next_out = reader->planes;
    stream->avail_out = (uInt)count;
    while (stream->avail_out > 0 && !rest->ended) {
        if (stream->avail_in == 0 && rest->stored_left > 0) {
            const size_t some =
                rest->stored_left < TGR_SECTION_BLOCK_BYTES ? (size_t)rest->stored_left : TGR_SECTION_BLOCK_BYTES;
            TGR_TRY(read_bytes(reader, reader->input, some));
            rest->crc = (uint32_t)crc32_z(rest->crc, reader->input, some);
            rest->stored_left -= some;
            stream->next_in = reader->input;
            stream->avail_in = (uInt)some;
        }
        const int result = inflate(stream, Z_NO_FLUSH);
        TGR_REQUIRE(result != Z_MEM_ERROR, TGR_ERROR_MEMORY, "no memory for unpacking '%s'", reader->path);
        rest->ended = result == Z_STREAM_END;
        if (result != Z_OK && result != Z_STREAM_END) return corrupt(reader, header->name, "it cannot be unpacked");
    }
    return stream->avail_out == 0 ? TGR_OK : corrupt(reader, header->name, "it unpacks to less than its size");
}

/* After the last block: zlib must end here, with no more output and no input left over. */
static tgr_status check_payload_end(tgr_section_reader *reader, const tgr_section_header *header, payload *rest) {
    if (!rest->ended) {
        const tgr_status status = inflate_block(reader, header, rest, 1);
        if (status == TGR_OK) return corrupt(reader, header->name, "it unpacks to more than its size");
        if (!rest->ended) return status;
    }
    if (rest->stored_left != 0 || reader->stream.avail_in != 0)
        return corrupt(reader, header->name, "it has bytes left over after unpacking");
    return rest->crc == header->crc ? TGR_OK : corrupt(reader, header->name, "its checksum is wrong");
}

static tgr_status read_deflated(tgr_section_reader *reader, const tgr_section_header *header, unsigned char *target) {
    const size_t element = tgr_section_element(header->type);
    payload rest = {.stored_left = header->stored_bytes};
    const int reset = inflateReset(&reader->stream);
    TGR_ASSERT(reset == Z_OK);
    reader->stream.avail_in = 0;
    for (uint64_t left = header->raw_bytes; left > 0;) {
        const size_t count = left < TGR_SECTION_BLOCK_BYTES ? (size_t)left : TGR_SECTION_BLOCK_BYTES;
        TGR_TRY(inflate_block(reader, header, &rest, count));
        if (target != NULL) tgr_planes_join(target + (header->raw_bytes - left), reader->planes, count, element);
        left -= count;
    }
    return check_payload_end(reader, header, &rest);
}

static tgr_status read_stored(tgr_section_reader *reader, const tgr_section_header *header, unsigned char *target) {
    uint32_t crc = 0;
    for (uint64_t left = header->raw_bytes; left > 0;) {
        const size_t count = left < TGR_SECTION_BLOCK_BYTES ? (size_t)left : TGR_SECTION_BLOCK_BYTES;
        unsigned char *to = target != NULL ? target + (header->raw_bytes - left) : reader->block;
        TGR_TRY(read_bytes(reader, to, count));
        crc = (uint32_t)crc32_z(crc, to, count);
        left -= count;
    }
    return crc == header->crc ? TGR_OK : corrupt(reader, header->name, "its checksum is wrong");
}

tgr_status tgr_section_reader_payload(tgr_section_reader *reader, const tgr_section_header *header, void *target) {
    return header->encoding == TGR_STORED ? read_stored(reader, header, target) : read_deflated(reader, header, target);
}

tgr_status tgr_section_reader_skip(tgr_section_reader *reader, const tgr_section_header *header) {
    TGR_ASSERT(header->stored_bytes <= reader->size - reader->position);
    reader->position += header->stored_bytes;
    if (lseek(reader->file, (off_t)reader->position, SEEK_SET) < 0)
        return tgr_file_fail(reader->path, "cannot be read");
    return TGR_OK;
}

void tgr_section_reader_close(tgr_section_reader *reader) {
    if (reader->file >= 0) close(reader->file);
    reader->file = -1;
    if (reader->inflating) (void)inflateEnd(&reader->stream);
    reader->inflating = 0;
    tgr_name_set_free(&reader->names);
    tgr_release(reader->context, reader->block, TGR_SECTION_BLOCK_BYTES, 1);
    tgr_release(reader->context, reader->planes, TGR_SECTION_BLOCK_BYTES, 1);
    tgr_release(reader->context, reader->input, TGR_SECTION_BLOCK_BYTES, 1);
    reader->block = reader->planes = reader->input = NULL;
}
