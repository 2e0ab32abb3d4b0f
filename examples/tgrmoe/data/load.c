/* SPDX-License-Identifier: MIT */
/* Which files make up a data set, and loading them. */
#include "data/load.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/cifar.h"
#include "data/idx.h"
#include "failure.h"

enum { PATH_SIZE = 4096, NAME_SIZE = 64, FILES_MAX = 5 };

typedef struct source {
    const char *name;   /* as given on the command line */
    const char *folder; /* what the archive unpacks to, tried after the folder itself */
    int label_bytes, classes;
    const char *train[FILES_MAX], *test[FILES_MAX]; /* IDX: images, labels */
    double mean[DATASET_CHANNELS_MAX], deviation[DATASET_CHANNELS_MAX];
} source;

static const source sources[] = {
    [DATASET_IDX] = {"idx",
                     NULL,
                     1,
                     0,
                     {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
                     {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
                     {0.2860, 0.2860, 0.2860},
                     {0.3530, 0.3530, 0.3530}},
    [DATASET_CIFAR10] = {"cifar10",
                         "cifar-10-batches-bin",
                         1,
                         10,
                         {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                          "data_batch_5.bin"},
                         {"test_batch.bin"},
                         {0.4914, 0.4822, 0.4465},
                         {0.2470, 0.2435, 0.2616}},
    [DATASET_CIFAR100] = {"cifar100",
                          "cifar-100-binary",
                          2,
                          100,
                          {"train.bin"},
                          {"test.bin"},
                          {0.5071, 0.4865, 0.4409},
                          {0.2673, 0.2564, 0.2762}},
    [DATASET_FOLDER] = {"folder", NULL, 0, 0, {NULL}, {NULL}, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
};
enum { SOURCES = sizeof sources / sizeof *sources };

/* Some programs that unpack MNIST write "train-images.idx3-ubyte". */
static void with_dot(char name[NAME_SIZE], const char *file) {
    snprintf(name, NAME_SIZE, "%s", file);
    char *dash = strstr(name, "-idx");
    if (dash) *dash = '.';
}

/* Whether `name` ends as `file` does, packed or not. */
static int ends_with(const char *name, const char *file) {
    const size_t length = strlen(name), end = strlen(file), packed = strlen(".gz");
    if (length > end + packed && strcmp(name + length - packed, ".gz") == 0) {
        return strncmp(name + length - packed - end, file, end) == 0;
    }
    return length > end && strcmp(name + length - end, file) == 0;
}

/* EMNIST has "emnist-letters-train-images-idx3-ubyte" and "…-test-…": found if there is one such file. */
static int find_prefixed(char path[PATH_SIZE], const char *folder, const char *file) {
    char end[NAME_SIZE];
    int found = 0;
    const char *part = strncmp(file, "t10k-", 5) == 0 ? file + 5 : file;
    snprintf(end, sizeof end, "%s%s", part == file ? "-" : "-test-", part);
    DIR *stream = opendir(folder);
    if (!stream) return 0;
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        if (!ends_with(entry->d_name, end)) continue;
        found++;
        snprintf(path, PATH_SIZE, "%s/%s", folder, entry->d_name);
    }
    closedir(stream);
    return found == 1;
}

/* The path of `file`: in the folder or its usual subfolder, as it is or packed, with a dash or a dot. Without any, the
 * plain path, so that opening it says that it is missing. True when it is there. */
static int find_file(char path[PATH_SIZE], const char *folder, const source *from, const char *file) {
    const char *const subfolders[] = {"", from->folder};
    const char *const endings[] = {"", ".gz"};
    char dotted[NAME_SIZE];
    const char *const names[] = {file, dotted};
    with_dot(dotted, file);
    for (int i = 0; i < 8; i++) {
        const char *subfolder = subfolders[i / 4];
        if (!subfolder) break;
        snprintf(path, PATH_SIZE, "%s/%s%s%s%s", folder, subfolder, *subfolder ? "/" : "", names[i / 2 % 2],
                 endings[i % 2]);
        if (access(path, F_OK) == 0) return 1;
    }
    if (!from->folder && find_prefixed(path, folder, file)) return 1;
    snprintf(path, PATH_SIZE, "%s/%s", folder, file);
    return 0;
}

/* CIFAR comes in three versions, of which two have files that no C program can read. */
static int check_version(const char *folder) {
    static const char *const python[] = {"data_batch_1", "batches.meta", "cifar-10-batches-py", "cifar-100-python",
                                         "file.txt~"};
    static const char *const matlab[] = {"data_batch_1.mat", "cifar-10-batches-mat", "cifar-100-matlab"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof python / sizeof *python; i++) {
        snprintf(path, PATH_SIZE, "%s/%s", folder, python[i]);
        if (access(path, F_OK) != 0) continue;
        return fail_with("%s: is of the Python version of CIFAR; its binary version, for C programs, can be read",
                         path);
    }
    for (size_t i = 0; i < sizeof matlab / sizeof *matlab; i++) {
        snprintf(path, PATH_SIZE, "%s/%s", folder, matlab[i]);
        if (access(path, F_OK) != 0) continue;
        return fail_with("%s: is of the Matlab version of CIFAR; its binary version, for C programs, can be read",
                         path);
    }
    return 0;
}

static int detect(const char *folder, dataset_kind *kind) {
    char path[PATH_SIZE];
    *kind = DATASET_UNKNOWN;
    for (int i = DATASET_IDX; i < DATASET_FOLDER; i++) {
        if (!find_file(path, folder, &sources[i], sources[i].train[0]) &&
            !find_file(path, folder, &sources[i], sources[i].test[0])) {
            continue;
        }
        if (*kind != DATASET_UNKNOWN) {
            return fail_with("%s: holds files of %s and of %s; choose with --dataset", folder, sources[*kind].name,
                             sources[i].name);
        }
        *kind = (dataset_kind)i;
    }
    if (*kind != DATASET_UNKNOWN) return 0;
    if (access(folder, F_OK) != 0) return fail_with("%s: there is no such folder", folder);
    if (check_version(folder) != 0) return FAILURE;
    if (folder_detect(folder)) {
        *kind = DATASET_FOLDER;
        return 0;
    }
    return fail_with("%s: holds neither %s[.gz] (IDX) nor %s (CIFAR-10) nor %s (CIFAR-100) nor folders of images",
                     folder, sources[DATASET_IDX].train[0], sources[DATASET_CIFAR10].train[0],
                     sources[DATASET_CIFAR100].train[0]);
}

static int find_kind(const char *folder, const char *name, dataset_kind *kind) {
    if (!name) return detect(folder, kind);
    for (int i = DATASET_IDX; i < SOURCES; i++) {
        if (strcmp(sources[i].name, name) == 0) {
            *kind = (dataset_kind)i;
            return 0;
        }
    }
    return fail_usage("--dataset is '%s'; it must be idx, cifar10, cifar100 or folder", name);
}

static int load_set(image_set *out, const char *folder, dataset_kind kind, const char *const names[FILES_MAX]) {
    const source *from = &sources[kind];
    char paths[FILES_MAX][PATH_SIZE];
    const char *found[FILES_MAX] = {0};
    int files = 0;
    for (; files < FILES_MAX && names[files]; files++) {
        const int there = find_file(paths[files], folder, from, names[files]);
        if (!there && kind != DATASET_IDX && check_version(folder) != 0) return FAILURE;
        found[files] = paths[files];
    }
    if (kind == DATASET_IDX) return idx_read(out, found[0], found[1]);
    return cifar_read(out, found, files, from->label_bytes, from->classes);
}

/* IDX does not say how many classes there are. A label of 10 or more must not leave a gap below it: a damaged byte
 * would, and would go unseen otherwise. Only 0 may be missing: EMNIST's letters are numbered from 1. */
static int count_classes(const image_set *set, int64_t *classes) {
    int seen[256] = {0};
    int64_t where[256] = {0};
    int highest = 0;
    for (int64_t i = set->count - 1; i >= 0; i--) {
        const int label = set->labels[i];
        seen[label] = 1;
        where[label] = i;
        if (label > highest) highest = label;
    }
    if (!seen[0])
        fprintf(stderr, "no training image has label 0: labels are taken to begin with 1, class 0 stays empty\n");
    for (int label = 1; label < highest && highest >= 10; label++) {
        if (seen[label]) continue;
        return fail_with(
            "label %d of training image %lld (byte %lld of the label file) is too high: no image has label %d", highest,
            (long long)where[highest], (long long)where[highest] + 8, label);
    }
    *classes = highest + 1;
    return 0;
}

/* From files that hold many images. */
static int load_sets(dataset *out, const char *folder, int train) {
    int result = 0;
    dataset data = {.kind = out->kind};
    TRY(load_set(&data.test, folder, data.kind, sources[data.kind].test));
    data.classes = sources[data.kind].classes;
    if (train) {
        TRY(load_set(&data.train, folder, data.kind, sources[data.kind].train));
        if (data.train.size != data.test.size) {
            TRY(fail_with("%s: training images are %lld pixels wide, test images %lld", folder,
                          (long long)data.train.size, (long long)data.test.size));
        }
        if (data.kind == DATASET_IDX) TRY(count_classes(&data.train, &data.classes));
        TRY(image_set_check_labels(&data.test, "test", data.classes));
    }
    *out = data;
    data = (dataset){0};
done:
    dataset_free(&data);
    return result;
}

int dataset_load(dataset *out, const char *folder, const char *name, int train, const folder_options *how) {
    int result = 0;
    const folder_options defaults = {.held_out = FOLDER_HELD_OUT, .threads = FOLDER_THREADS};
    dataset data = {0};
    TRY(find_kind(folder, name, &data.kind));
    if (data.kind == DATASET_FOLDER) {
        TRY(folder_load(&data, folder, train, how ? how : &defaults));
    } else {
        TRY(load_sets(&data, folder, train));
    }
    *out = data;
done:
    return result;
}

void dataset_statistics(dataset_kind kind, double mean[DATASET_CHANNELS_MAX], double deviation[DATASET_CHANNELS_MAX]) {
    memcpy(mean, sources[kind].mean, sizeof sources[kind].mean);
    memcpy(deviation, sources[kind].deviation, sizeof sources[kind].deviation);
}
