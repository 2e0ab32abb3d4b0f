/* SPDX-License-Identifier: MIT */
/* The teacher's forward pass: which feature and which token guides what, the cache, the oracle, what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "teacher_support.h"

static void check_refused(tgr_status status, const char *message, const char *backbone, const char *student) {
    tgr_context *context = test_context(1, 1);
    tgr_model *one = test_model_with(context, BACKBONE, backbone), *other = test_model_with(context, STUDENT, student);
    tgr_teacher *teacher = NULL;
    assert_fails(status, message, tgr_teacher_create(&teacher, one, other));
    assert_null(teacher);
    tgr_model_free(one);
    tgr_model_free(other);
    tgr_context_free(context);
}

static void test_mismatches(void **unused) {
    (void)unused;
    check_refused(TGR_ERROR_SHAPE, "student has 4 patches (2 by 2), the teacher 16 (4 by 4)", "patch_size=2", "");
    check_refused(TGR_ERROR_SHAPE, "student has 1 patches (1 by 1), the teacher 4 (2 by 2)", "", "patch_size=8");
    check_refused(TGR_ERROR_SHAPE, "3 channels and size 8, the teacher of 3 and 16", "image_size=16 patch_size=8", "");
    check_refused(TGR_ERROR_SHAPE, "3 channels and size 8, the teacher of 1 and 8", "channels=1", "");
    check_refused(TGR_ERROR_RANGE, "MoE layer 1 is guided by teacher block 4; the teacher has 3", "depth=3", "");
    check_refused(TGR_ERROR_RANGE, "teacher block 5; the teacher has 4", "", "teacher_layers=5");
    check_refused(TGR_ERROR_RANGE, "3 numbers", "", "teacher_layers=1,2,3");
    check_refused(TGR_ERROR_RANGE, "0.5", "", "guidance_start=0.5 guidance_end=0.25 total_steps=10");
    check_refused(TGR_ERROR_RANGE, "total_steps", "", "guidance_end=0.5");
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model_with(context, STUDENT, ""), *dense = test_model_with(context, BACKBONE, "");
    tgr_teacher *teacher = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "no MoE layer", tgr_teacher_create(&teacher, model, dense));
    assert_fails(TGR_ERROR_ARGUMENT, "same model", tgr_teacher_create(&teacher, model, model));
    tgr_model_free(dense);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_token_map(void **unused) {
    (void)unused;
    static const struct {
        int64_t student, backbone; /* prefix tokens */
        int64_t map[6];
    } rows[] = {
        {1, 1, {0, 1, 2, 3, 4}}, {2, 2, {0, 1, 2, 3, 4, 5}}, {2, 1, {0, 0, 1, 2, 3, 4}}, {1, 2, {0, 2, 3, 4, 5}}};
    for (int i = 0; i < 4; i++) {
        tgr_dimensions student = {.patches = 4, .prefix_tokens = rows[i].student};
        tgr_dimensions backbone = {.patches = 4, .prefix_tokens = rows[i].backbone};
        int64_t map[6] = {-1, -1, -1, -1, -1, -1};
        tgr_match_tokens(&student, &backbone, map);
        FOR(n, rows[i].student + 4) assert_int_equal(map[n], rows[i].map[n]);
    }
}

/* Probabilities from the backbone's own features, taken with a capture of our own: softmax(R h) in double. `blocks`
 * from 0; `dist` tells whether student and backbone have a distillation token. */
