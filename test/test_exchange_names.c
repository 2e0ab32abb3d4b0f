/* SPDX-License-Identifier: MIT */
/* Every name under which timm has a vision transformer's tensors: imported as it is, or refused with a reason; none is
 * taken for what it is not. The shapes are in golden/timm_names.txt, which golden/make_timm_names.py wrote.
 *
 *     test_exchange_names --table          writes docs/timm.md, of which a test makes sure */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/config.h"
#include "exchange_support.h"

enum { LINE = 512, HEADER = 1 << 20, FACTS = 11 };

/* A file of the tensors that timm has under one name. Its numbers are all zero, and no memory is taken for them. */
typedef struct name_file {
    char name[128], facts[LINE]; /* facts: "embed_dim=192 depth=12 …", or "" where the library cannot compute it */
    char *header;                /* [HEADER] */
    size_t used;
    uint64_t data;
} name_file;

static void add_tensor(name_file *file, const char *name, const char *dims) {
    uint64_t bytes = sizeof(float);
    file->used += (size_t)sprintf(file->header + file->used, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                                  file->used > 1 ? "," : "", name);
    for (const char *at = dims, *comma = ""; *at != '\0'; comma = ",") {
        char *end;
        const unsigned long long dim = strtoull(at, &end, 10);
        file->used += (size_t)sprintf(file->header + file->used, "%s%llu", comma, dim);
        bytes *= dim;
        at = end + strspn(end, " \n");
    }
    file->used += (size_t)sprintf(file->header + file->used, "],\"data_offsets\":[%llu,%llu]}",
                                  (unsigned long long)file->data, (unsigned long long)(file->data + bytes));
    file->data += bytes;
    assert_true(file->used < HEADER - LINE);
}

/* Lines "each SUFFIX DIMS" are of blocks `first` to `last`. */
static void add_blocks(name_file *file, int first, int last, char lines[][LINE], int count) {
    for (int block = first; block <= last; block++)
        for (int i = 0; i < count; i++) {
            char name[LINE + 32], suffix[LINE];
            int length = 0;
            assert_int_equal(sscanf(lines[i], "each %511s %n", suffix, &length), 1);
            snprintf(name, sizeof name, "blocks.%d.%s", block, suffix);
            add_tensor(file, name, lines[i] + length);
        }
}

/* Reads on to the next name; `line` is the one that says it. False at the end of the file. */
static int next_name(FILE *text, char line[LINE], name_file *file) {
    static char each[64][LINE];
    int first = 0, last = -1, count = 0, length = 0, more;
    char kind[16], tensor[LINE];
    *file = (name_file){.header = file->header, .used = 1};
    file->header[0] = '{';
    if (sscanf(line, "%15s %127s %n", kind, file->name, &length) != 2) return 0;
    if (strcmp(kind, "right") == 0) snprintf(file->facts, sizeof file->facts, "%s", line + length);
    while ((more = fgets(line, LINE, text) != NULL) && strncmp(line, "right ", 6) != 0 &&
           strncmp(line, "other ", 6) != 0) {
        if (strncmp(line, "each ", 5) == 0) {
            assert_true(count < 64);
            snprintf(each[count++], LINE, "%s", line);
            continue;
        }
        add_blocks(file, first, last, each, count);
        count = 0;
        last = -1;
        if (sscanf(line, "blocks %d %d", &first, &last) == 2) continue;
        assert_int_equal(sscanf(line, "tensor %511s %n", tensor, &length), 1);
        add_tensor(file, tensor, line + length);
    }
    add_blocks(file, first, last, each, count);
    if (!more) line[0] = '\0';
    file->header[file->used++] = '}';
    return 1;
}

/* The file as memory: what is behind the header is zero and never touched. */
static unsigned char *map_file(const name_file *file, size_t *size) {
    *size = 8 + file->used + (size_t)file->data;
    unsigned char *bytes =
        mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)file->used >> 8 * i);
    memcpy(bytes + 8, file->header, file->used);
    return bytes;
}

/* What the library says of the file: OK with a config that a model can be made of, or its reason. */
static tgr_status judge(tgr_context *context, const name_file *file, tgr_config **config) {
    size_t size;
    unsigned char *bytes = map_file(file, &size);
    tgr_safetensors *opened = NULL;
    assert_status(TGR_OK, tgr_safetensors_open_memory(&opened, context, bytes, size));
    tgr_status status = tgr_config_import(config, context, opened);
    if (status == TGR_OK) status = tgr_config_check_asked(*config);
    tgr_safetensors_close(opened);
    assert_int_equal(munmap(bytes, size), 0);
    return status;
}

static double fact(const name_file *file, const char *key) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s=", key);
    const char *at = strstr(file->facts, wanted);
    if (at == NULL) fail_msg("%s: no %s", file->name, key);
    return strtod(at + strlen(wanted), NULL);
}

