/* SPDX-License-Identifier: MIT */
/* The model's forward pass against a plain one in double precision, written from the formulas and timm's names. */
#include <stdio.h>

#include "base/random.h"
#include "model_support.h"

/* A matrix of doubles with its shape. */
typedef struct matrix {
    int64_t rows, columns;
    double *at;
} matrix;

static matrix matrix_new(int64_t rows, int64_t columns) {
    return (matrix){rows, columns, calloc((size_t)(rows * columns), sizeof(double))};
}

/* What the reference knows of the model: its sizes and its weights by name. */
typedef struct reference {
    tgr_model *model;
    tgr_parameters *parameters;
    const tgr_dimensions *d;
    int position_cls, train;
    double epsilon, drop_path;
    int64_t experts, top_k;
    int64_t image; /* index in the batch, for stochastic depth */
} reference;

static int has(const reference *r, const char *name) {
    return tgr_parameters_find(r->parameters, name) >= 0;
}

static const float *weight(const reference *r, const char *name) {
    float *value = NULL;
    int64_t index = tgr_parameters_find(r->parameters, name);
    assert_status(TGR_OK, tgr_parameters_value(r->parameters, index, &value));
    return value;
}

static const float *block_weight(const reference *r, int64_t block, const char *name) {
    char full[TGR_NAME_BYTES];
    snprintf(full, sizeof full, "blocks.%d.%s", (int)block, name);
    return weight(r, full);
}

static int block_has(const reference *r, int64_t block, const char *name) {
    char full[TGR_NAME_BYTES];
    snprintf(full, sizeof full, "blocks.%d.%s", (int)block, name);
    return has(r, full);
}

/* y = x·Wᵀ + b, b may be NULL. */
static matrix linear(matrix x, int64_t outputs, const float *w, const float *b) {
    matrix y = matrix_new(x.rows, outputs);
    FOR(i, x.rows)
        FOR(o, outputs) {
            double sum = b ? (double)b[o] : 0;
            FOR(c, x.columns) sum += x.at[i * x.columns + c] * (double)w[o * x.columns + c];
            y.at[i * outputs + o] = sum;
        }
    return y;
}

static matrix layer_norm(const reference *r, matrix x, const float *w, const float *b) {
    matrix y = matrix_new(x.rows, x.columns);
    FOR(i, x.rows) {
        const double *row = x.at + i * x.columns;
        double mean = 0, variance = 0;
        FOR(c, x.columns) mean += row[c] / (double)x.columns;
        FOR(c, x.columns) variance += (row[c] - mean) * (row[c] - mean) / (double)x.columns;
        FOR(c, x.columns)
            y.at[i * x.columns + c] = (row[c] - mean) / sqrt(variance + r->epsilon) * (double)w[c] + (double)b[c];
    }
    return y;
}

static void softmax(double *values, int64_t count) {
    double most = -INFINITY, sum = 0;
    FOR(i, count) most = fmax(most, values[i]);
    FOR(i, count) sum += values[i] = exp(values[i] - most);
    FOR(i, count) values[i] /= sum;
}

static matrix attend(const reference *r, matrix x, int64_t block) {
    int64_t dim = r->d->dim, size = r->d->head_dim, tokens = x.rows;
    matrix qkv = linear(x, 3 * dim, block_weight(r, block, "attn.qkv.weight"), block_weight(r, block, "attn.qkv.bias"));
    matrix out = matrix_new(tokens, dim), scores = matrix_new(1, tokens);
    FOR(head, r->d->heads)
        FOR(i, tokens) {
            const double *query = qkv.at + i * 3 * dim + head * size;
            FOR(j, tokens) {
                const double *key = qkv.at + j * 3 * dim + dim + head * size;
                scores.at[j] = 0;
                FOR(c, size) scores.at[j] += query[c] * key[c] / sqrt((double)size);
            }
            softmax(scores.at, tokens);
            FOR(j, tokens) {
                const double *value = qkv.at + j * 3 * dim + 2 * dim + head * size;
                FOR(c, size) out.at[i * dim + head * size + c] += scores.at[j] * value[c];
            }
        }
    matrix y = linear(out, dim, block_weight(r, block, "attn.proj.weight"), block_weight(r, block, "attn.proj.bias"));
    free(scores.at);
    free(out.at);
    free(qkv.at);
    return y;
}

