/* SPDX-License-Identifier: MIT */
/* Saving and loading: every bit comes back, training continues as if nothing had happened, misfits are refused. */
#include "base/status.h"
#include "checkpoint_support.h"
#include "model_support.h"
#include "optimizer/optimizer.h"
#include "teacher/teacher.h"

static tgr_checkpoint *make(tgr_context *context) {
    tgr_checkpoint *checkpoint = NULL;
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, context));
    return checkpoint;
}

/* Saves or loads parameters and bytes; either may be NULL. */
static tgr_status transfer(tgr_context *context, const char *path, int saving, const char *name,
                           tgr_parameters *parameters, void *bytes, uint64_t size) {
    tgr_checkpoint *checkpoint = make(context);
    if (parameters != NULL) assert_status(TGR_OK, tgr_checkpoint_add_parameters(checkpoint, name, parameters));
    if (bytes != NULL) assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, "bytes", bytes, size));
    tgr_status status = saving ? tgr_checkpoint_save(checkpoint, path) : tgr_checkpoint_load(checkpoint, path);
    tgr_checkpoint_free(checkpoint);
    return status;
}

static void test_every_bit_comes_back(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_parameters *saved = test_parameters(context, 1), *loaded = test_parameters(context, 2);
    char *path = test_file_create();
    /* Numbers that a detour by way of text or arithmetic would change. */
    static const uint32_t odd[] = {0x7FC12345, 0xFFC00001, 0x7F800001, 0x80000000, 0x00000001, 0x7F800000};
    memcpy(tgr_value(saved, 0), odd, sizeof odd);
    saved->seed = UINT64_MAX;
    saved->step = INT64_MAX;
    saved->micro = UINT32_MAX;
    assert_status(TGR_OK, transfer(context, path, 1, "weights", saved, NULL, 0));
    assert_status(TGR_OK, transfer(context, path, 0, "weights", loaded, NULL, 0));
    test_snapshot snapshot = test_snapshot_take(saved);
    assert_true(test_snapshot_equal(&snapshot, loaded));
    test_snapshot_free(&snapshot);

    saved->micro = 0; /* no gradients in the file then: they become zero */
    tgr_parameters_clear_gradients(saved);
    assert_status(TGR_OK, transfer(context, path, 1, "weights", saved, NULL, 0));
    assert_status(TGR_OK, transfer(context, path, 0, "weights", loaded, NULL, 0));
    snapshot = test_snapshot_take(saved);
    assert_true(test_snapshot_equal(&snapshot, loaded));
    test_snapshot_free(&snapshot);
    test_file_remove(path);
    tgr_parameters_release(saved);
    tgr_parameters_release(loaded);
    tgr_context_free(context);
}

/* Sizes around the borders of blocks; what shrinks and what does not. */
static void test_bytes_of_many_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 7, 8, 100, 65535, 65536, 65537, 131072, 200001, 1000000};
    tgr_context *context = test_context(1, 7);
    char *path = test_file_create();
    test_random random = test_random_start(5);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int kind = 0; kind < 3; kind++) {
            unsigned char *saved = calloc(sizes[i], 1), *loaded = calloc(sizes[i], 1);
            assert_true(saved != NULL && loaded != NULL);
            for (size_t k = 0; kind > 0 && k < sizes[i]; k++) /* noise; then noise with long runs */
                if (kind == 1 || k % 5000 < 300) saved[k] = (unsigned char)test_random_word(&random);
            assert_status(TGR_OK, transfer(context, path, 1, NULL, NULL, saved, sizes[i]));
            assert_status(TGR_OK, transfer(context, path, 0, NULL, NULL, loaded, sizes[i]));
            assert_same_bytes(loaded, saved, sizes[i]);
            free(saved);
            free(loaded);
        }
    }
    test_file_remove(path);
    tgr_context_free(context);
}

