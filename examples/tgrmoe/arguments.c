/* SPDX-License-Identifier: MIT */
/* Everything here walks the table of flags: parsing, help, clearing, writing. */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "nearest.h"

typedef enum flag_kind { FLAG_TEXT, FLAG_NUMBER, FLAG_SWITCH, FLAG_OPTION, FLAG_SET } flag_kind;

typedef struct tool_flag {
    flag_kind kind;
    size_t offset; /* of the member in tool_arguments */
    const char *name, *value;
    unsigned commands;
    int64_t least;
    int place;
    const char *help;
} tool_flag;

#define OFFSET_TEXT(member)     offsetof(tool_arguments, member)
#define OFFSET_NUMBER(member)   offsetof(tool_arguments, member)
#define OFFSET_SWITCH(member)   offsetof(tool_arguments, member)
#define OFFSET_OPTION(member)   0
#define OFFSET_SET(member)      0
#define FLAG(kind, member, ...) {FLAG_##kind, OFFSET_##kind(member), __VA_ARGS__},
static const tool_flag flags[] = {TOOL_FLAG_MAP(FLAG)};

enum { FLAGS = sizeof flags / sizeof *flags };

static const void *member_of(const tool_arguments *of, const tool_flag *flag) {
    return (const char *)of + flag->offset;
}

static int parse_number(const tool_flag *flag, const char *text, int64_t *number) {
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < flag->least) {
        return fail_usage("--%s is '%s'; it must be a whole number, at least %lld", flag->name, text,
                          (long long)flag->least);
    }
    *number = value;
    return 0;
}

static int add_setting(tool_arguments *out, const tool_flag *flag, const char *text) {
    if (out->setting_count == SETTINGS_MAX) return fail_usage("more than %d settings", SETTINGS_MAX);
    tool_setting *setting = &out->settings[out->setting_count];
    *setting = (tool_setting){.value = text};
    const char *key = flag->name;
    size_t length = strlen(key);
    if (flag->kind == FLAG_SET) {
        const char *equals = strchr(text, '=');
        if (!equals || equals == text) return fail_usage("--set is '%s'; it must be KEY=VALUE", text);
        key = text;
        length = (size_t)(equals - text);
        setting->value = equals + 1;
    }
    if (length >= sizeof setting->key) return fail_with("--set: there is no option '%.*s'", (int)length, key);
    memcpy(setting->key, key, length);
    out->setting_count++;
    return 0;
}

static void unset(tool_arguments *out, const tool_flag *flag) {
    void *member = (char *)out + flag->offset;
    if (flag->kind == FLAG_TEXT) *(const char **)member = NULL;
    if (flag->kind == FLAG_NUMBER) *(int64_t *)member = UNSET;
    if (flag->kind == FLAG_SWITCH) *(int *)member = 0;
}

static int take(tool_arguments *out, const tool_flag *flag, const char *text) {
    void *member = (char *)out + flag->offset;
    switch (flag->kind) {
        case FLAG_TEXT:
            *(const char **)member = text;
            return 0;
        case FLAG_NUMBER:
            return parse_number(flag, text, member);
        case FLAG_SWITCH:
            *(int *)member = 1;
            return 0;
        case FLAG_OPTION:
        case FLAG_SET:
            return add_setting(out, flag, text);
    }
    return 0;
}

/* `written` is as on the command line: "--name" or "--name=value". */
static int fail_flag(tool_command command, const char *command_name, const char *written) {
    const char *name = written + strspn(written, "-");
    nearest_name nearest = {.text = name, .length = strcspn(name, "=")};
    char hint[NEAREST_TEXT];
    for (int i = 0; i < FLAGS; i++) {
        if (flags[i].commands & (unsigned)command) nearest_offer(&nearest, flags[i].name);
    }
    if (nearest.name && nearest.distance == 0) {
        return fail_usage("%s: --%s takes no value", command_name, nearest.name);
    }
    return fail_usage("%s: there is no flag %s%s", command_name, written, nearest_hint(&nearest, "--", hint));
}

int arguments_parse(tool_arguments *out, tool_command command, int argc, char **argv) {
    struct option table[FLAGS + 1] = {{0}};
    int count = 0;
    for (int i = 0; i < FLAGS; i++) {
        if (!(flags[i].commands & (unsigned)command)) continue;
        table[count++] =
            (struct option){flags[i].name, flags[i].value ? required_argument : no_argument, NULL, i + 256};
    }
    *out = (tool_arguments){0};
    for (int i = 0; i < FLAGS; i++) unset(out, &flags[i]);
    opterr = 0;
    optind = 1;
    for (;;) {
        const int at = optind;
        const int found = getopt_long(argc, argv, ":", table, NULL);
        if (found == -1) break;
        if (found == ':') return fail_usage("%s: %s needs a value", argv[0], argv[optind - 1]);
        if (found == '?') return fail_flag(command, argv[0], argv[at]);
        const int result = take(out, &flags[found - 256], optarg);
        if (result != 0) return result;
    }
    out->files = argv + optind;
    out->file_count = argc - optind;
    return 0;
}

