/* SPDX-License-Identifier: MIT */
/* Every struct that crosses the border (docs/abi.md): its own size comes first, it ends without padding that a later
 * field could fall into, and callers of other versions get what they can hold and no byte more. */
#include "exchange_support.h"
#include "tgrmoe/tgrmoe.h"

typedef struct scene {
    tgr_context *context;
    tgr_config *config;
    tgr_model *model;
    tgr_parameters *parameters;
    const tgr_routing *routing;
    tgr_probe *probe;
    tgr_teacher_router *router;
    tgr_loss *loss;
    tgr_safetensors *file;
    float *images;
    char *path;
} scene;

enum { IMAGES = 2 };
static const int32_t labels[IMAGES] = {0, 1};
static const float features[4] = {1, 2, 3, 4};

static scene scene_make(void) {
    scene s = {.context = test_context(1, 3), .path = test_file_create()};
    s.model = test_model(s.context, "preset=fashion method=vmoe depth=2 moe_blocks=2 embed_dim=8 heads=2 experts=3");
    s.parameters = tgr_model_parameters(s.model);
    s.images = test_images(s.model, IMAGES, 5);
    assert_status(TGR_OK, tgr_config_create(&s.config, s.context));
    assert_status(TGR_OK, tgr_model_forward(s.model, TGR_EVAL, s.images, IMAGES));
    assert_status(TGR_OK, tgr_model_routing(s.model, 0, &s.routing));
    assert_status(TGR_OK, tgr_probe_create(&s.probe, s.model, s.images, IMAGES, IMAGES));
    assert_status(TGR_OK, tgr_probe_run(s.probe));
    assert_status(TGR_OK, tgr_teacher_router_create(&s.router, s.context, s.config, 2, 3));
    assert_status(TGR_OK, tgr_teacher_router_forward(s.router, features, 2, NULL));
    assert_status(TGR_OK, tgr_loss_create(&s.loss, s.model, NULL));
    assert_status(TGR_OK, tgr_model_export(s.model, s.path, NULL));
    s.file = test_open(s.context, s.path);
    return s;
}

static void scene_free(scene *s) {
    tgr_safetensors_close(s->file);
    tgr_loss_free(s->loss);
    tgr_teacher_router_free(s->router);
    tgr_probe_free(s->probe);
    tgr_config_free(s->config);
    free(s->images);
    test_file_remove(s->path);
    tgr_model_free(s->model);
    tgr_context_free(s->context);
}

/* A caller's struct, with room for what a newer one may have. */
typedef union their_struct {
    size_t struct_size;
    double aligned;
    unsigned char bytes[4200];
} their_struct;

/* What the library fills in. */
static tgr_status describe_option(scene *s, void *theirs) {
    (void)s;
    return tgr_option_describe(TGR_OPTION_METHOD, theirs);
}
static tgr_status describe_method(scene *s, void *theirs) {
    (void)s;
    return tgr_method_describe(TGR_METHOD_VMOE, theirs);
}
static tgr_status describe_parameter(scene *s, void *theirs) {
    return tgr_parameters_describe(s->parameters, 1, theirs);
}
static tgr_status describe_model(scene *s, void *theirs) {
    return tgr_model_describe(s->model, theirs);
}
static tgr_status describe_probe(scene *s, void *theirs) {
    return tgr_probe_describe(s->probe, theirs);
}
static tgr_status read_routing(scene *s, void *theirs) {
    return tgr_routing_read(s->routing, theirs);
}
static tgr_status measure_routing(scene *s, void *theirs) {
    return tgr_measure_routing(s->routing, theirs);
}
static tgr_status measure_probe(scene *s, void *theirs) {
    return tgr_probe_measure(s->probe, 0, 0, theirs);
}
static tgr_status measure_router(scene *s, void *theirs) {
    return tgr_teacher_router_measure(s->router, theirs);
}
static tgr_status read_entry(scene *s, void *theirs) {
    return tgr_safetensors_entry_at(s->file, 0, theirs);
}

