/* SPDX-License-Identifier: MIT */
/* The conditions that every method's decisions are asserted to meet: each of them fails when its field is altered. */
#include "layer_support.h"
#include "routing/handles/standalone.h"
#include "routing/inside.h"
#include "routing/sound.h"

enum { TOKENS = 12, DIM = 6 };

static int choices_are_sound(const tgr_moe *moe) {
    const tgr_moe_layer *layer = moe->inside.layer;
    return tgr_choices_are_sound(&layer->router, &layer->pass, &layer->routing.choices);
}

static int slots_are_sound(const tgr_moe *moe) {
    const tgr_moe_layer *layer = moe->inside.layer;
    return tgr_slots_are_sound(&layer->router, &layer->pass, &layer->routing.choices, &layer->routing.slots);
}

/* A layer after a pass. */
static test_layer start(const char *options) {
    test_layer layer = test_layer_start(options, TOKENS, 0, DIM, 1, 3);
    assert_status(TGR_OK, tgr_moe_forward(layer.moe, TGR_TRAIN, layer.x, TOKENS, layer.y));
    assert_true(choices_are_sound(layer.moe) && slots_are_sound(layer.moe));
    return layer;
}

/* `field` is sound as it is, and not one higher. */
#define assert_noticed(field, sound, moe) \
    do {                                  \
        (field)++;                        \
        assert_false(sound(moe));         \
        (field)--;                        \
        assert_true(sound(moe));          \
    } while (0)

static void test_altered_choices_are_noticed(void **state) {
    (void)state;
    test_layer layer = start("method=vmoe experts=4 top_k=2 router_noise=0");
    int32_t *experts = layer.moe->inside.layer->routing.choices.experts, before = experts[5];
    const int32_t wrong[] = {-1, 4, experts[4]}; /* the last is the token's other expert */
    for (int i = 0; i < 3; i++) {
        experts[5] = wrong[i];
        assert_false(choices_are_sound(layer.moe));
    }
    experts[5] = before;
    assert_true(choices_are_sound(layer.moe));
    test_layer_end(&layer);
}

static void test_altered_slots_are_noticed(void **state) {
    (void)state;
    test_layer layer = start("method=vmoe experts=4 top_k=2 capacity_factor=0.5 router_noise=0");
    tgr_slots *slots = &layer.moe->inside.layer->routing.slots;
    assert_noticed(slots->count, slots_are_sound, layer.moe);
    FOR(e, 4) assert_noticed(slots->load[e], slots_are_sound, layer.moe);
    FOR(e, 5) assert_noticed(slots->first_slot[e], slots_are_sound, layer.moe);
    FOR(slot, slots->count) assert_noticed(slots->token_of_slot[slot], slots_are_sound, layer.moe);
    FOR(choice, 2 * TOKENS) {
        assert_noticed(slots->slot_of_choice[choice], slots_are_sound, layer.moe);
        slots->kept[choice] ^= 1;
        assert_false(slots_are_sound(layer.moe));
        slots->kept[choice] ^= 1;
    }
    test_layer_end(&layer);
}

static void test_altered_slots_of_tokens_are_noticed(void **state) {
    (void)state;
    test_layer layer = start("method=dense-train experts=4 top_k=2");
    tgr_slots *slots = &layer.moe->inside.layer->routing.slots;
    assert_int_equal(slots->count, 4 * TOKENS);
    FOR(t, TOKENS + 1) assert_noticed(slots->first_slot_of_token[t], slots_are_sound, layer.moe);
    FOR(i, slots->count) assert_noticed(slots->slots_of_token[i], slots_are_sound, layer.moe);
    test_layer_end(&layer);
}

static void test_slots_of_mixtures_are_cut_by_expert(void **state) {
    (void)state;
    test_layer layer = start("method=soft experts=4 soft_slots=2");
    tgr_slots *slots = &layer.moe->inside.layer->routing.slots;
    FOR(e, 5) assert_noticed(slots->first_slot[e], slots_are_sound, layer.moe);
    test_layer_end(&layer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_altered_choices_are_noticed),
        cmocka_unit_test(test_altered_slots_are_noticed),
        cmocka_unit_test(test_altered_slots_of_tokens_are_noticed),
        cmocka_unit_test(test_slots_of_mixtures_are_cut_by_expert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