static void check_probabilities(const char *backbone_more, const char *student_more, const int64_t blocks[LAYERS],
                                tgr_feature feature, int student_dist, int backbone_dist) {
    test_scene s = test_scene_make(2, backbone_more, student_more);
    const int64_t tokens = 1 + student_dist + PATCHES, theirs = 1 + backbone_dist + PATCHES;
    float *features = calloc((size_t)(BATCH * theirs * WIDTH), sizeof *features);
    assert_non_null(features);
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH));
    FOR(layer, LAYERS) {
        const float *p = test_teacher_rows(s.teacher, layer);
        const float *weight = tgr_value(tgr_teacher_router_weights(s.teacher), layer);
        tgr_model_capture(s.backbone, blocks[layer], feature, features);
        assert_status(TGR_OK, tgr_model_forward(s.backbone, TGR_EVAL, s.images, BATCH));
        tgr_model_capture(s.backbone, blocks[layer], feature, NULL);
        FOR(row, BATCH * tokens) {
            int64_t n = row % tokens, source = n - student_dist + backbone_dist; /* a patch */
            if (n == 0) source = 0;
            if (n == 1 && student_dist) source = backbone_dist ? 1 : 0;
            const float *h = features + (row / tokens * theirs + source) * WIDTH;
            double logits[EXPERTS] = {0}, sum = 0;
            for (int e = 0; e < EXPERTS; e++) {
                for (int d = 0; d < WIDTH; d++) logits[e] += (double)weight[e * WIDTH + d] * h[d];
                sum += exp(logits[e]);
            }
            for (int e = 0; e < EXPERTS; e++) assert_close(p[row * EXPERTS + e], exp(logits[e]) / sum, 2e-6);
        }
    }
    free(features);
    test_scene_free(&s);
}

static void test_probabilities(void **unused) {
    (void)unused;
    const int64_t same[] = {1, 3}, last[] = {3, 3}, others[] = {0, 2}, backwards[] = {2, 0};
    check_probabilities("", "", same, TGR_FEATURE_FFN_INPUT, 0, 0);
    check_probabilities("", "teacher_feature=block_output", same, TGR_FEATURE_BLOCK_OUTPUT, 0, 0);
    check_probabilities("", "teacher_layers=4", last, TGR_FEATURE_FFN_INPUT, 0, 0);
    check_probabilities("", "teacher_layers=1,3", others, TGR_FEATURE_FFN_INPUT, 0, 0);
    check_probabilities("", "teacher_layers=3,1", backwards, TGR_FEATURE_FFN_INPUT, 0, 0);
    check_probabilities("", "distillation_token=1", same, TGR_FEATURE_FFN_INPUT, 1, 0);
    check_probabilities("distillation_token=1", "", same, TGR_FEATURE_FFN_INPUT, 0, 1);
    check_probabilities("distillation_token=1", "distillation_token=1 teacher_feature=block_output", same,
                        TGR_FEATURE_BLOCK_OUTPUT, 1, 1);
    check_probabilities("layer_scale=0.1 position_cls=0",
                        "distillation_token=1 teacher_layers=4 teacher_feature=block_output", last,
                        TGR_FEATURE_BLOCK_OUTPUT, 1, 0); /* DeiT-III */
    check_probabilities("method=vmoe moe_blocks=2 experts=3", "", same, TGR_FEATURE_FFN_INPUT, 0, 0);
}