/* What it reads. */
static void run_tasks(void *user, int64_t tasks, tgr_task_fn fn, void *job) {
    (void)user;
    for (int64_t task = 0; task < tasks; task++) fn(job, task, 0);
}
static tgr_status give_executor(scene *s, void *theirs) {
    tgr_executor *executor = theirs;
    tgr_pool *pool = NULL;
    (void)s;
    executor->workers = 1;
    executor->run = run_tasks;
    tgr_status status = tgr_pool_create_from_executor(&pool, executor);
    tgr_pool_free(pool);
    return status;
}
static tgr_status give_allocator(scene *s, void *theirs) {
    test_allocator memory;
    tgr_allocator *allocator = theirs;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .allocator = allocator};
    tgr_context *context = NULL;
    (void)s;
    test_allocator_start(&memory, -1);
    allocator->user = memory.allocator.user;
    allocator->allocate = memory.allocator.allocate;
    allocator->release = memory.allocator.release;
    tgr_status status = tgr_context_create(&context, &options);
    tgr_context_free(context);
    return status;
}
static tgr_status give_context_options(scene *s, void *theirs) {
    tgr_context *context = NULL;
    (void)s;
    tgr_status status = tgr_context_create(&context, theirs);
    tgr_context_free(context);
    return status;
}
static tgr_status give_import_options(scene *s, void *theirs) {
    return tgr_model_import(s->model, s->file, theirs);
}
static tgr_status give_export_options(scene *s, void *theirs) {
    return tgr_model_export(s->model, "/dev/null/x", theirs) == TGR_ERROR_FILE ? TGR_OK : TGR_ERROR_RANGE;
}
static tgr_status give_batch(scene *s, void *theirs) {
    tgr_batch *batch = theirs;
    batch->count = IMAGES;
    batch->images = s->images;
    batch->labels = labels;
    return tgr_loss_accumulate(s->loss, batch, NULL);
}

/* X(struct, last field, first field that may be missing: the first release's structs may not miss any). */
typedef struct struct_case {
    const char *name;
    size_t size, end; /* of its last field */
    int output;
    size_t least; /* the shortest struct that is taken */
    tgr_status (*call)(scene *s, void *theirs);
} struct_case;

#define END(type, last) (offsetof(type, last) + sizeof((type){0}.last))
#define OUTPUT(type, last, call) \
    { #type, sizeof(type), END(type, last), 1, sizeof(type), call }
#define INPUT(type, last, call) \
    { #type, sizeof(type), END(type, last), 0, sizeof(type), call }
static const struct_case cases[] = {
    OUTPUT(tgr_option_description, help, describe_option),
    OUTPUT(tgr_method_description, source, describe_method),
    OUTPUT(tgr_parameter_description, decayed, describe_parameter),
    OUTPUT(tgr_model_description, active_parameters, describe_model),
    OUTPUT(tgr_probe_description, top_k, describe_probe),
    OUTPUT(tgr_routing_view, load, read_routing),
    OUTPUT(tgr_routing_measures, dead, measure_routing),
    OUTPUT(tgr_routing_measures, dead, measure_probe),
    OUTPUT(tgr_teacher_measures, entropy, measure_router),
    OUTPUT(tgr_safetensors_entry, bytes, read_entry),
    INPUT(tgr_executor, run, give_executor),
    INPUT(tgr_allocator, release, give_allocator),
    INPUT(tgr_import_options, ignore_unknown, give_import_options),
    INPUT(tgr_export_options, text_count, give_export_options),
    INPUT(tgr_batch, ids, give_batch),
    /* All of its fields may stay zero, so all may be missing. */
    {"tgr_context_options", sizeof(tgr_context_options), END(tgr_context_options, seed), 0, sizeof(size_t),
     give_context_options},
};
enum { CASES = sizeof cases / sizeof *cases };

static void test_sizes_come_first_and_padding_never_last(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        if (cases[i].end != cases[i].size) fail_msg("%s ends with padding", cases[i].name);
        assert_true(cases[i].size <= 4096);
    }
    assert_int_equal(END(tgr_section, stored_bytes), sizeof(tgr_section));
}

static void test_a_size_that_cannot_be_is_refused(void **state) {
    (void)state;
    scene s = scene_make();
    for (int i = 0; i < CASES; i++) {
        const struct_case *c = &cases[i];
        const size_t wrong[] = {0, 4, c->least - 8, c->size + 1, c->size - 1, 4104, SIZE_MAX, SIZE_MAX - 7};
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            their_struct theirs = {.bytes = {0}}, before;
            memset(theirs.bytes, c->output ? 0x5a : 0, sizeof theirs);
            theirs.struct_size = wrong[k];
            before = theirs;
            print_message("%s of %zu bytes\n", c->name, wrong[k]);
            const tgr_status status = c->call(&s, &theirs);
            assert_int_equal(status, TGR_ERROR_RANGE);
            if (strstr(tgr_last_error(), "struct_size") == NULL) fail_msg("%s", tgr_last_error());
            if (c->output) assert_same_bytes(&theirs, &before, sizeof theirs);
        }
    }
    scene_free(&s);
}

