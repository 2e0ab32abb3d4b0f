/* SPDX-License-Identifier: MIT */
/* A MoE layer and a teacher router in a network of the host's own: h = W1 x, y = w2 · (h + moe(h)), with the host's SGD
 * for W1 and w2 and the library's optimizer for experts and routers. The inputs themselves serve as the teacher's
 * features. */
#include <stdio.h>

#include "tgrmoe/tgrmoe.h"

enum { TOKENS = 256, INPUTS = 8, WIDTH = 16, EXPERTS = 4, STEPS = 200 };
static const float RATE = 0.02F;           /* of the host's SGD */
static const double GUIDANCE_WEIGHT = 0.1; /* of the divergence between teacher router and router */

#define CHECK(call)                                 \
    do {                                            \
        if ((status = (call)) != TGR_OK) goto done; \
    } while (0)

typedef struct network {
    float w1[WIDTH * INPUTS], w2[WIDTH]; /* [WIDTH, INPUTS], [WIDTH] */
    tgr_moe *moe;
    tgr_teacher_router *teacher;
} network;

static float uniform(uint32_t *random) {
    *random = *random * 1664525U + 1013904223U;
    return (float)(*random >> 8) / 8388608.0F - 1.0F;
}

/* Tokens of four kinds, distinguished by the signs of two inputs; each kind has its own function. */
static void make_up_tokens(float *x, float *target, uint32_t seed) {
    uint32_t random = seed;
    for (int t = 0; t < TOKENS; t++) {
        for (int i = 0; i < INPUTS; i++) x[t * INPUTS + i] = uniform(&random);
        const int kind = (x[t * INPUTS] > 0) + 2 * (x[t * INPUTS + 1] > 0);
        target[t] = x[t * INPUTS + 2 + kind];
    }
}

/* One step of everything; *mse is the loss before it. */
static tgr_status train_step(network *net, const float *x, const float *target, double *mse) {
    static float h[TOKENS * WIDTH], mixed[TOKENS * WIDTH], h_gradient[TOKENS * WIDTH], y_gradient[TOKENS * WIDTH];
    const float *guidance = NULL; /* [TOKENS, EXPERTS] */
    float w2_gradient[WIDTH] = {0};
    tgr_status status = TGR_OK;
    for (int t = 0; t < TOKENS; t++) {
        for (int d = 0; d < WIDTH; d++) {
            float sum = 0;
            for (int i = 0; i < INPUTS; i++) sum += net->w1[d * INPUTS + i] * x[t * INPUTS + i];
            h[t * WIDTH + d] = sum;
        }
    }
    CHECK(tgr_moe_forward(net->moe, TGR_TRAIN, h, TOKENS, mixed));
    CHECK(tgr_teacher_router_forward(net->teacher, x, TOKENS, &guidance));
    CHECK(tgr_moe_guide(net->moe, guidance, GUIDANCE_WEIGHT, NULL));

    *mse = 0;
    for (int t = 0; t < TOKENS; t++) {
        float y = 0;
        for (int d = 0; d < WIDTH; d++) y += net->w2[d] * (h[t * WIDTH + d] + mixed[t * WIDTH + d]);
        const float error = y - target[t];
        *mse += (double)(error * error) / TOKENS;
        for (int d = 0; d < WIDTH; d++) {
            w2_gradient[d] += 2 * error * (h[t * WIDTH + d] + mixed[t * WIDTH + d]) / TOKENS;
            y_gradient[t * WIDTH + d] = 2 * error * net->w2[d] / TOKENS;
        }
    }
    CHECK(tgr_moe_backward(net->moe, y_gradient, h_gradient));
    CHECK(tgr_teacher_router_backward(net->teacher));

    for (int d = 0; d < WIDTH; d++) {
        for (int i = 0; i < INPUTS; i++) {
            float gradient = 0;
            for (int t = 0; t < TOKENS; t++) {
                /* Through the layer and past it: h takes both paths. */
                gradient += (h_gradient[t * WIDTH + d] + y_gradient[t * WIDTH + d]) * x[t * INPUTS + i];
            }
            net->w1[d * INPUTS + i] -= RATE * gradient;
        }
        net->w2[d] -= RATE * w2_gradient[d];
    }
done:
    return status;
}

int main(void) {
    static float x[TOKENS * INPUTS], target[TOKENS];
    network net = {0};
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    tgr_optimizer *moe_optimizer = NULL, *teacher_optimizer = NULL;
    double first = 0, last = 0;
    uint32_t random = 7;
    tgr_status status = TGR_OK;
    for (int i = 0; i < WIDTH * INPUTS; i++) net.w1[i] = 0.5F * uniform(&random);
    for (int i = 0; i < WIDTH; i++) net.w2[i] = 0.5F * uniform(&random);

    CHECK(tgr_context_create(&context, NULL));
    CHECK(tgr_config_create(&config, context));
    CHECK(tgr_config_set(config, "method", "tgr"));
    CHECK(tgr_config_set_i64(config, TGR_OPTION_EXPERTS, EXPERTS));
    CHECK(tgr_config_set_f64(config, TGR_OPTION_INIT_STD, 0.2));
    CHECK(tgr_config_set_f64(config, TGR_OPTION_LR, 0.01));
    CHECK(tgr_moe_create(&net.moe, context, config, WIDTH));
    CHECK(tgr_teacher_router_create(&net.teacher, context, config, INPUTS, EXPERTS));
    CHECK(tgr_optimizer_create(&moe_optimizer, config, tgr_moe_parameters(net.moe)));
    CHECK(tgr_optimizer_create(&teacher_optimizer, config, tgr_teacher_router_parameters(net.teacher)));

    for (int step = 0; step < STEPS; step++) {
        make_up_tokens(x, target, (uint32_t)step);
        CHECK(train_step(&net, x, target, &last));
        CHECK(tgr_optimizer_step(moe_optimizer));
        CHECK(tgr_optimizer_step(teacher_optimizer));
        if (step == 0) first = last;
        if (step % 50 == 0) printf("step %3d  mean squared error %.4f\n", step, last);
    }
    printf("from %.4f to %.4f\n", first, last);
done:
    if (status != TGR_OK) fprintf(stderr, "%s: %s\n", tgr_status_name(status), tgr_last_error());
    tgr_optimizer_free(teacher_optimizer);
    tgr_optimizer_free(moe_optimizer);
    tgr_teacher_router_free(net.teacher);
    tgr_moe_free(net.moe);
    tgr_config_free(config);
    tgr_context_free(context);
    return status == TGR_OK && last < 0.3 * first ? 0 : 1;
}
