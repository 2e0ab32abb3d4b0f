/* SPDX-License-Identifier: MIT */
/* One model serves several threads: each has a session with a single-threaded context of its own; all share the
 * weights. The results are the model's own. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "made_up_images.h"
#include "tgrmoe/tgrmoe.h"

enum { THREADS = 4, REQUESTS = 8, IMAGES = THREADS * REQUESTS };

#define CHECK(call)                                 \
    do {                                            \
        if ((status = (call)) != TGR_OK) goto done; \
    } while (0)

typedef struct server {
    tgr_model *model;
    const float *images; /* [REQUESTS, 1, IMAGE_SIZE, IMAGE_SIZE] */
    float *logits;       /* [REQUESTS, CLASSES] */
    tgr_status status;
    char message[256];
} server;

/* Answers requests one after the other. */
static void *serve(void *argument) {
    server *self = argument;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    tgr_context *context = NULL;
    tgr_session *session = NULL;
    const float *logits = NULL;
    tgr_status status = TGR_OK;
    CHECK(tgr_context_create(&context, &options));
    CHECK(tgr_session_create(&session, self->model, context));
    for (int i = 0; i < REQUESTS; i++) {
        CHECK(tgr_session_forward(session, self->images + i * PIXELS, 1));
        CHECK(tgr_session_logits(session, &logits));
        memcpy(self->logits + i * CLASSES, logits, sizeof(float) * CLASSES);
    }
done:
    self->status = status;
    if (status != TGR_OK) snprintf(self->message, sizeof self->message, "%s", tgr_last_error());
    tgr_session_free(session);
    tgr_context_free(context);
    return NULL;
}

/* A real program would call tgr_model_load(out, context, "student.tgr", "model"). */
static tgr_status make_model(tgr_model **out, tgr_context *context) {
    static const char *const settings[][2] = {
        {"method", "tgr"}, {"image_size", "16"}, {"channels", "1"}, {"patch_size", "4"}, {"classes", "4"},
        {"depth", "2"},    {"embed_dim", "32"},  {"heads", "2"},    {"moe_blocks", "2"},
    };
    tgr_config *config = NULL;
    tgr_status status = TGR_OK;
    CHECK(tgr_config_create(&config, context));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        CHECK(tgr_config_set(config, settings[i][0], settings[i][1]));
    }
    CHECK(tgr_model_create(out, context, config));
done:
    tgr_config_free(config);
    return status;
}

/* Runs all servers at once; returns the first failure. */
static tgr_status serve_all(tgr_model *model, const float *images, float *logits) {
    server servers[THREADS];
    pthread_t threads[THREADS];
    int started = 0;
    for (; started < THREADS; started++) {
        servers[started] = (server){.model = model,
                                    .images = images + started * REQUESTS * PIXELS,
                                    .logits = logits + started * REQUESTS * CLASSES};
        if (pthread_create(&threads[started], NULL, serve, &servers[started]) != 0) break;
    }
    tgr_status status = started == THREADS ? TGR_OK : TGR_ERROR_THREAD;
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (servers[i].status == TGR_OK || status != TGR_OK) continue;
        status = servers[i].status;
        fprintf(stderr, "thread %d: %s\n", i, servers[i].message);
    }
    return status;
}

int main(void) {
    static float images[IMAGES * PIXELS], logits[IMAGES * CLASSES];
    static int32_t labels[IMAGES];
    const float *expected = NULL;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    tgr_status status = TGR_OK;
    int same = 0;

    CHECK(tgr_context_create(&context, NULL));
    CHECK(make_model(&model, context));
    make_up_images(images, labels, IMAGES, 1);
    CHECK(serve_all(model, images, logits));

    CHECK(tgr_model_forward(model, TGR_EVAL, images, IMAGES));
    CHECK(tgr_model_logits(model, &expected));
    same = memcmp(logits, expected, sizeof logits) == 0;
    printf("%d threads, %d images each: %s\n", THREADS, REQUESTS, same ? "the model's own logits" : "other logits");
done:
    if (status != TGR_OK) fprintf(stderr, "%s: %s\n", tgr_status_name(status), tgr_last_error());
    tgr_model_free(model);
    tgr_context_free(context);
    return status == TGR_OK && same ? 0 : 1;
}
