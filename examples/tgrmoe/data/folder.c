/* SPDX-License-Identifier: MIT */
/* Walking a folder of images. */
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "failure.h"

enum { PATH_SIZE = 4096, MESSAGE_NAME = 512, DEPTH_MOST = 32 };

static int fail_at(const char *path, const char *why) {
    char name[MESSAGE_NAME];
    return fail_with("%s: %s", printable_name(name, sizeof name, path), why);
}

static int join(char to[PATH_SIZE], const char *folder, const char *name) {
    const int length = snprintf(to, PATH_SIZE, "%s%s%s", folder, *folder && *name ? "/" : "", name);
    return length < PATH_SIZE ? 0 : fail_at(folder, "holds paths that are too long");
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void folder_files_free(folder_files *list) {
    for (int64_t i = 0; i < list->count; i++) free(list->files[i].name);
    free(list->files);
    *list = (folder_files){0};
}

/* The entries of a folder, sorted, without names that begin with a dot. */
static int list_folder(name_list *out, const char *path) {
    int result = 0;
    name_list list = {0};
    DIR *stream = opendir(path);
    if (!stream) TRY(fail_at(path, strerror(errno)));
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry && errno != 0) TRY(fail_at(path, strerror(errno)));
        if (!entry) break;
        if (entry->d_name[0] != '.') TRY(name_list_add(&list, entry->d_name));
    }
    if (list.count > 1) qsort(list.names, (size_t)list.count, sizeof *list.names, compare_names);
    *out = list;
    list = (name_list){0};
done:
    if (stream) closedir(stream);
    name_list_free(&list);
    return result;
}

int folder_classes(name_list *out, const char *root) {
    int result = 0;
    name_list all = {0}, classes = {0};
    TRY(list_folder(&all, root));
    for (int64_t i = 0; i < all.count; i++) {
        char path[PATH_SIZE];
        struct stat about;
        TRY(join(path, root, all.names[i]));
        if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) TRY(name_list_add(&classes, all.names[i]));
    }
    if (classes.count == 0) TRY(fail_at(root, "has no folders; there must be one for each class"));
    *out = classes;
    classes = (name_list){0};
done:
    name_list_free(&all);
    name_list_free(&classes);
    return result;
}

const char *const folder_unread[FOLDER_UNREAD] = {".webp", ".bmp", ".gif", ".tif",  ".tiff", ".heic", ".heif",
                                                  ".avif", ".jxl", ".jp2", ".jfif", ".jpe",  ".ppm",  ".pgm"};

/* Which of the endings the name has; -1: none. */
static int find_ending(const char *name, const char *const *endings, int count) {
    const char *dot = strrchr(name, '.');
    for (int i = 0; i < count && dot; i++) {
        if (strcasecmp(dot, endings[i]) == 0) return i;
    }
    return -1;
}

static int is_image_name(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    return find_ending(name, endings, 3) >= 0;
}

static int add_file(folder_files *list, const folder_file *file) {
    if (list->count == list->capacity) {
        const int64_t capacity = list->capacity ? 2 * list->capacity : 64;
        folder_file *files = realloc(list->files, (size_t)capacity * sizeof *files);
        if (!files) return fail_with("no memory for the names of files");
        list->files = files;
        list->capacity = capacity;
    }
    list->files[list->count++] = *file;
    return 0;
}

int folder_holds(const char *path, folder_content what) {
    name_list all = {0};
    int found = 0;
    if (list_folder(&all, path) != 0) return 0;
    for (int64_t i = 0; i < all.count && !found; i++) {
        char inside[PATH_SIZE];
        struct stat about;
        if (what == FOLDER_IMAGES) {
            found = is_image_name(all.names[i]);
        } else if (join(inside, path, all.names[i]) == 0) {
            found = stat(inside, &about) == 0 && S_ISDIR(about.st_mode);
        }
    }
    name_list_free(&all);
    return found;
}

/* A folder between the root and the current position of the walk. */
typedef struct ancestor {
    const struct ancestor *above;
    dev_t device;
    ino_t number;
    int depth;
} ancestor;

static int is_above(const ancestor *here, const struct stat *about) {
    for (; here; here = here->above) {
        if (here->device == about->st_dev && here->number == about->st_ino) return 1;
    }
    return 0;
}

static int walk(folder_files *out, const char *root, const char *folder, int32_t label, const ancestor *above);

