/* SPDX-License-Identifier: MIT */
/* Which subfolders are for training and which for testing. */
#include "data/folder_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/folder_check.h"
#include "data/folder_hold_out.h"
#include "failure.h"

enum { PATH_SIZE = 4096, ROOT_MOST = PATH_SIZE - 16 };

static int is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A share of the data holds folders of classes, or nothing yet; a folder with nothing but images is a class itself. */
static int is_share_of(const char *path) {
    return is_folder(path) && (folder_holds(path, FOLDER_FOLDERS) || !folder_holds(path, FOLDER_IMAGES));
}

/* The folder of training images, if they have one of their own. */
static int find_training(char path[PATH_SIZE], const char *root) {
    snprintf(path, PATH_SIZE, "%s/train", root);
    return is_share_of(path);
}

static int find_test(char path[PATH_SIZE], const char *root) {
    static const char *const names[] = {"val", "validation", "test"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, PATH_SIZE, "%s/%s", root, names[i]);
        if (is_share_of(path)) return 1;
    }
    return 0;
}

static int is_share(const char *name) {
    return strcmp(name, "train") == 0 || strcmp(name, "val") == 0 || strcmp(name, "validation") == 0 ||
           strcmp(name, "test") == 0;
}

/* Where some folders look like shares of a data set and others like its classes, nobody knows which is meant. */
static int check_shares(const char *root, int has_shares) {
    int result = 0;
    int64_t shares = 0;
    name_list all = {0};
    TRY(folder_classes(&all, root));
    for (int64_t i = 0; i < all.count; i++) {
        char path[2 * PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", root, all.names[i]);
        shares += is_share(all.names[i]);
        if (has_shares && !is_share(all.names[i]) && folder_holds(path, FOLDER_IMAGES)) {
            TRY(fail_with("%s: holds images like a class, but %s has folders train, val or test with classes in them",
                          path, root));
        }
    }
    if (!has_shares && shares > 0 && shares == all.count) {
        TRY(fail_with("%s/%s: has no folders; there must be one for each class", root, all.names[0]));
    }
done:
    name_list_free(&all);
    return result;
}

int folder_detect(const char *root) {
    name_list classes = {0};
    const int found = folder_classes(&classes, root) == 0;
    name_list_free(&classes);
    return found;
}

/* Removes the files for which there is a reason and says so, or fails with the first reason. */
static int drop_damaged(folder_files *files, char **reasons, int skip) {
    int64_t kept = 0;
    for (int64_t i = 0; i < files->count; i++) {
        if (reasons[i] && !skip) {
            return fail_with("%s (with --skip-damaged, images that cannot be decoded are left out)", reasons[i]);
        }
    }
    for (int64_t i = 0; i < files->count; i++) {
        if (reasons[i]) {
            fprintf(stderr, "left out: %s\n", reasons[i]);
            free(files->files[i].name);
        } else {
            files->files[kept++] = files->files[i];
        }
    }
    files->count = kept;
    return 0;
}

static int check_files(const char *root, folder_files *files, const folder_options *how) {
    int result = 0;
    const int64_t count = files->count;
    char **reasons = calloc((size_t)count, sizeof *reasons);
    if (!reasons) return fail_with("no memory for %lld images", (long long)count);
    image_files_check(root, files, how->skip_damaged, how->threads, reasons);
    TRY(drop_damaged(files, reasons, how->skip_damaged));
    if (files->count == 0) TRY(fail_with("%s: no image can be decoded", root));
done:
    for (int64_t i = 0; i < count; i++) free(reasons[i]);
    free(reasons);
    return result;
}

/* Makes a set of the files and takes ownership of them. */
static int fill_set(image_set *out, const char *root, folder_files *files, const folder_options *how) {
    int result = 0;
    image_set set = {.channels = IMAGE_CHANNELS};
    TRY(check_files(root, files, how));
    set.count = files->count;
    set.root = strdup(root);
    set.labels = calloc((size_t)set.count, sizeof *set.labels);
    if (!set.root || !set.labels) TRY(fail_with("no memory for %lld images", (long long)set.count));
    for (int64_t i = 0; i < set.count; i++) set.labels[i] = files->files[i].label;
    set.files = *files;
    *files = (folder_files){0};
    *out = set;
    set = (image_set){0};
done:
    image_set_free(&set);
    return result;
}

/* The classes given, which a model was trained with, or those of the folder. */
static int find_classes(name_list *out, const char *path, const folder_options *how) {
    int result = 0;
    if (how->classes) TRY(name_list_copy(out, how->classes));
    if (!how->classes) TRY(folder_classes(out, path));
    if (!how->classes) TRY(class_order_sort(out, how->order));
done:
    return result;
}

/* One folder for both: some images of each class are held out. */
static int load_shared(dataset *data, const char *path, int train, const folder_options *how) {
    int result = 0;
    folder_files rest = {0}, held = {0};
    TRY(find_classes(&data->names, path, how));
    TRY(folder_scan(&rest, path, &data->names, how->classes != NULL));
    TRY(folder_hold_out(&held, &rest, how->held_out));
    if (held.count == 0) TRY(fail_with("%s: no class has enough images to hold one out for testing", path));
    TRY(fill_set(&data->test, path, &held, how));
    if (train) TRY(fill_set(&data->train, path, &rest, how));
done:
    folder_files_free(&rest);
    folder_files_free(&held);
    return result;
}

/* A folder for each. Classes are those of the training images; otherwise labels of test images could mean other
 * classes. */
static int load_apart(dataset *data, const char *train_path, const char *test_path, int train,
                      const folder_options *how) {
    int result = 0;
    folder_files files = {0};
    const char *naming = is_folder(train_path) ? train_path : test_path;
    TRY(find_classes(&data->names, naming, how));
    if (train) {
        TRY(folder_scan(&files, train_path, &data->names, how->classes != NULL));
        TRY(fill_set(&data->train, train_path, &files, how));
    }
    TRY(folder_scan(&files, test_path, &data->names, 1));
    TRY(fill_set(&data->test, test_path, &files, how));
done:
    folder_files_free(&files);
    return result;
}

int folder_load(dataset *data, const char *root, int train, const folder_options *how) {
    int result = 0;
    char train_path[PATH_SIZE], test_path[PATH_SIZE];
    dataset loaded = {.kind = DATASET_FOLDER};
    if (strlen(root) > ROOT_MOST) TRY(fail_with("--data: the path is too long"));
    const int has_training = find_training(train_path, root), has_test = find_test(test_path, root);
    if (train && has_test && !has_training)
        TRY(fail_with("%s: exists, but there is no folder train next to it", test_path));
    TRY(check_shares(root, has_training || has_test));
    if (has_test && (has_training || !train)) {
        TRY(load_apart(&loaded, train_path, test_path, train, how));
    } else {
        TRY(load_shared(&loaded, has_training ? train_path : root, train, how));
    }
    loaded.classes = loaded.names.count;
    *data = loaded;
    loaded = (dataset){0};
done:
    dataset_free(&loaded);
    return result;
}