static void test_misfits_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_parameters *saved = test_parameters(context, 1), *other = NULL;
    unsigned char bytes[10] = "abcdefghi";
    char *path = test_file_create();
    int64_t index;
    assert_status(TGR_OK, transfer(context, path, 1, "weights", saved, bytes, sizeof bytes));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "lacks 'other.state'", transfer(context, path, 0, "other", saved, NULL, 0));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "'bytes' is u8 [10] in", transfer(context, path, 0, "", NULL, bytes, 9));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "and u8 [11] here", transfer(context, path, 0, "", NULL, bytes, 11));
    assert_string_equal((char *)bytes, "abcdefghi");

    assert_status(TGR_OK, tgr_parameters_create(&other, context));
    assert_status(TGR_OK, tgr_parameters_add(other, &index, "first.weight", 0, 2, (const int64_t[]){3, 2}));
    assert_status(TGR_OK, tgr_parameters_seal(other));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "'weights/first.weight' is f32 [2, 3] in",
                 transfer(context, path, 0, "weights", other, NULL, 0));
    tgr_parameters_release(other);
    assert_status(TGR_OK, tgr_parameters_create(&other, context));
    assert_status(TGR_OK, tgr_parameters_add(other, &index, "first.weight", 0, 2, (const int64_t[]){2, 3}));
    assert_status(TGR_OK, tgr_parameters_seal(other));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "has 'weights/mean', for which there is no place",
                 transfer(context, path, 0, "weights", other, NULL, 0));
    assert_close(*tgr_value(other, 0), 0, 0);
    tgr_parameters_release(other);

    tgr_checkpoint *checkpoint = make(context); /* what is not registered is skipped */
    assert_status(TGR_OK, tgr_checkpoint_load(checkpoint, path));
    tgr_checkpoint_free(checkpoint);
    test_file_remove(path);
    tgr_parameters_release(saved);
    tgr_context_free(context);
}

#define MODEL                                                                      \
    "image_size=8 patch_size=4 channels=1 classes=5 embed_dim=16 depth=3 heads=2 " \
    "lr=0.01 drop_path=0.2 mlp_ratio=2 layer_scale=0.1 total_steps=6 warmup_steps=2 "
#define SPARSE MODEL "experts=4 moe_blocks=2,3 top_k=2 guidance_end=0.7 "
enum { BATCH = 3, CLASSES = 5, PIXELS = 8 * 8 };

/* A student, its teacher, and what trains them. */
typedef struct training {
    tgr_context *context;
    tgr_model *backbone, *student;
    tgr_teacher *teacher;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_checkpoint *checkpoint;
    int64_t position; /* the host's own */
} training;

static void training_start(training *t, int threads, uint64_t seed, const char *options) {
    char dense[512], sparse[512];
    memset(t, 0, sizeof *t);
    snprintf(dense, sizeof dense, "%s%s", MODEL, "method=dense");
    snprintf(sparse, sizeof sparse, "%s%s", SPARSE, options);
    tgr_context *fixed = test_context(threads, 99); /* the backbone is the same whatever the seed */
    t->context = test_context(threads, seed);
    assert_status(TGR_OK, test_model_create(&t->backbone, fixed, dense));
    assert_status(TGR_OK, test_model_create(&t->student, t->context, sparse));
    const tgr_config *config = tgr_model_config(t->student);
    assert_status(TGR_OK, tgr_teacher_create(&t->teacher, t->backbone, t->student));
    assert_status(TGR_OK, tgr_loss_create(&t->loss, t->student, t->teacher));
    assert_status(TGR_OK, tgr_optimizer_create(&t->optimizer, config, test_model_parameters(t->student)));
    t->checkpoint = make(t->context);
    assert_status(TGR_OK, tgr_checkpoint_add_model(t->checkpoint, "model", t->student));
    assert_status(TGR_OK, tgr_checkpoint_add_teacher(t->checkpoint, "teacher", t->teacher));
    assert_status(TGR_OK, tgr_checkpoint_add_optimizer(t->checkpoint, "optimizer", t->optimizer));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(t->checkpoint, "position", &t->position, sizeof t->position));
    tgr_context_free(fixed);
}

static void training_end(training *t) {
    tgr_checkpoint_free(t->checkpoint);
    tgr_optimizer_free(t->optimizer);
    tgr_loss_free(t->loss);
    tgr_teacher_free(t->teacher);
    tgr_model_free(t->student);
    tgr_model_free(t->backbone);
    tgr_context_free(t->context);
}

