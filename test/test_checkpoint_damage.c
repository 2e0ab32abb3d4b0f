/* SPDX-License-Identifier: MIT */
/* Files that are cut short, altered, foreign or hostile: an error that says which, and memory as it was. */
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_support.h"

/* A checkpoint of parameters and bytes, a sound file of it, and what memory must stay equal to. */
typedef struct subject {
    tgr_context *context;
    tgr_parameters *parameters;
    unsigned char bytes[300], before[300];
    tgr_checkpoint *checkpoint;
    test_snapshot snapshot;
    char *path;
    test_file sound;
} subject;

static void set_up(subject *s) {
    memset(s, 0, sizeof *s);
    s->context = test_context(1, 7);
    s->parameters = test_parameters(s->context, 1);
    memset(s->bytes, 'x', sizeof s->bytes); /* shrinks, while the weights are stored raw */
    s->path = test_file_create();
    assert_status(TGR_OK, tgr_checkpoint_create(&s->checkpoint, s->context));
    assert_status(TGR_OK, tgr_checkpoint_add_parameters(s->checkpoint, "weights", s->parameters));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(s->checkpoint, "host", s->bytes, sizeof s->bytes));
    assert_status(TGR_OK, tgr_checkpoint_save(s->checkpoint, s->path));
    s->sound = test_file_read(s->path);

    tgr_parameters *other = test_parameters(s->context, 2);
    memcpy(s->parameters->values, other->values, (size_t)other->floats * sizeof(float));
    memcpy(s->parameters->gradients, other->gradients, (size_t)other->floats * sizeof(float));
    s->parameters->seed = other->seed;
    s->parameters->step = other->step;
    s->parameters->micro = 1;
    tgr_parameters_release(other);
    memset(s->bytes, 'y', sizeof s->bytes);
    memcpy(s->before, s->bytes, sizeof s->bytes);
    s->snapshot = test_snapshot_take(s->parameters);
}

static void tear_down(subject *s) {
    test_snapshot_free(&s->snapshot);
    free(s->sound.bytes);
    test_file_remove(s->path);
    tgr_checkpoint_free(s->checkpoint);
    tgr_parameters_release(s->parameters);
    tgr_context_free(s->context);
}

static int unchanged(const subject *s) {
    return test_snapshot_equal(&s->snapshot, s->parameters) && memcmp(s->bytes, s->before, sizeof s->bytes) == 0;
}

static void test_the_sound_file_loads(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    assert_status(TGR_OK, tgr_checkpoint_load(s.checkpoint, s.path));
    tgr_parameters *expected = test_parameters(s.context, 1);
    test_snapshot snapshot = test_snapshot_take(expected);
    assert_true(test_snapshot_equal(&snapshot, s.parameters));
    for (size_t i = 0; i < sizeof s.bytes; i++) assert_int_equal(s.bytes[i], 'x');
    test_snapshot_free(&snapshot);
    tgr_parameters_release(expected);
    tear_down(&s);
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    for (size_t size = s.sound.size; size-- > 0;) {
        assert_int_equal(truncate(s.path, (off_t)size), 0);
        assert_status(TGR_ERROR_FILE_TRUNCATED, tgr_checkpoint_load(s.checkpoint, s.path));
        assert_true(unchanged(&s));
    }
    tear_down(&s);
}

static void overwrite(const char *path, size_t at, unsigned char byte) {
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(byte, stream), byte);
    assert_int_equal(fclose(stream), 0);
}

static tgr_status status_of_damage(size_t at) {
    if (at >= TGR_FILE_HEADER_BYTES) return TGR_ERROR_FILE_CORRUPT;
    if (at >= TGR_FILE_MAGIC_BYTES) return TGR_ERROR_FILE_VERSION;
    return at >= 1 && at <= 6 ? TGR_ERROR_FILE_FOREIGN : TGR_ERROR_FILE_CORRUPT;
}

static void test_every_bit_flipped(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    for (size_t at = 0; at < s.sound.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            overwrite(s.path, at, (unsigned char)(s.sound.bytes[at] ^ 1u << bit));
            assert_status(status_of_damage(at), tgr_checkpoint_load(s.checkpoint, s.path));
            assert_true(unchanged(&s));
        }
        overwrite(s.path, at, s.sound.bytes[at]);
    }
    assert_status(TGR_OK, tgr_checkpoint_load(s.checkpoint, s.path));
    tear_down(&s);
}

