/* SPDX-License-Identifier: MIT */
/* "tgr", "default+guided" and the like. */
#include "commands/compare_subject.h"

#include <stdio.h>
#include <string.h>
#include <tgrmoe/tgrmoe.h>

#include "failure.h"
#include "nearest.h"

int compare_subject_set(compare_subject *subject, const char *key, const char *value) {
    if (subject->option_count == COMPARE_OPTIONS_MAX) return fail_with("too many options for one run");
    snprintf(subject->options[subject->option_count].key, sizeof subject->options->key, "%s", key);
    snprintf(subject->options[subject->option_count].value, sizeof subject->options->value, "%s", value);
    subject->option_count++;
    return 0;
}

static int fail_method(const char *name) {
    nearest_name nearest = {.text = name, .length = strlen(name)};
    char hint[NEAREST_TEXT];
    for (int64_t i = 0; i < tgr_method_count(); i++) {
        tgr_method_description method = {.struct_size = sizeof method};
        if (tgr_method_describe(i, &method) == TGR_OK) nearest_offer(&nearest, method.name);
    }
    return fail_usage("compare: there is no method '%s'%s", name, nearest_hint(&nearest, "", hint));
}

int compare_subject_read(compare_subject *out, const char *text, size_t length) {
    const size_t name = strcspn(text, "+,") < length ? strcspn(text, "+,") : length;
    compare_subject subject = {0};
    snprintf(subject.method, sizeof subject.method, "%.*s", (int)name, text);
    if (tgr_method_find(subject.method) < 0) return fail_method(subject.method);
    subject.guided = strcmp(subject.method, "tgr") == 0;
    for (const char *at = text + name; at < text + length;) {
        const size_t word = strcspn(at + 1, "+,") + 1;
        if (strncmp(at, "+guided", word) == 0 && word == 7) {
            subject.guided = 1;
        } else if (strncmp(at, "+upcycled", word) == 0 && word == 9) {
            subject.upcycled = 1;
        } else {
            return fail_usage("compare: '%.*s' is neither +guided nor +upcycled", (int)word, at);
        }
        at += word;
    }
    *out = subject;
    return 0;
}

void compare_subject_name(char *to, size_t size, const compare_subject *subject) {
    const int own_guidance = strcmp(subject->method, "tgr") == 0;
    snprintf(to, size, "%s%s%s", subject->method, subject->guided && !own_guidance ? "+guided" : "",
             subject->upcycled ? "+upcycled" : "");
}
