/* SPDX-License-Identifier: MIT */
/* Saving in the middle of training and resuming in a new process: the weights end up the same, bit for bit. */
#include <stdio.h>
#include <string.h>

#include "made_up_images.h"
#include "tgrmoe/tgrmoe.h"

enum { BATCH = 16, PAUSE = 5, STEPS = 10 };
static const char path[] = "04_resume.tgr";

#define CHECK(call)                                 \
    do {                                            \
        if ((status = (call)) != TGR_OK) goto done; \
    } while (0)

/* A model with everything that trains it, and the host's own state: how many batches it has used. */
typedef struct training_run {
    tgr_context *context;
    tgr_model *model;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_checkpoint *checkpoint;
    uint32_t batches;
} training_run;

static tgr_status open_run(training_run *run) {
    static const char *const settings[][2] = {
        {"method", "vmoe"}, {"image_size", "16"}, {"channels", "1"}, {"patch_size", "4"},   {"classes", "4"},
        {"depth", "2"},     {"embed_dim", "32"},  {"heads", "2"},    {"moe_blocks", "1,2"}, {"drop_path", "0.1"},
    };
    const tgr_context_options options = {.struct_size = sizeof options, .seed = 3};
    tgr_config *config = NULL;
    tgr_status status = TGR_OK;
    CHECK(tgr_context_create(&run->context, &options));
    CHECK(tgr_config_create(&config, run->context));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        CHECK(tgr_config_set(config, settings[i][0], settings[i][1]));
    }
    CHECK(tgr_model_create(&run->model, run->context, config));
    CHECK(tgr_loss_create(&run->loss, run->model, NULL));
    CHECK(tgr_optimizer_create(&run->optimizer, config, tgr_model_parameters(run->model)));
    CHECK(tgr_checkpoint_create(&run->checkpoint, run->context));
    CHECK(tgr_checkpoint_add_model(run->checkpoint, "model", run->model));
    CHECK(tgr_checkpoint_add_optimizer(run->checkpoint, "optimizer", run->optimizer));
    CHECK(tgr_checkpoint_add_bytes(run->checkpoint, "batches", &run->batches, sizeof run->batches));
done:
    tgr_config_free(config);
    return status;
}

static void close_run(training_run *run) {
    tgr_checkpoint_free(run->checkpoint);
    tgr_optimizer_free(run->optimizer);
    tgr_loss_free(run->loss);
    tgr_model_free(run->model);
    tgr_context_free(run->context);
}

/* Trains until `end` batches are used, and saves after `pause` of them. */
static tgr_status train(training_run *run, uint32_t end, uint32_t pause) {
    static float images[BATCH * PIXELS];
    static int32_t labels[BATCH];
    tgr_status status = TGR_OK;
    while (run->batches < end) {
        make_up_images(images, labels, BATCH, run->batches++);
        CHECK(tgr_loss_step(run->loss, run->optimizer, images, labels, BATCH, NULL));
        if (run->batches == pause) CHECK(tgr_checkpoint_save(run->checkpoint, path));
    }
done:
    return status;
}

/* Counts the tensors whose bytes differ. */
static tgr_status compare(training_run *a, training_run *b, int64_t *different) {
    tgr_parameters *left = tgr_model_parameters(a->model), *right = tgr_model_parameters(b->model);
    const int64_t count = tgr_parameters_count(left);
    tgr_status status = TGR_OK;
    for (int64_t i = 0; i < count; i++) {
        tgr_parameter_description tensor = {.struct_size = sizeof tensor};
        float *x = NULL, *y = NULL;
        CHECK(tgr_parameters_describe(left, i, &tensor));
        CHECK(tgr_parameters_value(left, i, &x));
        CHECK(tgr_parameters_value(right, i, &y));
        *different += memcmp(x, y, (size_t)tensor.count * sizeof *x) != 0;
    }
    printf("%lld of %lld tensors differ\n", (long long)*different, (long long)count);
done:
    return status;
}

int main(void) {
    training_run whole = {0}, resumed = {0};
    int64_t different = 0;
    tgr_status status = TGR_OK;
    CHECK(open_run(&whole));
    CHECK(train(&whole, STEPS, PAUSE));

    CHECK(open_run(&resumed));
    CHECK(tgr_checkpoint_load(resumed.checkpoint, path));
    printf("resumed after %u batches\n", (unsigned)resumed.batches);
    CHECK(train(&resumed, STEPS, 0));
    CHECK(compare(&whole, &resumed, &different));
done:
    if (status != TGR_OK) fprintf(stderr, "%s: %s\n", tgr_status_name(status), tgr_last_error());
    close_run(&resumed);
    close_run(&whole);
    remove(path);
    return status == TGR_OK && different == 0 ? 0 : 1;
}