/* Micro-batches until `position`; two make a step. */
static void train_until(training *t, int64_t position) {
    for (; t->position < position; t->position++) {
        float images[BATCH * PIXELS];
        int32_t labels[BATCH];
        double total;
        test_random random = test_random_start(1000 + (uint64_t)t->position);
        test_random_fill(&random, images, BATCH * PIXELS, -1, 1);
        for (int i = 0; i < BATCH; i++) labels[i] = (int32_t)test_random_integer(&random, 0, CLASSES - 1);
        assert_status(TGR_OK, tgr_model_forward(t->student, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_teacher_forward(t->teacher, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(t->loss, labels, &total));
        assert_status(TGR_OK, tgr_loss_backward(t->loss));
        if (t->position % 2 == 0) continue;
        assert_status(TGR_OK, tgr_optimizer_step(t->optimizer));
        assert_status(TGR_OK, tgr_teacher_step(t->teacher));
    }
}

/* What a further step would wash away. */
static void test_optimizer_comes_back(void **state) {
    (void)state;
    static const char *const kinds[] = {"method=tgr optimizer=adamw", "method=tgr optimizer=sgd"};
    char *path = test_file_create();
    for (int kind = 0; kind < 2; kind++) {
        training saved, loaded;
        double rate, norm, expected;
        training_start(&saved, 1, 7, kinds[kind]);
        training_start(&loaded, 1, 8, kinds[kind]);
        train_until(&saved, 4);
        train_until(&loaded, 2);
        assert_status(TGR_OK, tgr_optimizer_set_learning_rate(saved.optimizer, 0.123));
        assert_status(TGR_OK, tgr_checkpoint_save(saved.checkpoint, path));
        assert_status(TGR_OK, tgr_checkpoint_load(loaded.checkpoint, path));
        rate = tgr_optimizer_learning_rate(loaded.optimizer);
        assert_close(rate, 0.123, 0);
        expected = tgr_optimizer_gradient_norm(saved.optimizer);
        norm = tgr_optimizer_gradient_norm(loaded.optimizer);
        assert_close(norm, expected, 0);
        const size_t bytes = (size_t)saved.optimizer->parameters->floats * sizeof(float);
        assert_same_bytes(loaded.optimizer->first_moment, saved.optimizer->first_moment, bytes);
        if (kind == 0) assert_same_bytes(loaded.optimizer->second_moment, saved.optimizer->second_moment, bytes);
        training_end(&saved);
        training_end(&loaded);
    }
    test_file_remove(path);
}

static void check_resume(const char *options, int threads, int64_t saved_at) {
    training whole, first, second;
    char *end = test_file_create(), *middle = test_file_create(), *resumed = test_file_create();
    training_start(&whole, threads, 7, options);
    train_until(&whole, 10);
    assert_status(TGR_OK, tgr_checkpoint_save(whole.checkpoint, end));
    training_start(&first, threads, 7, options);
    train_until(&first, saved_at);
    assert_status(TGR_OK, tgr_checkpoint_save(first.checkpoint, middle));
    training_end(&first);
    training_start(&second, 3 - threads, 8, options); /* another seed and other threads: all must come from the file */
    train_until(&second, 1);
    assert_status(TGR_OK, tgr_checkpoint_load(second.checkpoint, middle));
    assert_int_equal(second.position, saved_at);
    train_until(&second, 10);
    assert_status(TGR_OK, tgr_checkpoint_save(second.checkpoint, resumed));
    test_file a = test_file_read(end), b = test_file_read(resumed);
    assert_int_equal(a.size, b.size);
    assert_same_bytes(b.bytes, a.bytes, a.size);
    free(a.bytes);
    free(b.bytes);
    training_end(&whole);
    training_end(&second);
    test_file_remove(end);
    test_file_remove(middle);
    test_file_remove(resumed);
}

static void test_resume_to_the_bit(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        for (int64_t saved_at = 0; saved_at <= 10; saved_at += 3) /* in the middle of a step, too */
            check_resume("method=tgr router_noise=1", threads, saved_at);
        check_resume("method=tgr optimizer=sgd teacher_router=frozen", threads, 5);
    }
}

static void test_other_trainings_are_refused(void **state) {
    (void)state;
    training saved, other;
    char *path = test_file_create();
    training_start(&saved, 1, 7, "method=tgr");
    train_until(&saved, 3);
    assert_status(TGR_OK, tgr_checkpoint_save(saved.checkpoint, path));
    static const struct {
        const char *options, *text;
    } cases[] = {{"method=tgr heads=4", "heads is 2 in"},          {"method=tgr classes=6", "classes is 5 in"},
                 {"method=tgr position_cls=0", "position_cls is"}, {"method=tgr mlp_ratio=3", "fc1.weight' is f32"},
                 {"method=tgr experts=5", "router.weight' is"},    {"method=tgr layer_scale=0", "ls1.gamma'"},
                 {"method=tgr moe_blocks=3", "is no place here"},  {"method=tgr optimizer=sgd", "state of adamw"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        training_start(&other, 1, 8, cases[i].options);
        test_snapshot snapshot = test_snapshot_take(test_model_parameters(other.student));
        assert_fails(TGR_ERROR_FILE_MISMATCH, cases[i].text, tgr_checkpoint_load(other.checkpoint, path));
        assert_true(test_snapshot_equal(&snapshot, test_model_parameters(other.student)));
        assert_int_equal(other.position, 0);
        test_snapshot_free(&snapshot);
        training_end(&other);
    }
    training_start(&other, 1, 8, "method=tgr lr=0.5 drop_path=0"); /* no shape depends on these */
    assert_status(TGR_OK, tgr_checkpoint_load(other.checkpoint, path));
    training_end(&other);
    training_end(&saved);
    test_file_remove(path);
}

static void test_other_backbone_is_refused(void **state) {
    (void)state;
    training t;
    tgr_teacher *teacher = NULL;
    tgr_model *backbone = NULL;
    char *path = test_file_create();
    training_start(&t, 1, 7, "method=tgr");
    assert_status(TGR_OK, tgr_checkpoint_save(t.checkpoint, path));
    assert_status(TGR_OK, test_model_create(&backbone, t.context, MODEL "method=dense")); /* of another seed */
    assert_status(TGR_OK, tgr_teacher_create(&teacher, backbone, t.student));
    tgr_checkpoint *checkpoint = make(t.context);
    assert_status(TGR_OK, tgr_checkpoint_add_teacher(checkpoint, "teacher", teacher));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "a different backbone", tgr_checkpoint_load(checkpoint, path));
    tgr_checkpoint_free(checkpoint);
    tgr_teacher_free(teacher);
    tgr_model_free(backbone);
    training_end(&t);
    test_file_remove(path);
}

static void test_model_from_file(void **state) {
    (void)state;
    training t;
    tgr_model *model = NULL;
    char *path = test_file_create(), *again = test_file_create();
    training_start(&t, 1, 7, "method=tgr");
    train_until(&t, 3);
    tgr_checkpoint *checkpoint = make(t.context);
    assert_status(TGR_OK, tgr_checkpoint_add_model(checkpoint, "model", t.student));
    assert_status(TGR_OK, tgr_checkpoint_save(checkpoint, path));
    tgr_checkpoint_free(checkpoint);

    tgr_context *context = test_context(1, 1234);
    assert_status(TGR_OK, tgr_model_load(&model, context, path, "model"));
    checkpoint = make(context);
    assert_status(TGR_OK, tgr_checkpoint_add_model(checkpoint, "model", model));
    assert_status(TGR_OK, tgr_checkpoint_save(checkpoint, again));
    test_file a = test_file_read(path), b = test_file_read(again);
    assert_int_equal(a.size, b.size);
    assert_same_bytes(b.bytes, a.bytes, a.size);
    tgr_model *const loaded = model;
    assert_fails(TGR_ERROR_FILE_MISMATCH, "no model 'student'", tgr_model_load(&model, context, path, "student"));
    assert_fails(TGR_ERROR_RANGE, "'name' is 'A'", tgr_model_load(&model, context, path, "A"));
    assert_ptr_equal(model, loaded);
    free(a.bytes);
    free(b.bytes);
    tgr_checkpoint_free(checkpoint);
    tgr_model_free(model);
    tgr_context_free(context);
    training_end(&t);
    test_file_remove(path);
    test_file_remove(again);
}

typedef struct listing {
    int count, stop_at;
    tgr_section sections[64];
} listing;

static int note(void *user, const tgr_section *section) {
    listing *list = user;
    assert_int_equal(section->struct_size, sizeof *section);
    list->sections[list->count++] = *section;
    return list->count == list->stop_at;
}

static void test_listing(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_parameters *parameters = test_parameters(context, 1);
    unsigned char bytes[1000] = {0};
    char *path = test_file_create();
    listing list = {0};
    assert_status(TGR_OK, transfer(context, path, 1, "weights", parameters, bytes, sizeof bytes));
    assert_status(TGR_OK, tgr_checkpoint_list(context, path, note, &list));
    static const char *const names[] = {"weights.state",
                                        "weights/first.weight",
                                        "weights/mean",
                                        "weights/last.weight",
                                        "weights.gradient/first.weight",
                                        "weights.gradient/last.weight",
                                        "bytes"};
    assert_int_equal(list.count, 7);
    for (int i = 0; i < 7; i++) assert_string_equal(list.sections[i].name, names[i]);
    const tgr_section *first = &list.sections[1], *last = &list.sections[6];
    assert_string_equal(first->type, "f32");
    assert_int_equal(first->ndim, 2);
    assert_int_equal(first->dims[0], 2);
    assert_int_equal(first->dims[1], 3);
    assert_int_equal(first->dims[2], 0);
    assert_int_equal(first->bytes, 24);
    assert_string_equal(list.sections[0].type, "u64");
    assert_string_equal(last->type, "u8");
    assert_int_equal(last->bytes, 1000);
    assert_true(last->stored_bytes < 100);
    list = (listing){.stop_at = 3};
    assert_status(TGR_OK, tgr_checkpoint_list(context, path, note, &list));
    assert_int_equal(list.count, 3);
    test_file_remove(path);
    tgr_parameters_release(parameters);
    tgr_context_free(context);
}

static void test_misuse(void **state) {
    (void)state;
    training t;
    training_start(&t, 1, 7, "method=tgr");
    tgr_context *context = t.context;
    tgr_checkpoint *checkpoint = make(context), *out = checkpoint;
    tgr_parameters *parameters = test_model_parameters(t.student);
    tgr_model *model = NULL;
    tgr_config *config = NULL;
    unsigned char bytes[4] = {0};
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_checkpoint_create(NULL, context));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_checkpoint_create(&out, NULL));
    assert_ptr_equal(out, checkpoint);
    tgr_checkpoint_free(NULL);

    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_add_model(NULL, "a", t.student));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_checkpoint_add_model(checkpoint, NULL, t.student));
    assert_fails(TGR_ERROR_ARGUMENT, "'model'", tgr_checkpoint_add_model(checkpoint, "a", NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_add_teacher(NULL, "a", t.teacher));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_checkpoint_add_teacher(checkpoint, NULL, t.teacher));
    assert_fails(TGR_ERROR_ARGUMENT, "'teacher'", tgr_checkpoint_add_teacher(checkpoint, "a", NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_add_optimizer(NULL, "a", t.optimizer));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_checkpoint_add_optimizer(checkpoint, NULL, t.optimizer));
    assert_fails(TGR_ERROR_ARGUMENT, "'optimizer'", tgr_checkpoint_add_optimizer(checkpoint, "a", NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_add_parameters(NULL, "a", parameters));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_checkpoint_add_parameters(checkpoint, NULL, parameters));
    assert_fails(TGR_ERROR_ARGUMENT, "'parameters'", tgr_checkpoint_add_parameters(checkpoint, "a", NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_add_bytes(NULL, "a", bytes, 4));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_checkpoint_add_bytes(checkpoint, NULL, bytes, 4));
    assert_fails(TGR_ERROR_ARGUMENT, "'bytes'", tgr_checkpoint_add_bytes(checkpoint, "a", NULL, 4));
    assert_fails(TGR_ERROR_RANGE, "'size' is 0", tgr_checkpoint_add_bytes(checkpoint, "a", bytes, 0));
    assert_fails(TGR_ERROR_RANGE, "'size'", tgr_checkpoint_add_bytes(checkpoint, "a", bytes, UINT64_MAX));

    static const char *const names[] = {"",    "A",   "a b",      "a/b",
                                        "a.b", "a-b", "\xC3\xA4", "01234567890123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_fails(TGR_ERROR_RANGE, "'name'", tgr_checkpoint_add_bytes(checkpoint, names[i], bytes, 4));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, names[7] + 1, bytes, 4));
    assert_fails(TGR_ERROR_ARGUMENT, "taken already", tgr_checkpoint_add_model(checkpoint, names[7] + 1, t.student));

    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_save(NULL, "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_checkpoint_save(checkpoint, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'checkpoint'", tgr_checkpoint_load(NULL, "x"));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_checkpoint_load(checkpoint, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_checkpoint_list(NULL, "x", note, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_checkpoint_list(context, NULL, note, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'each'", tgr_checkpoint_list(context, "x", NULL, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_model_load(NULL, context, "x", "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_model_load(&model, NULL, "x", "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_model_load(&model, context, NULL, "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_model_load(&model, context, "x", NULL));
    assert_fails(TGR_ERROR_FILE, "No such file", tgr_model_load(&model, context, "/nonexistent", "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_config_load(NULL, context, "x", "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_config_load(&config, NULL, "x", "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'path'", tgr_config_load(&config, context, NULL, "m"));
    assert_fails(TGR_ERROR_ARGUMENT, "'name'", tgr_config_load(&config, context, "x", NULL));
    assert_true(model == NULL && config == NULL);
    tgr_checkpoint_free(checkpoint);
    training_end(&t);
}

/* Objects live as long as their checkpoint, whatever the order in which handles are given up. */
static void test_objects_are_held(void **state) {
    (void)state;
    training t;
    char *path = test_file_create();
    training_start(&t, 1, 7, "method=tgr");
    tgr_context_free(t.context);
    tgr_optimizer_free(t.optimizer);
    tgr_loss_free(t.loss);
    tgr_teacher_free(t.teacher);
    tgr_model_free(t.student);
    tgr_model_free(t.backbone);
    assert_status(TGR_OK, tgr_checkpoint_save(t.checkpoint, path));
    assert_status(TGR_OK, tgr_checkpoint_load(t.checkpoint, path));
    tgr_checkpoint_free(t.checkpoint);
    test_file_remove(path);
}

typedef struct scarce {
    training *training;
    char *path;
} scarce;

static int ignore(void *user, const tgr_section *section) {
    (void)user;
    (void)section;
    return 0;
}

static tgr_status make_scarce(const tgr_allocator *allocator, const training *t, tgr_context **context,
                              tgr_checkpoint **checkpoint) {
    TGR_TRY(test_context_create(context, allocator));
    TGR_TRY(tgr_checkpoint_create(checkpoint, *context));
    TGR_TRY(tgr_checkpoint_add_model(*checkpoint, "model", t->student));
    TGR_TRY(tgr_checkpoint_add_teacher(*checkpoint, "teacher", t->teacher));
    return tgr_checkpoint_add_optimizer(*checkpoint, "optimizer", t->optimizer);
}

/* Saving with memory that runs out. */
static tgr_status save_scarce(const tgr_allocator *allocator, void *user) {
    const scarce *s = user;
    tgr_context *context = NULL;
    tgr_checkpoint *checkpoint = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(make_scarce(allocator, s->training, &context, &checkpoint));
    TGR_TRY_DONE(tgr_checkpoint_save(checkpoint, s->path));
done:
    tgr_checkpoint_free(checkpoint);
    tgr_context_free(context);
    return status;
}

/* And all kinds of reading; the weights stay as they are unless it succeeds. */
static tgr_status load_scarce(const tgr_allocator *allocator, void *user) {
    const scarce *s = user;
    tgr_context *context = NULL;
    tgr_checkpoint *checkpoint = NULL;
    tgr_config *config = NULL;
    tgr_model *model = NULL;
    tgr_status status = TGR_OK;
    tgr_parameters *parameters = test_model_parameters(s->training->student);
    parameters->step = 77; /* unlike the file's */
    test_snapshot before = test_snapshot_take(parameters);
    TGR_TRY_DONE(make_scarce(allocator, s->training, &context, &checkpoint));
    TGR_TRY_DONE(tgr_checkpoint_list(context, s->path, ignore, NULL));
    TGR_TRY_DONE(tgr_config_load(&config, context, s->path, "model"));
    TGR_TRY_DONE(tgr_model_load(&model, context, s->path, "model"));
    TGR_TRY_DONE(tgr_checkpoint_load(checkpoint, s->path));
done:
    assert_true(test_snapshot_equal(&before, parameters) == (status != TGR_OK));
    test_snapshot_free(&before);
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_checkpoint_free(checkpoint);
    tgr_context_free(context);
    return status;
}

static void test_every_allocation_fails(void **state) {
    (void)state;
    training t;
    scarce s = {.training = &t, .path = test_file_create()};
    training_start(&t, 1, 7, "method=tgr");
    train_until(&t, 3);
    assert_true(test_each_allocation_failing(save_scarce, &s) > 10);
    assert_true(test_each_allocation_failing(load_scarce, &s) > 50);
    training_end(&t);
    test_file_remove(s.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bit_comes_back),
        cmocka_unit_test(test_bytes_of_many_sizes),
        cmocka_unit_test(test_misfits_are_refused),
        cmocka_unit_test(test_optimizer_comes_back),
        cmocka_unit_test(test_resume_to_the_bit),
        cmocka_unit_test(test_other_trainings_are_refused),
        cmocka_unit_test(test_other_backbone_is_refused),
        cmocka_unit_test(test_model_from_file),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_objects_are_held),
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