static void check_bytes(subject *s, tgr_status expected, const char *text, const void *bytes, size_t size) {
    test_file_write(s->path, bytes, size);
    assert_fails(expected, text, tgr_checkpoint_load(s->checkpoint, s->path));
    assert_true(unchanged(s));
    assert_fails(expected, text, tgr_checkpoint_list(s->context, s->path, (tgr_section_fn)abort, NULL));
}

static void test_foreign_files(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    check_bytes(&s, TGR_ERROR_FILE_TRUNCATED, "has 0 bytes", "", 0);
    check_bytes(&s, TGR_ERROR_FILE_FOREIGN, "not a checkpoint", "\x89PNG\r\n\x1a\n____________", 20);
    check_bytes(&s, TGR_ERROR_FILE_FOREIGN, "not a checkpoint", "#", 1);
    unsigned char *bytes = s.sound.bytes;

    bytes[0] &= 0x7F; /* as over a 7-bit line */
    check_bytes(&s, TGR_ERROR_FILE_CORRUPT, "transfer as text", bytes, s.sound.size);
    bytes[0] |= 0x80;
    memmove(bytes + 7, bytes + 8, s.sound.size - 8); /* as by CR LF to LF */
    check_bytes(&s, TGR_ERROR_FILE_CORRUPT, "transfer as text", bytes, s.sound.size - 1);
    memmove(bytes + 8, bytes + 7, s.sound.size - 8);
    bytes[7] = '\r';
    bytes[12] = 2;
    check_bytes(&s, TGR_ERROR_FILE_VERSION, "format version 2", bytes, s.sound.size);
    tear_down(&s);
}

static int missing_file_status(tgr_context *context) {
    return (int)tgr_checkpoint_list(context, "/nonexistent/file", (tgr_section_fn)abort, NULL);
}

static void test_what_is_no_file(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    assert_int_equal(missing_file_status(s.context), TGR_ERROR_FILE);
    assert_fails(TGR_ERROR_FILE, "No such file", tgr_checkpoint_load(s.checkpoint, ""));
    assert_fails(TGR_ERROR_FILE, "not a regular file", tgr_checkpoint_load(s.checkpoint, "/"));
    assert_fails(TGR_ERROR_FILE, "not a regular file", tgr_checkpoint_load(s.checkpoint, "/dev/null"));
    unlink(s.path);
    assert_int_equal(mkfifo(s.path, 0600), 0);
    assert_fails(TGR_ERROR_FILE, "not a regular file",
                 tgr_checkpoint_load(s.checkpoint, s.path)); /* and does not wait */
    assert_fails(TGR_ERROR_FILE, "not a regular file", tgr_checkpoint_save(s.checkpoint, s.path));
    unlink(s.path);
    test_file_write(s.path, s.sound.bytes, s.sound.size);
    if (geteuid() != 0) {
        assert_int_equal(chmod(s.path, 0), 0);
        assert_fails(TGR_ERROR_FILE, "Permission", tgr_checkpoint_load(s.checkpoint, s.path));
    }
    assert_true(unchanged(&s));
    tear_down(&s);
}

static const tgr_section_header plain = {
    .name = "host", .type = TGR_SECTION_U8, .ndim = 1, .dims = {300}, .raw_bytes = 300, .stored_bytes = 300};
static const unsigned char payload[300];

/* A file with that one section, header and payload as given, its checksums right. */
static void check_section(subject *s, test_craft *craft, tgr_status expected, const char *text,
                          tgr_section_header header, const void *bytes, size_t count) {
    test_craft_start(craft);
    test_craft_section(craft, header, bytes, count);
    test_craft_end(craft, test_craft_end_header(craft));
    check_bytes(s, expected, text, craft->bytes, craft->size);
}

static void test_hostile_sizes(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    test_craft *craft = malloc(sizeof *craft);
    assert_non_null(craft);
    tgr_section_header bad = plain;
    bad.stored_bytes = bad.raw_bytes = bad.dims[0] = UINT64_C(1) << 40;
    check_section(&s, craft, TGR_ERROR_FILE_TRUNCATED, "ends too early", bad, payload, 300);
    bad.stored_bytes = bad.raw_bytes = bad.dims[0] = UINT64_MAX;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "does not fit", bad, payload, 300);
    bad = plain;
    bad.ndim = 4;
    for (int i = 0; i < 4; i++) bad.dims[i] = UINT64_C(1) << 32; /* the product wraps to zero */
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "does not fit", bad, payload, 300);
    bad = plain;
    bad.type = TGR_SECTION_U64; /* 8 times 2^61 wraps, too */
    bad.dims[0] = UINT64_C(1) << 61;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "does not fit", bad, payload, 300);
    bad = plain;
    bad.raw_bytes = 301;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "does not match its shape", bad, payload, 300);
    bad = plain;
    bad.stored_bytes = 299;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "not compressed", bad, payload, 299);
    bad = plain;
    bad.encoding = TGR_DEFLATED_PLANES; /* more than deflate can unpack from 300 bytes */
    bad.raw_bytes = bad.dims[0] = UINT64_C(300) * 1032 + 1032;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "claims more", bad, payload, 300);
    bad.stored_bytes = 0;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "claims more", bad, payload, 0);
    bad = plain;
    bad.dims[1] = 1;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "more dimensions", bad, payload, 300);
    bad = plain;
    bad.dims[0] = 0;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "dimension is zero", bad, payload, 300);
    assert_true(tgr_context_peak_bytes(s.context) < 8 << 20);
    free(craft);
    tear_down(&s);
}

