/* SPDX-License-Identifier: MIT */
/* Checkpoints whose record of the run is not that of any run: refused before anything is done with it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "models/part.h"
#include "run/open.h"
#include "support.h"

enum { SIZE = 8, TRAIN = 12, TEST = 6, PATH_SIZE = 512 };
static char folder[PATH_SIZE], saved[2 * PATH_SIZE];

static void write_idx(const char *name, int dimensions, int count, int classes) {
    char path[2 * PATH_SIZE];
    const int dims[3] = {count, SIZE, SIZE};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    const unsigned char magic[4] = {0, 0, 8, (unsigned char)dimensions};
    assert_int_equal(fwrite(magic, 1, 4, file), 4);
    for (int i = 0; i < dimensions; i++) {
        const unsigned char dim[4] = {0, 0, 0, (unsigned char)dims[i]};
        assert_int_equal(fwrite(dim, 1, 4, file), 4);
    }
    for (int i = 0; i < (dimensions == 3 ? count * SIZE * SIZE : count); i++) fputc(i % classes, file);
    assert_int_equal(fclose(file), 0);
}

/* Images with labels below `classes`. */
static void write_data(int classes) {
    write_idx("train-images-idx3-ubyte", 3, TRAIN, 251);
    write_idx("train-labels-idx1-ubyte", 1, TRAIN, classes);
    write_idx("t10k-images-idx3-ubyte", 3, TEST, 251);
    write_idx("t10k-labels-idx1-ubyte", 1, TEST, classes);
}

/* The words of a command line, which stay where they are. */
static tool_arguments parse(char line[4 * PATH_SIZE]) {
    static char *words[64];
    tool_arguments arguments;
    int count = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) words[count++] = word;
    assert_int_equal(arguments_parse(&arguments, COMMAND_TRAIN, count, words), 0);
    return arguments;
}

static tool_arguments train_arguments(void) {
    static char line[4 * PATH_SIZE];
    snprintf(line, sizeof line,
             "train --data %s --method vmoe --steps 1 --batch 2 --threads 1 --set preset=none --set patch_size=4 "
             "--set embed_dim=8 --set heads=1 --set depth=1 --set moe_blocks=1 --set experts=2",
             folder);
    return parse(line);
}

static tool_arguments resume_arguments(void) {
    static char line[4 * PATH_SIZE];
    snprintf(line, sizeof line, "train --data %s --resume %s --steps 3 --threads 1", folder, saved);
    return parse(line);
}

/* A checkpoint of a run that is about to begin, except its record. */
static void save_with(run_state state) {
    const tool_arguments arguments = train_arguments();
    tool_run run;
    tgr_checkpoint *file = NULL;
    assert_int_equal(run_open(&run, &arguments), 0);
    assert_status(TGR_OK, tgr_checkpoint_create(&file, run.context));
    assert_status(TGR_OK, tgr_checkpoint_add_model(file, PART_MODEL, run.model));
    assert_status(TGR_OK, tgr_checkpoint_add_optimizer(file, PART_OPTIMIZER, run.optimizer));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(file, PART_RUN, &state, sizeof state));
    assert_status(TGR_OK, tgr_checkpoint_save(file, saved));
    tgr_checkpoint_free(file);
    run_close(&run);
}

static run_state sound_state(void) {
    const tool_arguments arguments = train_arguments();
    tool_run run;
    if (run_open(&run, &arguments) != 0) fail_msg("%s", failure_message());
    const run_state state = run.state;
    run_close(&run);
    return state;
}

/* NULL: it opens. */
static void check(const char *wanted) {
    const tool_arguments arguments = resume_arguments();
    tool_run run;
    const int result = run_open(&run, &arguments);
    if (!wanted && result != 0) fail_msg("%s", failure_message());
    if (wanted && result == 0) fail_msg("it opened: no '%s'", wanted);
    if (wanted && !strstr(failure_message(), wanted)) fail_msg("no '%s' in: %s", wanted, failure_message());
    run_close(&run);
}

static void test_each_number_is_checked(void **state) {
    (void)state;
    run_state sound = sound_state(), s;
    save_with(sound);
    check(NULL);
    static const int64_t probes[] = {0, -1, TEST + 1, INT64_MAX};
    for (int i = 0; i < 4; i++) save_with((s = sound, s.probe = probes[i], s)), check("its probe has");
    static const double deviations[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 4; i++)
        save_with((s = sound, s.deviation[0] = deviations[i], s)), check("mean and std for channel 0");
    save_with((s = sound, s.mean[0] = NAN, s));
    check("mean and std for channel 0");
    save_with((s = sound, s.batch = INT64_C(1) << 40, s));
    check("its batch has");
    save_with((s = sound, s.probe_runs = INT64_C(1) << 50, s));
    check("its routing has");
    save_with((s = sound, s.images = TRAIN + 1, s));
    check("images");
}

/* Mixup writes a row of as many numbers as the model has classes. */
static void test_labels_are_those_of_the_model(void **state) {
    (void)state;
    write_data(2);
    run_state sound = sound_state();
    save_with(sound);
    write_data(4);
    check("it must be 0 to 1");
    write_data(2);
    check(NULL);
}

static int start(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s/tgrmoe-crafted-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(folder)) return -1;
    snprintf(saved, sizeof saved, "%s/run.tgr", folder);
    write_data(2);
    return 0;
}

static int finish(void **state) {
    (void)state;
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_number_is_checked, start, finish),
        cmocka_unit_test_setup_teardown(test_labels_are_those_of_the_model, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
