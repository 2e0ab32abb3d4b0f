/* SPDX-License-Identifier: MIT */
/* Listing what a file holds, after checking all of it. */
#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "checkpoint/section_reader.h"
#include "tgrmoe/checkpoint.h"

static void describe(const tgr_section_header *header, tgr_section *section) {
    *section = (tgr_section){.struct_size = sizeof *section,
                             .ndim = header->ndim,
                             .bytes = header->raw_bytes,
                             .stored_bytes = header->stored_bytes};
    const char *type = tgr_section_type_name(header->type);
    TGR_ASSERT(type != NULL && strlen(type) < sizeof section->type); /* the header was checked */
    memcpy(section->name, header->name, sizeof section->name);
    memcpy(section->type, type, strlen(type) + 1);
    for (int i = 0; i < header->ndim; i++) section->dims[i] = (int64_t)header->dims[i];
}

static int call_host(tgr_section_fn each, void *user, const tgr_section *section) {
    TGR_CALL_HOST;
    return each(user, section);
}

/* One walk over the file: with `each` only over the headers, without it over the payloads as well. */
static tgr_status walk(tgr_context *context, const char *path, tgr_section_fn each, void *user) {
    tgr_section_reader reader;
    tgr_section_header header;
    int more = 1;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_section_reader_open(&reader, context, path));
    for (;;) {
        TGR_TRY_DONE(tgr_section_reader_next(&reader, &header, &more));
        if (!more) break;
        if (each == NULL) {
            TGR_TRY_DONE(tgr_section_reader_payload(&reader, &header, NULL));
            continue;
        }
        tgr_section section;
        describe(&header, &section);
        if (call_host(each, user, &section) != 0) break;
        TGR_TRY_DONE(tgr_section_reader_skip(&reader, &header));
    }
done:
    tgr_section_reader_close(&reader);
    return status;
}

tgr_status tgr_checkpoint_list(tgr_context *context, const char *path, tgr_section_fn each, void *user) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(path);
    TGR_REQUIRE_ARGUMENT(each);
    TGR_TRY(walk(context, path, NULL, NULL));
    return walk(context, path, each, user);
}