int arguments_set(tool_arguments *to, const char *key, const char *value) {
    if (to->setting_count == SETTINGS_MAX) return fail_usage("more than %d settings", SETTINGS_MAX);
    tool_setting *setting = &to->settings[to->setting_count++];
    snprintf(setting->key, sizeof setting->key, "%s", key);
    setting->value = value;
    return 0;
}

const char *arguments_setting(const tool_arguments *arguments, const char *key) {
    const char *value = NULL;
    for (int i = 0; i < arguments->setting_count; i++) {
        if (strcmp(arguments->settings[i].key, key) == 0) value = arguments->settings[i].value;
    }
    return value;
}

const char *arguments_text(const tool_arguments *arguments, const char *flag) {
    for (int i = 0; i < FLAGS; i++) {
        if (flags[i].kind != FLAG_TEXT || strcmp(flags[i].name, flag) != 0) continue;
        return *(const char *const *)member_of(arguments, &flags[i]);
    }
    return NULL;
}

void arguments_take(tool_arguments *out, tool_command command, const tool_arguments *from) {
    *out = *from;
    for (int i = 0; i < FLAGS; i++) {
        if (!(flags[i].commands & (unsigned)command)) unset(out, &flags[i]);
    }
}

static void write_flag(FILE *to, const tool_arguments *arguments, const tool_flag *flag) {
    const void *member = member_of(arguments, flag);
    if (flag->kind == FLAG_TEXT && *(const char *const *)member) {
        fprintf(to, " --%s %s", flag->name, *(const char *const *)member);
    } else if (flag->kind == FLAG_NUMBER && *(const int64_t *)member != UNSET) {
        fprintf(to, " --%s %lld", flag->name, (long long)*(const int64_t *)member);
    } else if (flag->kind == FLAG_SWITCH && *(const int *)member) {
        fprintf(to, " --%s", flag->name);
    }
}

void arguments_write(FILE *to, const tool_arguments *arguments) {
    for (int place = 1; place <= FLAGS; place++) {
        for (int i = 0; i < FLAGS; i++) {
            if (flags[i].place == place) write_flag(to, arguments, &flags[i]);
        }
    }
    for (int i = 0; i < arguments->setting_count; i++) {
        fprintf(to, " --set %s=%s", arguments->settings[i].key, arguments->settings[i].value);
    }
}

int arguments_threads(const tool_arguments *arguments) {
    if (arguments->threads == UNSET) return 0;
    return arguments->threads < INT32_MAX ? (int)arguments->threads : INT32_MAX;
}

int arguments_readers(const tool_arguments *arguments) {
    enum { DEFAULT_READERS = 2, READERS_MOST = 64 };
    if (arguments->readers == UNSET) return DEFAULT_READERS;
    return arguments->readers < READERS_MOST ? (int)arguments->readers : READERS_MOST;
}

void arguments_help(FILE *to, tool_command command) {
    for (int i = 0; i < FLAGS; i++) {
        if (!(flags[i].commands & (unsigned)command)) continue;
        const char *value = flags[i].value ? flags[i].value : "";
        const int width = fprintf(to, "  --%s %s", flags[i].name, value);
        fprintf(to, "%*s%s\n", width < 22 ? 22 - width : 1, "", flags[i].help);
    }
}

int arguments_labels(const char *text, int64_t *first, int64_t *last) {
    char *dash = NULL, *end = NULL;
    const long long from = strtoll(text, &dash, 10);
    const long long to = *dash == '-' ? strtoll(dash + 1, &end, 10) : -1;
    if (dash == text || from < 0 || to < from || !end || end == dash + 1 || *end != '\0') {
        return fail_usage("--labels is '%s'; it must be two labels separated by a dash, such as 0-4", text);
    }
    *first = from;
    *last = to;
    return 0;
}

int arguments_numbers(const char *flag, const char *text, int64_t channels, double *numbers) {
    int64_t count = 0;
    for (const char *at = text; *at;) {
        char *end = NULL;
        const double number = strtod(at, &end);
        if (end == at || (*end != '\0' && (*end != ',' || end[1] == '\0')) || count == channels) {
            return fail_usage("--%s is '%s'; it must be one number, or %lld separated by commas", flag, text,
                              (long long)channels);
        }
        numbers[count++] = number;
        at = *end == ',' ? end + 1 : end;
    }
    if (count != 1 && count != channels) {
        return fail_usage("--%s is '%s'; it must be one number, or %lld separated by commas", flag, text,
                          (long long)channels);
    }
    for (int64_t i = count; i < channels; i++) numbers[i] = numbers[0];
    return 0;
}