/* The entry `name` of `folder`, of whatever kind it is. */
static int visit(folder_files *out, const char *root, const char *folder, const char *name, int32_t label,
                 const ancestor *here) {
    char relative[PATH_SIZE], path[PATH_SIZE];
    struct stat about = {0};
    int result = join(relative, folder, name);
    if (result == 0) result = join(path, root, relative);
    if (result != 0) return result;
    const int known = stat(path, &about) == 0;
    if (known && S_ISDIR(about.st_mode)) return walk(out, root, relative, label, here);
    if (!is_image_name(name)) {
        const int kind = find_ending(name, folder_unread, FOLDER_UNREAD);
        if (kind >= 0) out->unread[kind]++;
        return 0;
    }
    folder_file file = {.folder = strlen(folder), .bytes = known ? (uint64_t)about.st_size : 0, .label = label};
    file.name = strdup(relative);
    if (!file.name) return fail_with("no memory for the names of files");
    result = add_file(out, &file);
    if (result != 0) free(file.name);
    return result;
}

/* A link to a parent folder leads to images that are found anyway, so it is not followed. */
static int walk(folder_files *out, const char *root, const char *folder, int32_t label, const ancestor *above) {
    int result = 0;
    char path[PATH_SIZE];
    struct stat about;
    name_list names = {0};
    TRY(join(path, root, folder));
    if (stat(path, &about) != 0) TRY(fail_at(path, strerror(errno)));
    if (is_above(above, &about)) goto done;
    const ancestor here = {above, about.st_dev, about.st_ino, above->depth + 1};
    if (here.depth > DEPTH_MOST) TRY(fail_at(path, "is in too many nested folders"));
    TRY(list_folder(&names, path));
    for (int64_t i = 0; i < names.count; i++) TRY(visit(out, root, folder, names.names[i], label, &here));
done:
    name_list_free(&names);
    return result;
}

/* By label, then by folder, then by name. */
static int compare_files(const void *left, const void *right) {
    const folder_file *a = left, *b = right;
    const size_t shorter = a->folder < b->folder ? a->folder : b->folder;
    if (a->label != b->label) return a->label < b->label ? -1 : 1;
    const int order = memcmp(a->name, b->name, shorter);
    if (order != 0) return order;
    if (a->folder != b->folder) return a->folder < b->folder ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* An image without a label must not go unnoticed. */
static int check_known(const char *root, const name_list *classes) {
    int result = 0;
    name_list found = {0};
    TRY(folder_classes(&found, root));
    for (int64_t i = 0; i < found.count; i++) {
        if (name_list_find(classes, found.names[i]) >= 0) continue;
        char path[PATH_SIZE];
        TRY(join(path, root, found.names[i]));
        TRY(fail_at(path, "is not a class of the model or of the training images"));
    }
done:
    name_list_free(&found);
    return result;
}

/* Images that are left out are left out aloud. */
static void say_unread(const folder_files *list, const char *root) {
    char name[MESSAGE_NAME];
    int64_t count = 0;
    for (int i = 0; i < FOLDER_UNREAD; i++) count += list->unread[i];
    if (count == 0) return;
    fprintf(stderr, "%s: %lld images are neither .jpg, .jpeg nor .png and are left out:",
            printable_name(name, sizeof name, root), (long long)count);
    for (int i = 0; i < FOLDER_UNREAD; i++) {
        if (list->unread[i] > 0) fprintf(stderr, " %lld %s", (long long)list->unread[i], folder_unread[i]);
    }
    fprintf(stderr, "\n");
}

int folder_scan(folder_files *out, const char *root, const name_list *classes, int sparse) {
    int result = 0;
    folder_files list = {0};
    struct stat about_root;
    TRY(check_known(root, classes));
    if (stat(root, &about_root) != 0) TRY(fail_at(root, strerror(errno)));
    /* The parent of every class, so that no link leads from one class to the images of the others. */
    const ancestor top = {NULL, about_root.st_dev, about_root.st_ino, 0};
    for (int64_t i = 0; i < classes->count; i++) {
        char path[PATH_SIZE];
        struct stat about;
        const int64_t before = list.count;
        TRY(join(path, root, classes->names[i]));
        if (sparse && stat(path, &about) != 0 && errno == ENOENT) continue;
        TRY(walk(&list, root, classes->names[i], (int32_t)i, &top));
        if (list.count == before && !sparse) {
            say_unread(&list, root);
            TRY(fail_at(path, "holds no .jpg, .jpeg or .png"));
        }
    }
    say_unread(&list, root);
    if (list.count == 0) TRY(fail_at(root, "holds no .jpg, .jpeg or .png"));
    qsort(list.files, (size_t)list.count, sizeof *list.files, compare_files);
    *out = list;
    list = (folder_files){0};
done:
    folder_files_free(&list);
    return result;
}