static matrix feed_forward(matrix x, int64_t hidden, const float *w1, const float *b1, const float *w2,
                           const float *b2) {
    matrix h = linear(x, hidden, w1, b1);
    FOR(i, h.rows * h.columns) h.at[i] *= 0.5 * (1 + erf(h.at[i] / sqrt(2.0)));
    matrix y = linear(h, x.columns, w2, b2);
    free(h.at);
    return y;
}

/* Σ over the K largest p_e of p_e · expert_e(x), token by token. */
static matrix mixture(const reference *r, matrix x, int64_t block) {
    int64_t dim = r->d->dim, hidden = r->d->hidden;
    const float *w1 = block_weight(r, block, "moe.experts.fc1.weight"),
                *b1 = block_weight(r, block, "moe.experts.fc1.bias");
    const float *w2 = block_weight(r, block, "moe.experts.fc2.weight"),
                *b2 = block_weight(r, block, "moe.experts.fc2.bias");
    matrix p = linear(x, r->experts, block_weight(r, block, "moe.router.weight"), NULL);
    matrix y = matrix_new(x.rows, dim);
    FOR(t, x.rows) {
        double *row = p.at + t * r->experts;
        softmax(row, r->experts);
        FOR(k, r->top_k) {
            int64_t best = 0;
            for (int64_t e = 1; e < r->experts; e++)
                if (row[e] > row[best]) best = e;
            matrix one = {1, dim, x.at + t * dim};
            matrix out = feed_forward(one, hidden, w1 + best * hidden * dim, b1 + best * hidden,
                                      w2 + best * dim * hidden, b2 + best * dim);
            FOR(c, dim) y.at[t * dim + c] += row[best] * out.at[c];
            row[best] = -1;
            free(out.at);
        }
    }
    free(p.at);
    return y;
}

/* What stochastic depth multiplies this image's branch with. */
static double drop_path_scale(const reference *r, int64_t block, int64_t branch) {
    if (!r->train || r->d->depth < 2) return 1;
    double keep = 1 - r->drop_path * (double)block / (double)(r->d->depth - 1);
    tgr_random random = {
        .seed = r->parameters->seed,
        .step = (uint32_t)r->parameters->step,
        .place = tgr_random_place(TGR_PLACE_DROP_PATH, (uint32_t)(2 * block + branch), r->parameters->micro)};
    return tgr_random_uniform(&random, (uint64_t)r->image) < keep ? 1 / keep : 0;
}

/* x += scale · gamma · branch; frees the branch. */
static void join(const reference *r, matrix x, matrix branch, int64_t block, int64_t number) {
    const char *name = number == 0 ? "ls1.gamma" : "ls2.gamma";
    const float *gamma = block_has(r, block, name) ? block_weight(r, block, name) : NULL;
    double scale = drop_path_scale(r, block, number);
    FOR(i, x.rows * x.columns) x.at[i] += scale * (gamma ? (double)gamma[i % x.columns] : 1) * branch.at[i];
    free(branch.at);
}

/* Where what was seen on the way goes; either may be NULL. [depth, batch, tokens, dim] */
typedef struct sightings {
    float *ffn_input, *block_output;
} sightings;

static void see(const reference *r, float *to, int64_t batch, int64_t block, matrix from) {
    FOR(i, from.rows * from.columns) to[(block * batch + r->image) * from.rows * from.columns + i] = (float)from.at[i];
}

