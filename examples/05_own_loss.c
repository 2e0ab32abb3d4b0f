/* SPDX-License-Identifier: MIT */
/* The host's own head and loss on the features of a sparse model without a head: in which row is the bar, as a number?
 * The host computes the gradient of its loss with respect to the features; the library does the rest, with the routers'
 * own terms added. */
#include <stdio.h>
#include <string.h>

#include "made_up_images.h"
#include "tgrmoe/tgrmoe.h"

enum { BATCH = 32, STEPS = 80, WIDTH = 32, TOKENS = 1 + (IMAGE_SIZE / PATCH_SIZE) * (IMAGE_SIZE / PATCH_SIZE) };
static const float RATE = 0.02F; /* of the host's SGD */

#define CHECK(call)                                 \
    do {                                            \
        if ((status = (call)) != TGR_OK) goto done; \
    } while (0)

static tgr_status make_model(tgr_model **out, tgr_context *context) {
    static const char *const settings[][2] = {
        {"method", "vmoe"}, {"image_size", "16"}, {"channels", "1"}, {"patch_size", "4"}, {"classes", "0"},
        {"depth", "2"},     {"embed_dim", "32"},  {"heads", "2"},    {"moe_blocks", "2"}, {"lr", "0.003"},
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

/* Mean squared error of head · CLS and the label; its gradient with respect to the features, and one step of the head.
 */
static double own_loss(float *head, const float *features, const int32_t *labels, float *features_gradient) {
    float head_gradient[WIDTH] = {0};
    double loss = 0;
    memset(features_gradient, 0, sizeof(float) * BATCH * TOKENS * WIDTH);
    for (int i = 0; i < BATCH; i++) {
        const float *cls = features + i * TOKENS * WIDTH; /* the first token of each image */
        float guess = 1.5F;
        for (int d = 0; d < WIDTH; d++) guess += head[d] * cls[d];
        const float error = guess - (float)labels[i];
        loss += (double)(error * error) / BATCH;
        for (int d = 0; d < WIDTH; d++) {
            features_gradient[i * TOKENS * WIDTH + d] = 2 * error * head[d] / BATCH;
            head_gradient[d] += 2 * error * cls[d] / BATCH;
        }
    }
    for (int d = 0; d < WIDTH; d++) head[d] -= RATE * head_gradient[d];
    return loss;
}

int main(void) {
    static float images[BATCH * PIXELS], features_gradient[BATCH * TOKENS * WIDTH];
    static int32_t labels[BATCH];
    float head[WIDTH] = {0};
    const float *features = NULL; /* [BATCH, TOKENS, WIDTH] */
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    tgr_loss *loss = NULL;
    tgr_optimizer *optimizer = NULL;
    double first = 0, last = 0;
    tgr_status status = TGR_OK;
    CHECK(tgr_context_create(&context, NULL));
    CHECK(make_model(&model, context));
    CHECK(tgr_loss_create(&loss, model, NULL));
    CHECK(tgr_optimizer_create(&optimizer, tgr_model_config(model), tgr_model_parameters(model)));
    for (int step = 0; step < STEPS; step++) {
        double total = 0;
        make_up_images(images, labels, BATCH, (uint32_t)step);
        CHECK(tgr_model_forward(model, TGR_TRAIN, images, BATCH));
        CHECK(tgr_model_features(model, &features));
        last = own_loss(head, features, labels, features_gradient);
        CHECK(tgr_loss_compute_own(loss, last, NULL, features_gradient, &total));
        CHECK(tgr_loss_backward(loss));
        CHECK(tgr_optimizer_step(optimizer));
        if (step == 0) first = last;
        if (step % 20 == 0) printf("step %2d  squared error %.4f, with the routers' terms %.4f\n", step, last, total);
    }
    printf("from %.4f to %.4f\n", first, last);
done:
    if (status != TGR_OK) fprintf(stderr, "%s: %s\n", tgr_status_name(status), tgr_last_error());
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
    tgr_model_free(model);
    tgr_context_free(context);
    return status == TGR_OK && last < 0.3 * first ? 0 : 1;
}
