/* SPDX-License-Identifier: MIT */
/* Saving when the process is killed, when the system refuses, when memory runs out: the old file or the new, whole. */
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint_support.h"

/* The library's calls come here first. Each counts; the one numbered `fail_at` fails. */
static int fail_at = -1, calls, fail_with;
static char trace[4096]; /* a letter for each, while they are counted */
static int dribble;      /* writes are interrupted and short */

static int refused(char letter) {
    if (fail_at < 0) return 0;
    if (calls < (int)sizeof trace - 1) trace[calls] = letter;
    if (calls++ != fail_at) return 0;
    errno = fail_with;
    return 1;
}

#define REAL(type, name)                       \
    static type real;                          \
    if (real == NULL) {                        \
        void *symbol = dlsym(RTLD_NEXT, name); \
        memcpy(&real, &symbol, sizeof real);   \
    }
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef int (*int_fn)(int);
typedef int (*renameat_fn)(int, const char *, int, const char *);
typedef int (*fchmod_fn)(int, mode_t);
typedef int (*openat_fn)(int, const char *, int, ...);

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    REAL(pwrite_fn, "pwrite64")
    if (refused('w')) return -1;
    if (dribble && ++dribble % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return real(file, bytes, dribble && count > 100 ? 100 : count, offset);
}

int fsync(int file) {
    REAL(int_fn, "fsync")
    return refused('s') ? -1 : real(file);
}

int renameat(int from, const char *name, int to, const char *other) {
    REAL(renameat_fn, "renameat")
    return refused('r') ? -1 : real(from, name, to, other);
}

int fchmod(int file, mode_t mode) {
    REAL(fchmod_fn, "fchmod")
    return refused('c') ? -1 : real(file, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    REAL(openat_fn, "openat64")
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return refused('o') ? -1 : real(directory, path, flags, mode);
}

/* A directory of its own, and the path of a file in it. */
typedef struct place {
    char directory[64], path[128];
} place;

static place place_make(void) {
    place where;
    snprintf(where.directory, sizeof where.directory, "/tmp/tgrmoe-crash-XXXXXX");
    assert_non_null(mkdtemp(where.directory));
    snprintf(where.path, sizeof where.path, "%s/saved", where.directory);
    return where;
}

/* Removes the files of the directory; returns how many there were. */
static int place_empty(const place *where) {
    int count = 0;
    DIR *stream = opendir(where->directory);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        count++;
        unlinkat(dirfd(stream), entry->d_name, 0);
    }
    closedir(stream);
    return count;
}

static void place_remove(const place *where) {
    place_empty(where);
    assert_int_equal(rmdir(where->directory), 0);
}

#define NUMBERS 60000 /* some 200 KB, so that saving takes a while */

/* Saves an array that is all `value`, except for noise that depends on it and keeps it from shrinking to nothing. */
static tgr_status save(tgr_context *context, const char *path, uint64_t value, uint32_t *numbers) {
    tgr_checkpoint *checkpoint = NULL;
    test_random random = test_random_start(value);
    for (int i = 0; i < NUMBERS; i++) numbers[i] = (uint32_t)test_random_word(&random);
    numbers[0] = (uint32_t)value;
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, context));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, "numbers", numbers, NUMBERS * sizeof *numbers));
    tgr_status status = tgr_checkpoint_save(checkpoint, path);
    tgr_checkpoint_free(checkpoint);
    return status;
}

/* Which value the file has, after checking that all of it is there. */
static uint64_t saved_value(tgr_context *context, const char *path) {
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    tgr_checkpoint *checkpoint = NULL;
    assert_non_null(numbers);
    assert_status(TGR_OK, tgr_checkpoint_create(&checkpoint, context));
    assert_status(TGR_OK, tgr_checkpoint_add_bytes(checkpoint, "numbers", numbers, NUMBERS * sizeof *numbers));
    assert_status(TGR_OK, tgr_checkpoint_load(checkpoint, path));
    tgr_checkpoint_free(checkpoint);
    const uint64_t value = numbers[0];
    test_random random = test_random_start(value);
    (void)test_random_word(&random);
    for (int i = 1; i < NUMBERS; i++) assert_int_equal(numbers[i], (uint32_t)test_random_word(&random));
    free(numbers);
    return value;
}

