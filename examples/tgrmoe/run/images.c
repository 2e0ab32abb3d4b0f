/* SPDX-License-Identifier: MIT */
/* From flags, or from the files of models. */
#include "run/images.h"

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

const char *const preprocessing_flags[PREPROCESSING_TEXTS] = {"mean", "std", "crop", "interpolation"};

int preprocessing_from_flags(preprocessing *io, const tool_arguments *arguments) {
    int result = 0;
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        const char *flag = preprocessing_flags[i], *text = arguments_text(arguments, flag);
        if (text && preprocessing_read(io, preprocessing_keys[i], text) != 0) {
            TRY(fail_usage("--%s: %s", flag, failure_message()));
        }
    }
    TRY(preprocessing_check(io, "the images' preprocessing"));
done:
    return result;
}

int run_find_preprocessing(tool_run *run) {
    int result = 0, found = 0;
    const tool_arguments *arguments = run->arguments;
    const char *const sources[] = {arguments->init, arguments->teacher};
    preprocessing_defaults(&run->images);
    for (int i = 0; i < 2 && !found; i++) {
        if (sources[i]) TRY(model_file_preprocessing(&run->images, sources[i], &found));
    }
    TRY(preprocessing_from_flags(&run->images, arguments));
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
    if (!config) config = tgr_model_config(run->model);
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
