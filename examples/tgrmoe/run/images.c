/* SPDX-License-Identifier: MIT */
/* From flags, or from files of models. */
#include "run/images.h"

#include <stdio.h>
#include <string.h>

#include "data/load.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/saved_preprocessing.h"

int dataset_from_flags(dataset *data, const tool_arguments *arguments, int train, const char *trained) {
    int result = 0;
    int64_t first = 0, last = 0;
    name_list names = {0};
    folder_options how = {
        .held_out = FOLDER_HELD_OUT, .skip_damaged = arguments->skip_damaged, .threads = arguments_readers(arguments)};
    if (arguments->held_out) {
        TRY(arguments_numbers("held-out", arguments->held_out, 1, &how.held_out));
        if (!(how.held_out > 0 && how.held_out < 1)) {
            TRY(fail_usage("--held-out is %s; it must be above 0 and below 1", arguments->held_out));
        }
    }
    if (arguments->labels) TRY(arguments_labels(arguments->labels, &first, &last));
    if (trained) TRY(class_names_load(&names, trained));
    if (names.count > 0) how.classes = &names;
    TRY(dataset_load(data, arguments->data, arguments->dataset, train, &how));
    if (arguments->labels) TRY(dataset_keep_labels(data, first, last));
done:
    name_list_free(&names);
    return result;
}

/* Two models that learned from images prepared otherwise cannot both be right about one image. */
static int compare_teacher(const preprocessing *how, const tool_arguments *arguments) {
    int result = 0;
    preprocessing others;
    preprocessing_text own[PREPROCESSING_TEXTS], theirs[PREPROCESSING_TEXTS];
    if (!arguments->teacher) goto done;
    TRY(model_file_preprocessing(&others, arguments->teacher, arguments));
    preprocessing_write(how, own);
    preprocessing_write(&others, theirs);
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        if (theirs[i].assumed || strcmp(own[i].text, theirs[i].text) == 0) continue;
        fprintf(stderr, "--teacher %s: learned from images of %s %s; here it sees them with %s\n", arguments->teacher,
                theirs[i].key, theirs[i].text, own[i].text);
    }
done:
    return result;
}

int run_find_preprocessing(tool_run *run) {
    int result = 0;
    const tool_arguments *arguments = run->arguments;
    const char *source = arguments->init ? arguments->init : arguments->teacher;
    preprocessing *how = &run->images;
    preprocessing_defaults(how);
    if (source) TRY(model_file_preprocessing(how, source, arguments));
    if (source && how->assumed == ASSUMED_ALL && arguments->teacher) {
        source = arguments->teacher;
        TRY(model_file_preprocessing(how, source, arguments));
    }
    TRY(preprocessing_from_flags(how, arguments));
    if (source) preprocessing_say_assumed(how, source);
    how->assumed = 0; /* of the model that this run makes it will be true */
    TRY(compare_teacher(how, arguments));
done:
    return result;
}

int run_saved_preprocessing(tool_run *run) {
    int result = 0, found = 0;
    const char *path = run->arguments->resume;
    preprocessing given;
    preprocessing_defaults(&run->images);
    memcpy(run->images.mean, run->state.mean, sizeof run->images.mean);
    memcpy(run->images.deviation, run->state.deviation, sizeof run->images.deviation);
    if (!run->data.train.root) goto done;
    TRY(preprocessing_load(&run->images, path, &found));
    if (!found) TRY(fail_with("%s: does not say how its images were prepared", path));
    given = run->images;
    TRY(preprocessing_from_flags(&given, run->arguments));
    if (!preprocessing_equal(&given, &run->images)) {
        TRY(fail_with("--mean, --std, --crop or --interpolation is new; it must be as the run to resume had it"));
    }
done:
    return result;
}

int run_fit_images(tool_run *run, const tgr_config *config) {
    int result = 0;
    int64_t size = 0;
    if (!run->data.train.root) goto done;
    if (!config) LIBRARY(tgr_model_config(run->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &size));
    run->data.train.size = size;
    run->data.test.size = size;
done:
    return result;
}

reading run_reading(const tool_run *run, const image_set *set) {
    return (reading){
        .set = set, .how = &run->images, .batch = run->state.batch, .threads = arguments_readers(run->arguments)};
}