/* What a newer caller has beyond what the library knows stays as it is. */
static void test_the_library_writes_no_byte_more(void **state) {
    (void)state;
    scene s = scene_make();
    for (int i = 0; i < CASES; i++) {
        const struct_case *c = &cases[i];
        if (!c->output) continue;
        their_struct same, newer, again;
        memset(&same, 0x5a, sizeof same);
        same.struct_size = c->size;
        assert_status(TGR_OK, c->call(&s, &same));
        assert_int_equal(same.struct_size, c->size);
        memset(&again, 0xa5, sizeof again);
        again.struct_size = c->size;
        assert_status(TGR_OK, c->call(&s, &again));
        for (size_t at = c->size; at < sizeof same; at++) assert_int_equal(same.bytes[at], 0x5a);
        memset(&newer, 0x5a, sizeof newer);
        newer.struct_size = c->size + 64;
        assert_status(TGR_OK, c->call(&s, &newer));
        assert_int_equal(newer.struct_size, c->size + 64);
        assert_same_bytes(newer.bytes + sizeof(size_t), same.bytes + sizeof(size_t), sizeof same - sizeof(size_t));
    }
    scene_free(&s);
}

/* A newer caller that asks for nothing new is served, one that does is told. */
static void test_unknown_fields_must_be_zero(void **state) {
    (void)state;
    scene s = scene_make();
    for (int i = 0; i < CASES; i++) {
        const struct_case *c = &cases[i];
        if (c->output) continue;
        their_struct theirs = {.bytes = {0}};
        theirs.struct_size = c->size;
        assert_status(TGR_OK, c->call(&s, &theirs));
        theirs.struct_size = c->size + 64;
        assert_status(TGR_OK, c->call(&s, &theirs));
        theirs.bytes[c->size + 63] = 1;
        print_message("%s with a field that the library does not know\n", c->name);
        const tgr_status status = c->call(&s, &theirs);
        assert_true(status != TGR_OK);
        if (strstr(tgr_last_error(), "sets a field at byte") == NULL) fail_msg("%s", tgr_last_error());
    }
    scene_free(&s);
}

static int note_size(void *user, const tgr_section *section) {
    *(size_t *)user = section->struct_size;
    return 1;
}

/* Where the library calls, the size is its own. */
static void test_a_callback_gets_the_library_s_size(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 0);
    tgr_checkpoint *checkpoint = NULL;
    char *path = test_file_create(), byte = 0;
    size_t size = 0;
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, context));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, "byte", &byte, 1));
    assert_status(TGR_OK, tgr_checkpoint_save(checkpoint, path));
    assert_status(TGR_OK, tgr_checkpoint_list(context, path, note_size, &size));
    assert_int_equal(size, sizeof(tgr_section));
    tgr_checkpoint_free(checkpoint);
    test_file_remove(path);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_come_first_and_padding_never_last),
        cmocka_unit_test(test_a_size_that_cannot_be_is_refused),
        cmocka_unit_test(test_the_library_writes_no_byte_more),
        cmocka_unit_test(test_unknown_fields_must_be_zero),
        cmocka_unit_test(test_a_callback_gets_the_library_s_size),
    };
    return cmocka_run_group_tests_name("structs", tests, NULL, NULL);
}