/* One byte of the header made wrong, with a checksum that is right. */
static void check_patched(subject *s, test_craft *craft, const char *text, size_t at, unsigned char byte) {
    test_craft_start(craft);
    unsigned char *header = test_craft_section(craft, plain, payload, 300);
    header[at] = byte;
    test_craft_sign(header);
    craft->headers_crc = (uint32_t)crc32_z(0, header, TGR_SECTION_HEADER_BYTES);
    test_craft_end(craft, test_craft_end_header(craft));
    check_bytes(s, TGR_ERROR_FILE_CORRUPT, text, craft->bytes, craft->size);
}

static void test_hostile_headers(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    test_craft *craft = malloc(sizeof *craft);
    assert_non_null(craft);
    check_patched(&s, craft, "begin with SECT", 0, 'X');
    check_patched(&s, craft, "type is unknown", 4, 4);
    check_patched(&s, craft, "type is unknown", 4, 255);
    check_patched(&s, craft, "more than 4 dimensions", 5, 5);
    check_patched(&s, craft, "encoding is unknown", 6, 2);
    check_patched(&s, craft, "must be zero", 7, 1);
    check_patched(&s, craft, "name is not terminated", 70, 'x');
    check_patched(&s, craft, "characters", 60, ' ');
    check_patched(&s, craft, "characters", 60, 0x80);
    check_patched(&s, craft, "end section", 4, 0);
    tgr_section_header bad = plain;
    memset(bad.name, 'a', sizeof bad.name);
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "name is not terminated", bad, payload, 300);
    memset(bad.name, 0, sizeof bad.name);
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "name is empty", bad, payload, 300);
    free(craft);
    tear_down(&s);
}

static size_t compress_zeros(unsigned char *out, size_t capacity, size_t count) {
    unsigned char *zeros = calloc(count, 1);
    uLongf size = (uLongf)capacity;
    assert_non_null(zeros);
    assert_int_equal(compress2(out, &size, zeros, (uLong)count, 9), Z_OK);
    free(zeros);
    return (size_t)size;
}

static void test_hostile_payloads(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    test_craft *craft = malloc(sizeof *craft);
    unsigned char packed[1000] = {0};
    assert_non_null(craft);
    tgr_section_header bad = plain;
    bad.encoding = TGR_DEFLATED_PLANES;
    for (size_t count = 1; count < 400; count++) { /* unpacks to a different size than 300 */
        bad.stored_bytes = compress_zeros(packed, sizeof packed, count);
        if (count != 300)
            check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, count < 300 ? "to less than" : "to more than", bad, packed,
                          bad.stored_bytes);
    }
    const size_t size = compress_zeros(packed, sizeof packed, 300);
    bad.stored_bytes = size + 1;
    packed[size] = 0;
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "left over", bad, packed, size + 1);
    for (size_t cut = 1; cut < size; cut++) {
        bad.stored_bytes = cut;
        check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "", bad, packed, cut);
    }
    bad.stored_bytes = size;
    packed[1] ^= 0x20 | 0x1F; /* asks for a dictionary; the check bits of zlib's header are not made right */
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "cannot be unpacked", bad, packed, size);
    check_section(&s, craft, TGR_ERROR_FILE_CORRUPT, "cannot be unpacked",
                  (tgr_section_header){.name = "host",
                                       .type = TGR_SECTION_U8,
                                       .encoding = TGR_DEFLATED_PLANES,
                                       .ndim = 1,
                                       .dims = {300},
                                       .raw_bytes = 300,
                                       .stored_bytes = 300},
                  payload, 300);
    free(craft);
    tear_down(&s);
}