/* The child: says that it is ready, then saves the two values by turns. */
static void save_until_killed(const char *path, uint64_t value, int ready) {
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    if (numbers == NULL || write(ready, "", 1) != 1) _exit(1);
    for (;; value++)
        if (save(context, path, value % 2, numbers) != TGR_OK) _exit(1);
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A child that saves, beginning with `value`, and is killed `delay` nanoseconds after it began. */
static void kill_a_save(const char *path, uint64_t value, int64_t delay) {
    int ends[2], status = 0;
    char byte;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) save_until_killed(path, value, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    nanosleep(&(struct timespec){.tv_sec = delay / 1000000000, .tv_nsec = delay % 1000000000}, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not give up by itself */
    close(ends[0]);
}

static void test_killed_while_saving(void **state) {
    (void)state;
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    int kept = 0, replaced = 0;
    test_random random = test_random_start(3);
    assert_non_null(numbers);
    const int64_t start = nanoseconds();
    assert_status(TGR_OK, save(context, where.path, 0, numbers));
    const int64_t duration = nanoseconds() - start;
    uint64_t value = 0;
    for (int round = 0; round < 200; round++) {
        kill_a_save(where.path, value + 1, test_random_integer(&random, 0, 3 * duration));
        const uint64_t now = saved_value(context, where.path);
        assert_true(now < 2);
        *(now == value ? &kept : &replaced) += 1;
        value = now;
    }
    assert_true(kept > 0 && replaced > 0);
    assert_true(place_empty(&where) > 1); /* some were killed in the middle, and left their file next to it */
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

static void test_every_call_refused(void **state) {
    (void)state;
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EFBIG};
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        int succeeded = 0, in_place = 0;
        assert_status(TGR_OK, save(context, where.path, 1, numbers));
        for (int n = 0; !succeeded; n++) {
            fail_at = n;
            fail_with = errors[e];
            calls = 0;
            const tgr_status status = save(context, where.path, 2, numbers);
            succeeded = calls <= n;
            fail_at = -1;
            assert_int_equal(status, succeeded ? TGR_OK : TGR_ERROR_FILE);
            const int replaced = saved_value(context, where.path) == 2;
            if (!succeeded) in_place += replaced; /* only when the directory could not be synced afterwards */
            assert_true(replaced || !succeeded);
            assert_int_equal(place_empty(&where), 1); /* no left-over */
            assert_status(TGR_OK, save(context, where.path, 1, numbers));
        }
        assert_int_equal(in_place, 1);
    }
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

/* What the disk must have before the name is changed, and after. */
static void test_order_of_calls(void **state) {
    (void)state;
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    assert_non_null(numbers);
    for (int exists = 0; exists < 2; exists++) {
        memset(trace, 0, sizeof trace);
        fail_at = INT_MAX;
        calls = 0;
        assert_status(TGR_OK, save(context, where.path, 1, numbers));
        fail_at = -1;
        const size_t start = strspn(trace, "oc"), writes = strspn(trace + start, "w");
        assert_int_equal(start, exists ? 2 : 1);
        assert_true(writes > 3);
        assert_string_equal(trace + start + writes, "srs"); /* file synced, renamed, directory synced */
    }
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

/* A file system that does not sync directories. */
static void test_directory_without_sync(void **state) {
    (void)state;
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    assert_non_null(numbers);
    assert_status(TGR_OK, save(context, where.path, 1, numbers));
    fail_at = INT_MAX;
    calls = 0;
    assert_status(TGR_OK, save(context, where.path, 1, numbers));
    fail_at = calls - 1; /* the last call */
    fail_with = EINVAL;
    calls = 0;
    assert_status(TGR_OK, save(context, where.path, 1, numbers));
    fail_at = -1;
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

static void test_short_and_interrupted_writes(void **state) {
    (void)state;
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    assert_non_null(numbers);
    dribble = 1;
    assert_status(TGR_OK, save(context, where.path, 5, numbers));
    dribble = 0;
    assert_int_equal(saved_value(context, where.path), 5);
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

/* A limit on the size of files, the signal ignored as a host would. */
static void test_file_size_limit(void **state) {
    (void)state;
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    struct rlimit before;
    assert_non_null(numbers);
    assert_status(TGR_OK, save(context, where.path, 1, numbers));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    static const rlim_t limits[] = {1, 20, 1000, 100000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limits[i], before.rlim_max}), 0);
        const tgr_status status = save(context, where.path, 2, numbers);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_fails(TGR_ERROR_FILE, "File too large", status);
        assert_int_equal(saved_value(context, where.path), 1);
    }
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(place_empty(&where), 1);
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

static mode_t mode_of(const char *path) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode;
}

static void test_permissions_and_links(void **state) {
    (void)state;
    place where = place_make();
    tgr_context *context = test_context(1, 0);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    char link[128], text[512];
    assert_non_null(numbers);
    const mode_t mask = umask(027);
    assert_status(TGR_OK, save(context, where.path, 1, numbers));
    assert_int_equal(mode_of(where.path) & 0777, 0640); /* as of any new file */
    assert_int_equal(chmod(where.path, 0606), 0);
    assert_status(TGR_OK, save(context, where.path, 2, numbers));
    assert_int_equal(mode_of(where.path) & 0777, 0606); /* as it was */
    umask(mask);

    snprintf(link, sizeof link, "%s/link", where.directory);
    assert_int_equal(symlink("saved", link), 0);
    assert_status(TGR_OK, save(context, link, 3, numbers));
    assert_true(S_ISLNK(mode_of(link)));
    assert_int_equal(saved_value(context, where.path), 3);
    assert_int_equal(unlink(where.path), 0);
    assert_fails(TGR_ERROR_FILE, "cannot be followed", save(context, link, 3, numbers));

    snprintf(text, sizeof text, "%s/missing/saved", where.directory);
    assert_fails(TGR_ERROR_FILE, "No such file", save(context, text, 1, numbers));
    assert_fails(TGR_ERROR_FILE, "regular file", save(context, where.directory, 1, numbers));
    assert_fails(TGR_ERROR_FILE, "regular file", save(context, "/dev/full", 1, numbers));
    assert_fails(TGR_ERROR_FILE, "directory", save(context, "/tmp/", 1, numbers));
    assert_fails(TGR_ERROR_FILE, "No such file", save(context, "", 1, numbers));
    memset(text, 'n', 300);
    text[300] = '\0';
    assert_fails(TGR_ERROR_FILE, "too long", save(context, text, 1, numbers));
    text[250] = '\0'; /* a name that is allowed, but not with more letters after it */
    assert_fails(TGR_ERROR_FILE, "too long", save(context, text, 1, numbers));
    char *path = malloc(2 * PATH_MAX);
    assert_non_null(path);
    for (size_t i = 0; i + 1 < 2 * PATH_MAX; i += 2) memcpy(path + i, "./", 2);
    memcpy(path + 2 * PATH_MAX - 2, "a", 2);
    assert_fails(TGR_ERROR_FILE, "too long", save(context, path, 1, numbers));
    free(path);
    if (geteuid() != 0) {
        assert_status(TGR_OK, save(context, where.path, 1, numbers));
        assert_int_equal(chmod(where.path, 0400), 0);
        assert_fails(TGR_ERROR_FILE, "Permission", save(context, where.path, 2, numbers));
    }
    free(numbers);
    tgr_context_free(context);
    place_remove(&where);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_while_saving),
        cmocka_unit_test(test_every_call_refused),
        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_directory_without_sync),
        cmocka_unit_test(test_short_and_interrupted_writes),
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test(test_permissions_and_links),
    };
    return cmocka_run_group_tests_name("checkpoint crash", tests, NULL, NULL);
}
