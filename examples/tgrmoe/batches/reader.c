/* SPDX-License-Identifier: MIT */
/* Images are made in the caller's thread or ahead in others. */
#include "batches/reader.h"

#include <stdlib.h>

#include "batches/prefetch.h"
#include "failure.h"
#include "images/file.h"

/* One batch in use, one ready, one being made. */
enum { DEPTH = 3 };

/* What one thread needs. */
typedef struct desk {
    image_loader loader;
    image fitted;
} desk;

struct image_reader {
    reading what;
    tool_batch batches[DEPTH]; /* only the first if nothing is made ahead */
    int64_t next;              /* number of the next batch, if nothing is made ahead */
    desk *desks;               /* [threads] */
    prefetch *ahead;           /* NULL if nothing is made ahead */
};

/* An image from a file. A random resized crop uses the whole image; otherwise it is prepared as for evaluation. */
static int make_from_file(const reading *what, desk *at, int worker, tool_batch *batch, int64_t place) {
    int result = 0;
    const image_set *set = what->set;
    const image *seen = &at->fitted;
    TRY(image_file_decode(&at->loader, set->root, set->files.files[batch->ids[place]].name, what->how->upright));
    if (what->augment && what->augment->recipe.crop == AUGMENT_CROP_RESIZED) {
        seen = &at->loader.decoded;
    } else {
        TRY(preprocess_image(&at->loader.memory, what->how, &at->loader.decoded, (int)set->size, &at->fitted));
    }
    if (what->augment) {
        TRY(augmenter_make(what->augment, worker, seen, batch->epoch, batch, place));
    } else {
        batch_put(batch, place, seen->pixels, set->size);
    }
done:
    return result;
}

static int make_image(void *user, int worker, tool_batch *batch, int64_t place) {
    image_reader *reader = user;
    const reading *what = &reader->what;
    batch->labels[place] = what->set->labels[batch->ids[place]];
    if (what->set->root) return make_from_file(what, &reader->desks[worker], worker, batch, place);
    return augmenter_make_from(what->augment, worker, what->set, batch->epoch, batch, place);
}

static int finish_batch(void *user, tool_batch *batch) {
    const image_reader *reader = user;
    return augmenter_mix(reader->what.augment, batch->epoch, batch->number, batch);
}

static void plan_batch(void *user, int64_t number, tool_batch *batch) {
    const image_reader *reader = user;
    reader->what.plan(reader->what.user, number, batch);
}

int image_reader_open(image_reader **out, const reading *what) {
    int result = 0;
    const int is_ahead = what->set->root || what->augment;
    image_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return fail_with("no memory for reading images");
    reader->what = *what;
    for (int i = 0; i < (is_ahead ? DEPTH : 1); i++) {
        TRY(batch_create(&reader->batches[i], what->set, what->batch, what->how->mean, what->how->deviation));
    }
    if (is_ahead) {
        const prefetch_work work = {reader, plan_batch, make_image, what->augment ? finish_batch : NULL};
        reader->desks = calloc((size_t)what->threads, sizeof *reader->desks);
        if (!reader->desks) TRY(fail_with("no memory for reading images"));
        TRY(prefetch_open(&reader->ahead, &work, reader->batches, DEPTH, what->threads));
    }
    *out = reader;
    reader = NULL;
done:
    image_reader_close(reader);
    return result;
}

int image_reader_next(image_reader *reader, const tool_batch **batch) {
    if (reader->ahead) return prefetch_next(reader->ahead, batch);
    tool_batch *only = &reader->batches[0];
    plan_batch(reader, reader->next++, only);
    if (only->count > 0) batch_fill(only, reader->what.set, only->ids, 0, only->count);
    *batch = only->count > 0 ? only : NULL;
    return 0;
}

void image_reader_close(image_reader *reader) {
    if (!reader) return;
    prefetch_close(reader->ahead);
    for (int i = 0; i < reader->what.threads && reader->desks; i++) {
        image_loader_free(&reader->desks[i].loader);
        image_free(&reader->desks[i].fitted);
    }
    free(reader->desks);
    for (int i = 0; i < DEPTH; i++) batch_free(&reader->batches[i]);
    free(reader);
}
