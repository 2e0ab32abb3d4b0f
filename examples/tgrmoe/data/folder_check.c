/* SPDX-License-Identifier: MIT */
/* Each thread repeatedly takes the next file. */
#include "data/folder_check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "images/decode.h"
#include "images/file.h"

enum { PATH_SIZE = 4096, MESSAGE_NAME = 512, FIRST_BYTES = 16, THREADS_MOST = 64 };

typedef struct checking {
    const char *root;
    const folder_files *files;
    int decode;
    char **reasons;
    atomic_llong next;
} checking;

/* Whether it begins like an image that can be decoded. */
static int check_start(const char *root, const char *name) {
    int result = 0;
    char path[PATH_SIZE], shown[MESSAGE_NAME];
    uint8_t bytes[FIRST_BYTES];
    const char *other = NULL;
    struct stat about;
    FILE *file = NULL;
    snprintf(path, sizeof path, "%s/%s", root, name);
    printable_name(shown, sizeof shown, path);
    if (stat(path, &about) != 0) TRY(fail_with("%s: %s", shown, strerror(errno)));
    if (!S_ISREG(about.st_mode)) TRY(fail_with("%s: is not a regular file", shown));
    file = fopen(path, "rb");
    if (!file) TRY(fail_with("%s: %s", shown, strerror(errno)));
    const size_t count = fread(bytes, 1, sizeof bytes, file);
    if (count == 0) TRY(fail_with("%s: %s", shown, ferror(file) ? strerror(errno) : "is empty"));
    if (image_sniff(bytes, count, &other) == IMAGE_FORMAT_UNKNOWN) {
        TRY(fail_with("%s: is neither JPEG nor PNG%s%s", shown, other ? ", but " : "", other ? other : ""));
    }
done:
    if (file) fclose(file);
    return result;
}

static void *check_files(void *user) {
    checking *all = user;
    image_loader loader = {0};
    for (;;) {
        const int64_t i = atomic_fetch_add(&all->next, 1);
        if (i >= all->files->count) break;
        const char *name = all->files->files[i].name;
        const int result = all->decode ? image_file_decode(&loader, all->root, name, 0) : check_start(all->root, name);
        all->reasons[i] = result == 0 ? NULL : strdup(failure_message());
        if (result != 0 && !all->reasons[i]) all->reasons[i] = calloc(1, 1);
    }
    image_loader_free(&loader);
    return NULL;
}

void image_files_check(const char *root, const folder_files *files, int decode, int threads, char **reasons) {
    checking all = {.root = root, .files = files, .decode = decode, .reasons = reasons};
    pthread_t others[THREADS_MOST];
    int started = 0;
    atomic_init(&all.next, 0);
    /* This thread takes part, so threads that cannot be started are not needed. */
    while (started < threads - 1 && started < THREADS_MOST) {
        if (pthread_create(&others[started], NULL, check_files, &all) != 0) break;
        started++;
    }
    check_files(&all);
    for (int i = 0; i < started; i++) pthread_join(others[i], NULL);
}