static void run_block(const reference *r, matrix x, int64_t block, int64_t batch, sightings seen) {
    matrix n = layer_norm(r, x, block_weight(r, block, "norm1.weight"), block_weight(r, block, "norm1.bias"));
    join(r, x, attend(r, n, block), block, 0);
    free(n.at);
    n = layer_norm(r, x, block_weight(r, block, "norm2.weight"), block_weight(r, block, "norm2.bias"));
    see(r, seen.ffn_input, batch, block, n);
    if (block_has(r, block, "moe.router.weight"))
        join(r, x, mixture(r, n, block), block, 1);
    else
        join(r, x,
             feed_forward(n, r->d->hidden, block_weight(r, block, "mlp.fc1.weight"),
                          block_weight(r, block, "mlp.fc1.bias"), block_weight(r, block, "mlp.fc2.weight"),
                          block_weight(r, block, "mlp.fc2.bias")),
             block, 1);
    see(r, seen.block_output, batch, block, x);
    free(n.at);
}

/* The convolution of stride = patch, then tokens and positions. */
static matrix embed(const reference *r, const float *image) {
    const tgr_dimensions *d = r->d;
    const float *kernel = weight(r, "patch_embed.proj.weight"), *bias = weight(r, "patch_embed.proj.bias");
    matrix x = matrix_new(d->tokens, d->dim);
    FOR(patch, d->patches)
        FOR(o, d->dim) {
            double sum = (double)bias[o];
            FOR(c, d->channels)
                FOR(i, d->patch_size)
                    FOR(j, d->patch_size) {
                        int64_t row = patch / d->grid * d->patch_size + i, column = patch % d->grid * d->patch_size + j;
                        sum += (double)kernel[((o * d->channels + c) * d->patch_size + i) * d->patch_size + j] *
                               (double)image[(c * d->image_size + row) * d->image_size + column];
                    }
            x.at[(d->prefix_tokens + patch) * d->dim + o] = sum;
        }
    FOR(o, d->dim) {
        x.at[o] = (double)weight(r, "cls_token")[o];
        if (d->prefix_tokens > 1) x.at[d->dim + o] = (double)weight(r, "dist_token")[o];
    }
    const float *positions = weight(r, "pos_embed");
    int64_t first = r->position_cls ? 0 : d->prefix_tokens * d->dim;
    for (int64_t i = first; i < d->tokens * d->dim; i++) x.at[i] += (double)positions[i - first];
    return x;
}

static void run_image(const reference *r, const float *image, int64_t batch, sightings seen, float *features,
                      float *logits) {
    const tgr_dimensions *d = r->d;
    matrix x = embed(r, image);
    FOR(block, d->depth) run_block(r, x, block, batch, seen);
    matrix f = layer_norm(r, x, weight(r, "norm.weight"), weight(r, "norm.bias"));
    see(r, features, batch, 0, f);
    if (d->classes > 0) {
        matrix cls = {1, d->dim, f.at}, token = {1, d->dim, f.at + d->dim};
        matrix l = linear(cls, d->classes, weight(r, "head.weight"), weight(r, "head.bias"));
        if (d->prefix_tokens > 1) {
            matrix second = linear(token, d->classes, weight(r, "head_dist.weight"), weight(r, "head_dist.bias"));
            FOR(i, d->classes) l.at[i] = (l.at[i] + second.at[i]) / 2;
            free(second.at);
        }
        see(r, logits, batch, 0, l);
        free(l.at);
    }
    free(f.at);
    free(x.at);
}

static reference reference_of(tgr_model *model, tgr_mode mode) {
    const tgr_config *config = tgr_model_config(model);
    return (reference){.model = model,
                       .parameters = test_model_parameters(model),
                       .d = tgr_model_dimensions(model),
                       .position_cls = tgr_option_i64(config, TGR_OPTION_POSITION_CLS) != 0,
                       .train = mode == TGR_TRAIN,
                       .epsilon = tgr_option_f64(config, TGR_OPTION_NORM_EPSILON),
                       .drop_path = tgr_option_f64(config, TGR_OPTION_DROP_PATH),
                       .experts = tgr_option_i64(config, TGR_OPTION_EXPERTS),
                       .top_k = tgr_option_i64(config, TGR_OPTION_TOP_K)};
}