/* Whether the student's last pass chose what the teacher says, with the teacher's gates. */
static int routes_as_teacher(const test_scene *s, int64_t batch) {
    int64_t differences = 0;
    FOR(layer, LAYERS) {
        const tgr_routing *routing = NULL;
        const float *gates = NULL, *p = test_teacher_rows(s->teacher, layer);
        assert_status(TGR_OK, tgr_model_routing(s->student, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        const int32_t *choices = view.choices;
        gates = view.gates;
        FOR(t, batch * (1 + PATCHES)) {
            int best = 0;
            for (int e = 1; e < EXPERTS; e++)
                if (p[t * EXPERTS + e] > p[t * EXPERTS + best]) best = e;
            differences += choices[t] != best || gates[t] != p[t * EXPERTS + best];
        }
    }
    return differences == 0;
}

static void test_oracle(void **unused) {
    (void)unused;
    test_scene s = test_scene_make(1, "", "");
    float own[BATCH * 5];
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    memcpy(own, test_logits(s.student), sizeof own);
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, BATCH));
    assert_false(routes_as_teacher(&s, BATCH));

    assert_status(TGR_OK, tgr_teacher_set_oracle(s.teacher, 1));
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    assert_true(routes_as_teacher(&s, BATCH));
    assert_true(memcmp(own, test_logits(s.student), sizeof own) != 0);
    for (int64_t batch = 1; batch <= 3 * BATCH; batch += 3) { /* smaller and larger, over moved memory */
        assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, batch));
        assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, batch));
        assert_true(routes_as_teacher(&s, batch));
    }
    assert_fails(TGR_ERROR_STATE, "oracle", tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, s.images, BATCH)); /* training routes by itself */
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, BATCH));
    assert_false(routes_as_teacher(&s, BATCH));

    assert_status(TGR_OK, tgr_teacher_set_oracle(s.teacher, 0));
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    assert_same_bytes(test_logits(s.student), own, sizeof own);
    assert_status(TGR_OK, tgr_teacher_set_oracle(s.teacher, 0));

    /* A second teacher takes over; what the first does then does not concern it. */
    tgr_teacher *second = NULL;
    assert_status(TGR_OK, tgr_teacher_create(&second, s.backbone, s.student));
    assert_status(TGR_OK, tgr_teacher_set_oracle(s.teacher, 1));
    assert_status(TGR_OK, tgr_teacher_set_oracle(second, 1)); /* nothing to route by yet */
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, BATCH));
    assert_status(TGR_OK, tgr_teacher_forward(second, TGR_EVAL, s.images, BATCH));
    assert_status(TGR_OK, tgr_teacher_set_oracle(s.teacher, 0));
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    assert_false(routes_as_teacher(&s, BATCH));
    assert_true(memcmp(own, test_logits(s.student), sizeof own) != 0);
    tgr_teacher_free(second); /* and its end is the end of its oracle */
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_EVAL, s.images, BATCH));
    assert_same_bytes(test_logits(s.student), own, sizeof own);
    assert_fails(TGR_ERROR_ARGUMENT, "teacher", tgr_teacher_set_oracle(NULL, 1));
    test_scene_free(&s);
}

/* One pass with the cache against one without, from a second teacher with the same weights. */
static void check_cached_pass(test_scene *s, test_scene *plain, const int64_t *ids, int64_t batch, int64_t missing) {
    float *images = malloc((size_t)(batch * IMAGE) * sizeof *images);
    assert_non_null(images);
    FOR(b, batch) { /* the image of that id */
        test_random random = test_random_start((uint64_t)ids[b]);
        test_random_fill(&random, images + b * IMAGE, IMAGE, -1, 1);
    }
    assert_status(TGR_OK, tgr_model_run_twin(s->teacher->twin, images, 77 % batch + 1));
    const int64_t before = tgr_model_batch(s->teacher->twin);
    assert_status(TGR_OK, tgr_teacher_forward_cached(s->teacher, TGR_TRAIN, images, ids, batch));
    assert_int_equal(tgr_model_batch(s->teacher->twin), missing == 0 ? before : missing);
    assert_status(TGR_OK, tgr_teacher_forward(plain->teacher, TGR_TRAIN, images, batch));
    FOR(layer, LAYERS)
        assert_same_bytes(test_teacher_rows(s->teacher, layer), test_teacher_rows(plain->teacher, layer),
                          (size_t)(batch * s->teacher->tokens * EXPERTS) * sizeof(float));
    tgr_teacher_backward(s->teacher); /* gradients read the features themselves */
    tgr_teacher_backward(plain->teacher);
    const tgr_parameters *a = tgr_teacher_router_weights(s->teacher), *b = tgr_teacher_router_weights(plain->teacher);
    assert_same_bytes(a->gradients, b->gradients, (size_t)a->floats * sizeof(float));
    free(images);
}

