/* SPDX-License-Identifier: MIT */
/* A backbone that gets its weights late: from the same checkpoint as its teacher, or by an import after the teacher was
 * made. What a checkpoint says of the backbone is what it is when the file is written, and when it is loaded. */
#include "teacher_support.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/optimizer.h"

/* A run's handles, all in one checkpoint. */
typedef struct life {
    test_scene scene;
    tgr_checkpoint *all, *student_only; /* the second without the backbone */
} life;

static life begin(uint64_t backbone_seed) {
    life l = {.scene = test_scene_make(1, "", "teacher_cache_mb=1")};
    test_random random = test_random_start(backbone_seed);
    tgr_parameters *weights = test_model_parameters(l.scene.backbone);
    FOR(t, weights->tensor_count)
        test_random_fill(&random, tgr_value(weights, t), weights->tensors[t].count, -0.3, 0.3);
    for (int i = 0; i < 2; i++) {
        tgr_checkpoint **out = i ? &l.student_only : &l.all;
        assert_status(TGR_OK, tgr_checkpoint_create(out, l.scene.context));
        assert_status(TGR_OK, tgr_checkpoint_add_model(*out, "student", l.scene.student));
        assert_status(TGR_OK, tgr_checkpoint_add_teacher(*out, "teacher", l.scene.teacher));
    }
    assert_status(TGR_OK, tgr_checkpoint_add_model(l.all, "backbone", l.scene.backbone));
    return l;
}

static void end(life *l) {
    tgr_checkpoint_free(l->all);
    tgr_checkpoint_free(l->student_only);
    test_scene_free(&l->scene);
}

static void check_same_features(life *a, life *b) {
    static const int64_t ids[BATCH] = {0, 1, 2, 3, 4};
    for (int cached = 0; cached < 2; cached++) {
        for (int i = 0; i < 2; i++) {
            test_scene *s = i ? &b->scene : &a->scene;
            assert_status(TGR_OK, cached ? tgr_teacher_forward_cached(s->teacher, TGR_EVAL, s->images, ids, BATCH)
                                         : tgr_teacher_forward(s->teacher, TGR_EVAL, s->images, BATCH));
        }
        FOR(layer, LAYERS)
            assert_same_bytes(test_teacher_rows(b->scene.teacher, layer), test_teacher_rows(a->scene.teacher, layer),
                              sizeof(float) * BATCH * (1 + PATCHES) * EXPERTS);
    }
}

/* Backbone, student and teacher, into handles whose backbone is still another. */
static void test_one_file_for_all(void **state) {
    (void)state;
    char *path = test_file_create();
    life before = begin(1), after = begin(2);
    assert_status(TGR_OK, tgr_checkpoint_save(before.all, path));
    assert_status(TGR_OK, tgr_checkpoint_load(after.all, path));
    check_same_features(&before, &after);
    /* The backbone came last in the list; it may come first as well, or as parameters alone. */
    for (int first = 0; first < 2; first++) {
        life third = begin(3);
        tgr_checkpoint *checkpoint = NULL;
        assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, third.scene.context));
        if (first) assert_status(TGR_OK, tgr_checkpoint_add_model(checkpoint, "backbone", third.scene.backbone));
        assert_status(TGR_OK, tgr_checkpoint_add_teacher(checkpoint, "teacher", third.scene.teacher));
        if (!first) assert_status(TGR_OK, tgr_checkpoint_add_model(checkpoint, "backbone", third.scene.backbone));
        assert_status(TGR_OK, tgr_checkpoint_load(checkpoint, path));
        check_same_features(&before, &third);
        tgr_checkpoint_free(checkpoint);
        end(&third);
    }
    end(&before);
    end(&after);
    test_file_remove(path);
}

/* A file whose backbone is not the one that its teacher was trained with. */
static void test_backbone_in_the_file_is_another(void **state) {
    (void)state;
    char *path = test_file_create(), *other_path = test_file_create();
    life one = begin(1), other = begin(2);
    tgr_checkpoint *mixed = NULL;
    assert_status(TGR_OK, tgr_checkpoint_save(one.all, path));
    /* The teacher of one with the backbone of the other, under the names of the first file. */
    assert_status(TGR_OK, tgr_checkpoint_create(&mixed, one.scene.context));
    assert_status(TGR_OK, tgr_checkpoint_add_model(mixed, "student", one.scene.student));
    assert_status(TGR_OK, tgr_checkpoint_add_teacher(mixed, "teacher", one.scene.teacher));
    assert_status(TGR_OK, tgr_checkpoint_add_model(mixed, "backbone", other.scene.backbone));
    assert_status(TGR_OK, tgr_checkpoint_save(mixed, other_path));
    const tgr_parameters *weights = test_model_parameters(other.scene.backbone);
    float *kept = malloc((size_t)weights->floats * sizeof *kept);
    assert_non_null(kept);
    memcpy(kept, weights->values, (size_t)weights->floats * sizeof *kept);
    assert_fails(TGR_ERROR_FILE_MISMATCH, "different backbone", tgr_checkpoint_load(other.all, other_path));
    assert_same_bytes(weights->values, kept, (size_t)weights->floats * sizeof *kept);
    assert_fails(TGR_ERROR_FILE_MISMATCH, "different backbone", tgr_checkpoint_load(other.student_only, path));
    assert_status(TGR_OK, tgr_checkpoint_load(other.all, path));
    assert_status(TGR_OK, tgr_checkpoint_load(other.student_only, path));
    free(kept);
    tgr_checkpoint_free(mixed);
    end(&one);
    end(&other);
    test_file_remove(path);
    test_file_remove(other_path);
}

/* Weights that come after the teacher: in place, or loaded. The file tells of those, and the cache has none of before.
 */
static void test_weights_after_the_teacher(void **state) {
    (void)state;
    char *path = test_file_create(), *weights_path = test_file_create();
    life trained = begin(1), late = begin(2), never = begin(2);
    tgr_checkpoint *weights[2] = {NULL};
    life *const lives[] = {&trained, &late};
    for (int i = 0; i < 2; i++) {
        assert_status(TGR_OK, tgr_checkpoint_create(&weights[i], lives[i]->scene.context));
        assert_status(TGR_OK, tgr_checkpoint_add_parameters(weights[i], "weights",
                                                            test_model_parameters(lives[i]->scene.backbone)));
    }
    assert_status(TGR_OK, tgr_checkpoint_save(weights[0], weights_path));
    assert_status(TGR_OK, tgr_checkpoint_save(trained.student_only, path));
    check_same_features(&late, &never); /* fills the cache with features of the first weights */
    assert_status(TGR_OK, tgr_checkpoint_load(weights[1], weights_path));
    check_same_features(&trained, &late);
    assert_status(TGR_OK, tgr_checkpoint_save(late.student_only, path));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "different backbone", tgr_checkpoint_load(never.student_only, path));
    assert_status(TGR_OK, tgr_checkpoint_load(trained.student_only, path));
    for (int i = 0; i < 2; i++) tgr_checkpoint_free(weights[i]);
    end(&trained);
    end(&late);
    end(&never);
    test_file_remove(path);
    test_file_remove(weights_path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file_for_all),
        cmocka_unit_test(test_backbone_in_the_file_is_another),
        cmocka_unit_test(test_weights_after_the_teacher),
    };
    return cmocka_run_group_tests_name("host_backbone", tests, NULL, NULL);
}
