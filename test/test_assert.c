/* SPDX-License-Identifier: MIT */
/* Assertions: on in what tests run, silent where they hold, and loud and final where they do not. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "support.h"

/* What the child process that runs `act` leaves on stderr; its wait status in *ended. */
static void in_child(void (*act)(void), char *message, size_t bytes, int *ended) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], message, bytes - 1);
    assert_true(length >= 0);
    message[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, ended, 0), child);
}

static void assert_what_holds(void) {
    TGR_ASSERT(sizeof(int64_t) == 8);
}

static void assert_what_does_not_hold(void) {
    TGR_ASSERT(sizeof(int64_t) == 4);
}

static void test_an_assertion_that_holds_says_nothing(void **state) {
    (void)state;
    char message[256];
    int ended = -1;
    in_child(assert_what_holds, message, sizeof message, &ended);
    assert_string_equal(message, "");
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

static void test_one_that_does_not_hold_names_itself_and_aborts(void **state) {
    (void)state;
    char message[256];
    int ended = -1;
    in_child(assert_what_does_not_hold, message, sizeof message, &ended);
    assert_non_null(strstr(message, "test/test_assert.c:"));
    assert_non_null(strstr(message, "assertion failed: sizeof(int64_t) == 4"));
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_assertion_that_holds_says_nothing),
        cmocka_unit_test(test_one_that_does_not_hold_names_itself_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
