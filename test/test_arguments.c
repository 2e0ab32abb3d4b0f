/* SPDX-License-Identifier: MIT */
/* The tool's table of flags, in every use of it: parsing, unset values, copying for another command, writing, help. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "failure.h"

enum { WORDS_MOST = 64 };

/* Parses a command line, which is split at its spaces. */
static int parse(tool_arguments *out, tool_command command, const char *line) {
    static char text[1024];
    char *words[WORDS_MOST] = {0};
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word && count < WORDS_MOST - 1; word = strtok(NULL, " "))
        words[count++] = word;
    return arguments_parse(out, command, count, words);
}

static void assert_written(const tool_arguments *arguments, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    arguments_write(to, arguments);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(text, expected);
    free(text);
}

/* Every flag that takes a number has its member among these. */
static void test_what_is_not_given_is_unset(void **state) {
    tool_arguments given;
    (void)state;
    memset(&given, 0x55, sizeof given);
    assert_int_equal(parse(&given, COMMAND_TRAIN, "train"), 0);
    const int64_t numbers[] = {given.readers, given.epochs,  given.steps, given.limit, given.batch,
                               given.seed,    given.threads, given.probe, given.seeds, given.save_every};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) assert_int_equal(numbers[i], UNSET);
    assert_true(!given.data && !given.deviation && !given.svg && !given.no_shuffle && !given.help);
    assert_true(given.setting_count == 0 && given.file_count == 0);
    assert_int_equal(arguments_threads(&given), 0);
    assert_written(&given, "");
}

static void test_flags_are_parsed(void **state) {
    tool_arguments given;
    (void)state;
    assert_int_equal(
        parse(&given, COMMAND_TRAIN, "train --std 0.5 --no-shuffle --lr 1 --set depth=2 --lr 2 --seed 0 one two"), 0);
    assert_string_equal(arguments_text(&given, "std"), "0.5");
    assert_null(arguments_text(&given, "mean"));
    assert_null(arguments_text(&given, "seed")); /* is no text */
    assert_true(given.no_shuffle == 1 && given.seed == 0 && given.file_count == 2);
    assert_string_equal(arguments_setting(&given, "lr"), "2");
    assert_string_equal(arguments_setting(&given, "depth"), "2");
    static const char *const wrong[] = {"train --seeds 3",      "train --seed -1",   "train --epochs 0", "train --seed",
                                        "train --no-shuffle=1", "train --set depth", "train --set =2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse(&given, COMMAND_TRAIN, wrong[i]) != USAGE) fail_msg("'%s' was parsed", wrong[i]);
    }
}

/* Finished runs of a comparison are known by this line, so it must not change. */
static void test_what_decides_the_outcome_is_written_in_its_order(void **state) {
    tool_arguments given;
    (void)state;
    assert_int_equal(parse(&given, COMMAND_TRAIN,
                           "train --init i --teacher t --cutmix 6 --mixup 5 --erase 4 --color-jitter 3 --randaugment r "
                           "--augment a --no-shuffle --skip-damaged --held-out 0.2 --interpolation bicubic --crop 0.8 "
                           "--std 0.2 --mean 0.1 --probe 4 --seed 3 --batch 2 --epochs 1 --limit 9 --labels 0-1 "
                           "--dataset idx --data d --threads 7 --readers 8 --save s --json j --lr 0.5 --set depth=2"),
                     0);
    assert_written(
        &given,
        " --data d --dataset idx --labels 0-1 --limit 9 --epochs 1 --batch 2 --seed 3 --probe 4 --mean 0.1 "
        "--std 0.2 --crop 0.8 --interpolation bicubic --held-out 0.2 --skip-damaged --no-shuffle --augment a "
        "--randaugment r --color-jitter 3 --erase 4 --mixup 5 --cutmix 6 --teacher t --init i --set lr=0.5 "
        "--set depth=2");
}

static void test_another_command_takes_the_flags_that_it_has(void **state) {
    tool_arguments given, taken;
    (void)state;
    assert_int_equal(parse(&given, COMMAND_COMPARE,
                           "compare --data d --out o --epochs 2 --seeds 4 --seed 5 --methods a --ablation b --lr 1"),
                     0);
    assert_true(given.seeds == 4 && given.out && given.methods && given.ablation);
    arguments_take(&taken, COMMAND_TRAIN, &given);
    assert_true(taken.seeds == UNSET && !taken.out && !taken.methods && !taken.ablation);
    assert_true(taken.epochs == 2 && taken.seed == 5);
    assert_string_equal(taken.data, "d");
    assert_string_equal(arguments_setting(&taken, "lr"), "1");
}

static void test_help_lists_the_flags_of_a_command(void **state) {
    static const tool_command all[] = {COMMAND_TRAIN, COMMAND_INFO, COMMAND_REPORT, COMMAND_OPTIONS};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);
        assert_non_null(to);
        arguments_help(to, all[i]);
        assert_int_equal(fclose(to), 0);
        assert_non_null(strstr(text, "--help"));
        assert_true(!strstr(text, "--svg") == (all[i] != COMMAND_REPORT));
        assert_true(!strstr(text, "--save-every") == (all[i] != COMMAND_TRAIN));
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_given_is_unset),
        cmocka_unit_test(test_flags_are_parsed),
        cmocka_unit_test(test_what_decides_the_outcome_is_written_in_its_order),
        cmocka_unit_test(test_another_command_takes_the_flags_that_it_has),
        cmocka_unit_test(test_help_lists_the_flags_of_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