/* Features, logits and every captured feature of every block. */
static void check_model(tgr_model *model, tgr_mode mode, int64_t batch) {
    reference r = reference_of(model, mode);
    const tgr_dimensions *d = r.d;
    int64_t stream = batch * d->tokens * d->dim, pixels = d->channels * d->image_size * d->image_size;
    float *images = test_images(model, batch, 3), *buffers[6];
    for (int i = 0; i < 6; i++) buffers[i] = calloc((size_t)(d->depth * stream + batch * d->classes), sizeof(float));
    float *features = buffers[0], *logits = buffers[1], *inputs = buffers[2], *outputs = buffers[3];
    sightings seen = {.ffn_input = buffers[4], .block_output = buffers[5]};
    for (r.image = 0; r.image < batch; r.image++)
        run_image(&r, images + r.image * pixels, batch, seen, features, logits);

    FOR(block, d->depth) {
        tgr_model_capture(model, block, TGR_FEATURE_FFN_INPUT, inputs + block * stream);
        tgr_model_capture(model, block, TGR_FEATURE_BLOCK_OUTPUT, outputs + block * stream);
    }
    assert_status(TGR_OK, tgr_model_forward(model, mode, images, batch));
    assert_all_close(inputs, seen.ffn_input, d->depth * stream, 2e-5, 2e-5);
    assert_all_close(outputs, seen.block_output, d->depth * stream, 2e-5, 2e-5);
    assert_all_close(test_features(model), features, stream, 2e-5, 2e-5);
    if (d->classes > 0) assert_all_close(test_logits(model), logits, batch * d->classes, 2e-5, 2e-5);
    FOR(block, d->depth)
        for (int feature = 0; feature < 2; feature++) tgr_model_capture(model, block, (tgr_feature)feature, NULL);
    for (int i = 0; i < 6; i++) free(buffers[i]);
    free(images);
}

static void check_options(const char *options, int64_t batch) {
    FOR_THREADS(threads) {
        tgr_context *context = test_context(threads, 5);
        tgr_model *model = test_model(context, options);
        check_model(model, TGR_EVAL, batch);
        check_model(model, TGR_TRAIN, batch + 1);
        check_model(model, TGR_EVAL, 1);
        test_model_parameters(model)->step = 3;
        test_model_parameters(model)->micro = 2;
        check_model(model, TGR_TRAIN, batch);
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

#define SMALL "image_size=6 patch_size=2 channels=2 embed_dim=12 heads=3 depth=3 classes=5 "

static void test_dense(void **state) {
    (void)state;
    check_options(SMALL, 3);
    check_options(SMALL "classes=0 norm_epsilon=0.1", 3);
}

static void test_tokens_and_positions(void **state) {
    (void)state;
    check_options(SMALL "distillation_token=1", 3);
    check_options(SMALL "position_cls=0", 3);
    check_options(SMALL "position_cls=0 distillation_token=1", 3);
}

static void test_residual_branches(void **state) {
    (void)state;
    check_options(SMALL "layer_scale=0.3", 3);
    check_options(SMALL "drop_path=0.6", 8);
    check_options(SMALL "drop_path=0.6 depth=1", 8);
    check_options(SMALL "drop_path=0.4 layer_scale=0.3", 8);
}

static void test_experts(void **state) {
    (void)state;
    check_options(SMALL "method=tgr moe_blocks=1,3 experts=4 top_k=1 router_noise=0", 3);
    check_options(SMALL "method=tgr moe_blocks=2 experts=3 top_k=2 router_noise=0 drop_path=0.5 layer_scale=0.4", 5);
}

static void test_odd_sizes(void **state) {
    (void)state;
    check_options("image_size=3 patch_size=3 channels=1 embed_dim=8 heads=1 depth=1 classes=1", 1);
    check_options("image_size=7 patch_size=1 channels=1 embed_dim=5 heads=5 depth=1 classes=2 mlp_ratio=0.01", 2);
    check_options("image_size=22 patch_size=2 channels=3 embed_dim=34 heads=2 depth=2 classes=33 mlp_ratio=3.3", 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_tokens_and_positions),
        cmocka_unit_test(test_residual_branches),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_odd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
