/* SPDX-License-Identifier: MIT */
/* The host's loop: a dense teacher is trained, then guides a sparse student (TGR-MoE). */
#include <stdio.h>
#include <string.h>

#include "made_up_images.h"
#include "tgrmoe/tgrmoe.h"

enum { BATCH = 32, TEACHER_STEPS = 60, STUDENT_STEPS = 60, TEST_IMAGES = 200 };

/* On failure: keep the status and go to where everything is freed. */
#define CHECK(call)                                 \
    do {                                            \
        if ((status = (call)) != TGR_OK) goto done; \
    } while (0)

static tgr_status make_model(tgr_model **out, tgr_context *context, const char *method) {
    static const char *const settings[][2] = {
        {"image_size", "16"}, {"channels", "1"}, {"patch_size", "4"}, {"classes", "4"},
        {"embed_dim", "32"},  {"depth", "2"},    {"heads", "2"},      {"lr", "0.003"},
    };
    tgr_config *config = NULL;
    tgr_status status = TGR_OK;
    CHECK(tgr_config_create(&config, context));
    CHECK(tgr_config_set(config, "method", method));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        CHECK(tgr_config_set(config, settings[i][0], settings[i][1]));
    }
    if (strcmp(method, "dense") != 0) { /* which does not use these */
        CHECK(tgr_config_set(config, "experts", "4"));
        CHECK(tgr_config_set(config, "moe_blocks", "1,2"));
    }
    CHECK(tgr_model_create(out, context, config));
done:
    tgr_config_free(config);
    return status;
}

/* Trains `model` for some steps; `teacher` may be NULL. */
static tgr_status train(tgr_model *model, tgr_teacher *teacher, int steps) {
    static float images[BATCH * PIXELS];
    static int32_t labels[BATCH];
    tgr_loss *loss = NULL;
    tgr_optimizer *optimizer = NULL;
    tgr_status status = TGR_OK;
    CHECK(tgr_loss_create(&loss, model, teacher));
    CHECK(tgr_optimizer_create(&optimizer, tgr_model_config(model), tgr_model_parameters(model)));
    for (int step = 0; step < steps; step++) {
        double total = 0, distill = 0;
        make_up_images(images, labels, BATCH, (uint32_t)step);
        CHECK(tgr_loss_step(loss, optimizer, images, labels, BATCH, &total));
        CHECK(tgr_loss_term_value(loss, "distill", &distill));
        if (step % 20 == 0) printf("  step %2d  loss %.4f, of which guidance %.4f\n", step, total, distill);
    }
done:
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
    return status;
}

/* The share of new images that the model classifies correctly. */
static tgr_status measure(tgr_model *model, double *accuracy) {
    static float images[TEST_IMAGES * PIXELS];
    static int32_t labels[TEST_IMAGES];
    const float *logits = NULL; /* [TEST_IMAGES, CLASSES] */
    int correct = 0;
    tgr_status status = TGR_OK;
    make_up_images(images, labels, TEST_IMAGES, 1000);
    CHECK(tgr_model_forward(model, TGR_EVAL, images, TEST_IMAGES));
    CHECK(tgr_model_logits(model, &logits));
    for (int i = 0; i < TEST_IMAGES; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++) {
            if (logits[i * CLASSES + c] > logits[i * CLASSES + best]) best = c;
        }
        correct += best == labels[i];
    }
    *accuracy = (double)correct / TEST_IMAGES;
done:
    return status;
}

int main(void) {
    const tgr_context_options options = {.struct_size = sizeof options, .seed = 1};
    tgr_context *context = NULL;
    tgr_model *dense = NULL, *student = NULL;
    tgr_teacher *teacher = NULL;
    double dense_accuracy = 0, student_accuracy = 0;
    tgr_status status = TGR_OK;
    CHECK(tgr_context_create(&context, &options));

    printf("teacher\n");
    CHECK(make_model(&dense, context, "dense"));
    CHECK(train(dense, NULL, TEACHER_STEPS));
    CHECK(measure(dense, &dense_accuracy));

    printf("student\n");
    CHECK(make_model(&student, context, "tgr"));
    CHECK(tgr_teacher_create(&teacher, dense, student));
    CHECK(train(student, teacher, STUDENT_STEPS));
    CHECK(measure(student, &student_accuracy));
    printf("accuracy: teacher %.3f, student %.3f\n", dense_accuracy, student_accuracy);
done:
    if (status != TGR_OK) fprintf(stderr, "%s: %s\n", tgr_status_name(status), tgr_last_error());
    tgr_teacher_free(teacher);
    tgr_model_free(student);
    tgr_model_free(dense);
    tgr_context_free(context);
    return status == TGR_OK && student_accuracy > 0.9 ? 0 : 1;
}