static void test_cache_is_no_cache(void **unused) {
    (void)unused;
    static const char *const settings[] = {"teacher_cache_mb=1", "teacher_cache_mb=1 distillation_token=1",
                                           "teacher_cache_mb=1 teacher_layers=2"};
    for (int k = 0; k < 3; k++) {
        test_scene s = test_scene_make(2, "", settings[k]), plain = test_scene_make(1, "", settings[k]);
        const float *images = s.images;
        assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, images, 20)); /* room for what follows */
        assert_status(TGR_OK, tgr_model_forward(plain.student, TGR_TRAIN, images, 20));
        for (int64_t batch = 1; batch <= 20; batch++) { /* the routers' gradients are of that many tokens */
            assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, images, batch));
            assert_status(TGR_OK, tgr_model_forward(plain.student, TGR_TRAIN, images, batch));
            if (batch == 4) check_cached_pass(&s, &plain, (const int64_t[]){5, 6, 7, INT64_MAX - 1}, 4, 4);
            if (batch == 5) check_cached_pass(&s, &plain, (const int64_t[]){6, 100, 5, 101, 0}, 5, 3);
            if (batch == 6) check_cached_pass(&s, &plain, (const int64_t[]){0, 0, 5, 6, 7, 100}, 6, 0);
            if (batch == 7) check_cached_pass(&s, &plain, (const int64_t[]){9, 9, 0, 9, 11, 0, 12}, 7, 5);
            if (batch == 8) check_cached_pass(&s, &plain, (const int64_t[]){12, 11, 9, 0, 101, 7, 6, 5}, 8, 0);
        }
        /* Until it is full and beyond: what was in first stays in. */
        const int64_t capacity = tgr_feature_cache_capacity(s.teacher->cache);
        int64_t ids[20], known = 10; /* 5 6 7 large 100 101 0 9 11 12 */
        assert_true(capacity > 500 && capacity < 4000);
        for (int64_t first = 1000; first < 1000 + capacity + 60; first += 20) {
            FOR(i, 20) ids[i] = first + i;
            check_cached_pass(&s, &plain, ids, 20, 20);
        }
        check_cached_pass(&s, &plain, ids, 20, 20); /* too late */
        FOR(i, 20) ids[i] = 1000 + capacity - known - 10 + i;
        check_cached_pass(&s, &plain, ids, 20, 10); /* the last ten that found room, and ten that did not */
        assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, images, 4));
        assert_status(TGR_OK, tgr_model_forward(plain.student, TGR_TRAIN, images, 4));
        check_cached_pass(&s, &plain, (const int64_t[]){0, 5, 1000, 1001}, 4, 0);
        uint64_t before = 0, after = 0;
        before = tgr_context_allocation_count(s.context);
        assert_status(TGR_OK, tgr_teacher_forward_cached(s.teacher, TGR_TRAIN, s.images, ids, 20));
        after = tgr_context_allocation_count(s.context);
        assert_int_equal(before, after);
        test_scene_free(&s);
        test_scene_free(&plain);
    }
}