static void check_end(subject *s, test_craft *craft, const char *text, tgr_section_header end) {
    test_craft_start(craft);
    test_craft_bytes(craft, "host", payload, 300);
    test_craft_end(craft, end);
    check_bytes(s, TGR_ERROR_FILE_CORRUPT, text, craft->bytes, craft->size);
}

static void test_hostile_ends(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    test_craft *craft = malloc(sizeof *craft);
    assert_non_null(craft);
    test_craft_start(craft);
    test_craft_bytes(craft, "host", payload, 300);
    const tgr_section_header good = test_craft_end_header(craft);
    tgr_section_header bad = good;
    bad.dims[0]++;
    check_end(&s, craft, "different number of sections", bad);
    bad = good;
    bad.dims[1]++;
    check_end(&s, craft, "different size", bad);
    bad = good;
    bad.crc++;
    check_end(&s, craft, "swapped", bad);
    bad = good;
    bad.ndim = 3;
    bad.dims[2] = 1;
    check_end(&s, craft, "end section is not empty", bad);
    bad = good;
    bad.stored_bytes = 1;
    check_end(&s, craft, "end section is not empty", bad);
    bad = good;
    bad.name[0] = 'a';
    check_end(&s, craft, "has a name", bad);

    test_craft_start(craft);
    test_craft_bytes(craft, "host", payload, 300);
    test_craft_end(craft, good);
    test_craft_append(craft, "", 1);
    check_bytes(&s, TGR_ERROR_FILE_CORRUPT, "something follows", craft->bytes, craft->size);
    test_craft_start(craft);
    test_craft_bytes(craft, "host", payload, 300);
    test_craft_bytes(craft, "host", payload, 300);
    test_craft_end(craft, test_craft_end_header(craft));
    check_bytes(&s, TGR_ERROR_FILE_CORRUPT, "another section with that name", craft->bytes, craft->size);
    free(craft);
    tear_down(&s);
}

/* A few kilobytes that unpack to megabytes are read through without memory for them. */
static void test_bomb_needs_no_memory(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    test_craft *craft = malloc(sizeof *craft);
    unsigned char *packed = malloc(100000);
    assert_true(craft != NULL && packed != NULL);
    tgr_section_header bomb = {.name = "bomb",
                               .type = TGR_SECTION_U8,
                               .encoding = TGR_DEFLATED_PLANES,
                               .ndim = 1,
                               .dims = {64 << 20},
                               .raw_bytes = 64 << 20};
    bomb.stored_bytes = compress_zeros(packed, 100000, 64 << 20);
    test_craft_start(craft);
    test_craft_section(craft, bomb, packed, (size_t)bomb.stored_bytes);
    test_craft_end(craft, test_craft_end_header(craft));
    test_file_write(s.path, craft->bytes, craft->size);
    assert_fails(TGR_ERROR_FILE_MISMATCH, "lacks 'weights.state'", tgr_checkpoint_load(s.checkpoint, s.path));
    uint64_t peak = tgr_context_peak_bytes(s.context);
    assert_true(peak < 8 << 20);
    assert_true(unchanged(&s));
    free(packed);
    free(craft);
    tear_down(&s);
}

static void test_many_sections(void **state) {
    (void)state;
    subject s;
    set_up(&s);
    test_craft *craft = malloc(sizeof *craft);
    assert_non_null(craft);
    test_craft_start(craft);
    for (int i = 0; i < 1000; i++) { /* the set of names grows more than once */
        char name[32];
        snprintf(name, sizeof name, "part%d", i);
        test_craft_bytes(craft, name, "", 1);
    }
    const test_craft before = *craft;
    test_craft_end(craft, test_craft_end_header(craft));
    test_file_write(s.path, craft->bytes, craft->size);
    assert_fails(TGR_ERROR_FILE_MISMATCH, "lacks", tgr_checkpoint_load(s.checkpoint, s.path));
    *craft = before;
    test_craft_bytes(craft, "part3", "", 1);
    test_craft_end(craft, test_craft_end_header(craft));
    check_bytes(&s, TGR_ERROR_FILE_CORRUPT, "another section with that name", craft->bytes, craft->size);
    free(craft);
    tear_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sound_file_loads), cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_flipped),    cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_what_is_no_file),      cmocka_unit_test(test_hostile_sizes),
        cmocka_unit_test(test_hostile_headers),      cmocka_unit_test(test_hostile_payloads),
        cmocka_unit_test(test_hostile_ends),         cmocka_unit_test(test_bomb_needs_no_memory),
        cmocka_unit_test(test_many_sections),
    };
    return cmocka_run_group_tests_name("checkpoint damage", tests, NULL, NULL);
}