static void check_facts(const name_file *file, const tgr_config *config) {
    static const struct {
        const char *key;
        tgr_option option;
    } whole[] = {{"embed_dim", TGR_OPTION_EMBED_DIM},
                 {"depth", TGR_OPTION_DEPTH},
                 {"heads", TGR_OPTION_HEADS},
                 {"patch_size", TGR_OPTION_PATCH_SIZE},
                 {"image_size", TGR_OPTION_IMAGE_SIZE},
                 {"classes", TGR_OPTION_CLASSES},
                 {"distillation_token", TGR_OPTION_DISTILLATION_TOKEN},
                 {"position_cls", TGR_OPTION_POSITION_CLS}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (tgr_option_i64(config, whole[i].option) != (int64_t)fact(file, whole[i].key))
            fail_msg("%s: %s is %lld instead of %g", file->name, whole[i].key,
                     (long long)tgr_option_i64(config, whole[i].option), fact(file, whole[i].key));
    assert_int_equal(tgr_hidden_width(config, tgr_option_i64(config, TGR_OPTION_EMBED_DIM)), (int)fact(file, "hidden"));
    assert_int_equal(tgr_option_f64(config, TGR_OPTION_LAYER_SCALE) > 0, (int)fact(file, "layer_scale"));
    assert_true(tgr_option_f64(config, TGR_OPTION_NORM_EPSILON) == fact(file, "norm_epsilon"));
}

typedef void (*name_function)(const name_file *file, tgr_status status, tgr_config *config, void *user);

static int each_name(name_function each, void *user) {
    tgr_context *context = test_context(1, 1);
    name_file file = {.header = malloc(HEADER)};
    char line[LINE];
    int count = 0;
    FILE *text = fopen("test/golden/timm_names.txt", "r");
    assert_non_null(text);
    assert_non_null(file.header);
    assert_non_null(fgets(line, sizeof line, text));
    while (next_name(text, line, &file)) {
        tgr_config *config = NULL;
        const tgr_status status = judge(context, &file, &config);
        each(&file, status, config, user);
        tgr_config_free(config);
        count++;
    }
    fclose(text);
    free(file.header);
    tgr_context_free(context);
    return count;
}

/* Those that have the same shapes as another of theirs in another grid must be asked for their size of images. */
static int is_asked_for(const name_file *file) {
    return strncmp(file->name, "flexivit_", 9) == 0;
}

static void check_name(const name_file *file, tgr_status status, tgr_config *config, void *user) {
    int *right = user;
    if (file->facts[0] == '\0' && status == TGR_OK) fail_msg("%s is taken for what it is not", file->name);
    if (file->facts[0] != '\0' && status != TGR_OK && !is_asked_for(file))
        fail_msg("%s is refused: %s", file->name, tgr_last_error());
    if (status != TGR_OK) assert_true(strlen(tgr_last_error()) > 20);
    if (file->facts[0] != '\0' && config != NULL) check_facts(file, config);
    *right += status == TGR_OK;
}

static void test_every_name_is_right_or_refused(void **state) {
    (void)state;
    int right = 0;
    const int count = each_name(check_name, &right);
    print_message("%d names, %d imported as they are\n", count, right);
    assert_int_equal(count, 305);
    assert_int_equal(right, 43);
}

static void write_row(const name_file *file, tgr_status status, tgr_config *config, void *user) {
    (void)config;
    const char *reason = strstr(tgr_last_error(), ": ");
    fprintf(user, "| %s | %s |\n", file->name, status == TGR_OK ? "imported" : reason != NULL ? reason + 2 : "refused");
}

static void write_table(FILE *out) {
    fputs(
        "# timm's models by name\n\n"
        "What `tgrmoe import` and `tgr_config_import` make of a file with the tensors that timm 1.0.31 has under each "
        "name,\n"
        "for every name whose tensors are named like a vision transformer's. Written by `test_exchange_names "
        "--table`.\n\n"
        "| name | |\n|---|---|\n",
        out);
    each_name(write_row, out);
}

static void test_the_page_says_so(void **state) {
    (void)state;
    char *written = NULL, *kept = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&written, &size), *page = fopen("docs/timm.md", "rb");
    assert_non_null(memory);
    write_table(memory);
    fclose(memory);
    if (page == NULL) fail_msg("docs/timm.md: %s", strerror(errno));
    kept = calloc(size + 2, 1);
    assert_non_null(kept);
    const size_t got = fread(kept, 1, size + 1, page);
    fclose(page);
    if (got != size || memcmp(kept, written, size) != 0)
        fail_msg("docs/timm.md is not what the library does: build/test/test_exchange_names --table writes it");
    free(kept);
    free(written);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        FILE *page = fopen("docs/timm.md", "w");
        if (page == NULL) return 1;
        write_table(page);
        return fclose(page) != 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_is_right_or_refused),
        cmocka_unit_test(test_the_page_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