/* Against an array as large as the ids; budgets from nothing to plenty, entries from tiny to larger than a chunk. */
static void test_cache_alone(void **unused) {
    (void)unused;
    tgr_context *context = test_context(1, 1);
    static const struct {
        int64_t floats, budget;
    } rows[] = {{1, 100000}, {7, 0}, {7, 50}, {1000, 5000}, {3, 4096}, {2000000, 30000000}, {300000, 10000000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tgr_feature_cache *cache = NULL;
        uint64_t start = 0, now = 0;
        unsigned char present[3000] = {0};
        int64_t entries = 0, asked = 0;
        test_random random = test_random_start(i);
        start = tgr_context_bytes(context);
        assert_status(TGR_OK, tgr_feature_cache_create(&cache, context, rows[i].floats, rows[i].budget));
        int64_t capacity = tgr_feature_cache_capacity(cache);
        assert_true(capacity * rows[i].floats * 4 <= rows[i].budget);
        for (int round = 0; round < 400; round++) {
            int64_t wanted = test_random_integer(&random, 0, 9);
            assert_status(TGR_OK, tgr_feature_cache_reserve(cache, wanted));
            for (int64_t w = 0; w < wanted; w++, asked++) {
                int64_t id = test_random_integer(&random, 0, 2999);
                float *entry = tgr_feature_cache_insert(cache, id);
                assert_int_equal(entry != NULL, !present[id] && entries < capacity);
                if (entry == NULL) continue;
                present[id] = 1;
                entries++;
                entry[0] = (float)id;
                entry[rows[i].floats - 1] = (float)id;
            }
        }
        FOR(id, 3000) {
            const float *entry = tgr_feature_cache_find(cache, id);
            assert_int_equal(entry != NULL, present[id]);
            if (entry != NULL) assert_true(entry[0] == (float)id && entry[rows[i].floats - 1] == (float)id);
        }
        now = tgr_context_bytes(context);
        assert_true(now - start <= (uint64_t)rows[i].budget + 1024); /* the handle itself on top */
        tgr_feature_cache_free(cache);
        now = tgr_context_bytes(context);
        assert_true(now == start);
    }
    tgr_context_free(context);
}

static void test_misuse(void **unused) {
    (void)unused;
    test_scene s = test_scene_make(1, "", "teacher_cache_mb=1");
    tgr_teacher *teacher = NULL;
    tgr_parameters *parameters = NULL;
    const float *p = NULL;
    int active = 42;
    const int64_t ids[3] = {0, 1, 2}, bad[3] = {0, 1, -3};
    assert_fails(TGR_ERROR_ARGUMENT, "out", tgr_teacher_create(NULL, s.backbone, s.student));
    assert_fails(TGR_ERROR_ARGUMENT, "backbone", tgr_teacher_create(&teacher, NULL, s.student));
    assert_fails(TGR_ERROR_ARGUMENT, "student", tgr_teacher_create(&teacher, s.backbone, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "teacher", tgr_teacher_forward(NULL, TGR_EVAL, s.images, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "images", tgr_teacher_forward(s.teacher, TGR_EVAL, NULL, 1));
    assert_fails(TGR_ERROR_RANGE, "'mode' is 2", tgr_teacher_forward(s.teacher, (tgr_mode)2, s.images, 1));
    assert_fails(TGR_ERROR_RANGE, "'batch' is 0", tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, 0));
    assert_fails(TGR_ERROR_RANGE, "'batch' is -1", tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, -1));
    assert_status(TGR_ERROR_OVERFLOW, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, INT64_MAX));
    assert_status(TGR_ERROR_OVERFLOW, tgr_teacher_forward(s.teacher, TGR_EVAL, s.images, INT64_MAX / 1000));
    assert_fails(TGR_ERROR_ARGUMENT, "teacher", tgr_teacher_forward_cached(NULL, TGR_EVAL, s.images, ids, 3));
    assert_fails(TGR_ERROR_ARGUMENT, "images", tgr_teacher_forward_cached(s.teacher, TGR_EVAL, NULL, ids, 3));
    assert_fails(TGR_ERROR_ARGUMENT, "ids", tgr_teacher_forward_cached(s.teacher, TGR_EVAL, s.images, NULL, 3));
    assert_fails(TGR_ERROR_RANGE, "ids[2] is -3", tgr_teacher_forward_cached(s.teacher, TGR_EVAL, s.images, bad, 3));
    assert_fails(TGR_ERROR_STATE, "not run", tgr_teacher_probabilities(s.teacher, 0, &p));
    assert_int_equal(tgr_teacher_is_active(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "teacher", tgr_teacher_step(NULL));
    assert_null(tgr_teacher_parameters(NULL));
    assert_status(TGR_OK, tgr_teacher_step(s.teacher)); /* nothing to do */
    assert_status(TGR_OK, tgr_teacher_forward_cached(s.teacher, TGR_EVAL, s.images, ids, 3));
    assert_fails(TGR_ERROR_RANGE, "'index' is 2; there are 2", tgr_teacher_probabilities(s.teacher, 2, &p));
    assert_fails(TGR_ERROR_RANGE, "'index' is -1", tgr_teacher_probabilities(s.teacher, -1, &p));
    assert_fails(TGR_ERROR_ARGUMENT, "teacher", tgr_teacher_probabilities(NULL, 0, &p));
    assert_fails(TGR_ERROR_ARGUMENT, "probabilities", tgr_teacher_probabilities(s.teacher, 0, NULL));
    assert_true(p == NULL && active == 42 && parameters == NULL && teacher == NULL);
    tgr_teacher_free(NULL);

    tgr_model_free(s.backbone); /* the teacher keeps both, the loss keeps the teacher */
    tgr_model_free(s.student);
    tgr_teacher_free(s.teacher);
    tgr_context_free(s.context);
    const int32_t labels[3] = {0, 1, 2};
    assert_status(TGR_OK, tgr_model_forward(s.student, TGR_TRAIN, s.images, 3));
    assert_status(TGR_OK, tgr_teacher_forward(s.teacher, TGR_TRAIN, s.images, 3));
    assert_status(TGR_OK, tgr_loss_compute(s.loss, labels, NULL));
    assert_status(TGR_OK, tgr_loss_backward(s.loss));
    tgr_loss_free(s.loss);
    free(s.images);
}

/* A failed pass leaves what the last one gave. */
static tgr_status forward_or_leave(tgr_teacher *teacher, const float *images, const int64_t *ids, int64_t batch) {
    float before[EXPERTS * 2] = {0};
    if (batch > 1) memcpy(before, test_teacher_rows(teacher, 1), sizeof before);
    tgr_status status = ids ? tgr_teacher_forward_cached(teacher, TGR_TRAIN, images, ids, batch)
                            : tgr_teacher_forward(teacher, TGR_TRAIN, images, batch);
    if (status != TGR_OK && batch > 1) {
        assert_same_bytes(test_teacher_rows(teacher, 1), before, sizeof before);
        assert_int_equal(tgr_teacher_batch(teacher), batch - 1);
    }
    return status;
}

static tgr_status create_and_train(const tgr_allocator *allocator, void *user) {
    test_scene s = {.images = user};
    const int64_t ids[3] = {3, 1, 2};
    const int32_t labels[3] = {0, 1, 2};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&s.context, allocator));
    TGR_TRY_DONE(test_model_create(&s.backbone, s.context, BACKBONE));
    TGR_TRY_DONE(test_model_create(&s.student, s.context, STUDENT "teacher_cache_mb=1 distillation_token=1"));
    TGR_TRY_DONE(tgr_teacher_create(&s.teacher, s.backbone, s.student));
    TGR_TRY_DONE(tgr_loss_create(&s.loss, s.student, s.teacher));
    for (int64_t batch = 1; batch <= 3; batch++) {
        TGR_TRY_DONE(tgr_model_forward(s.student, TGR_TRAIN, s.images, batch));
        TGR_TRY_DONE(forward_or_leave(s.teacher, s.images, batch == 2 ? ids : NULL, batch));
        TGR_TRY_DONE(tgr_loss_compute(s.loss, labels, NULL));
        TGR_TRY_DONE(tgr_loss_backward(s.loss));
        TGR_TRY_DONE(tgr_teacher_step(s.teacher));
    }
done:
    tgr_loss_free(s.loss);
    tgr_teacher_free(s.teacher);
    tgr_model_free(s.student);
    tgr_model_free(s.backbone);
    tgr_context_free(s.context);
    return status;
}

static void test_allocations_fail(void **unused) {
    (void)unused;
    test_random random = test_random_start(4);
    float *images = test_random_floats(&random, 3 * IMAGE);
    assert_true(test_each_allocation_failing(create_and_train, images) > 30);
    free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mismatches),
        cmocka_unit_test(test_token_map),
        cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_oracle),
        cmocka_unit_test(test_cache_is_no_cache),
        cmocka_unit_test(test_cache_alone),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
