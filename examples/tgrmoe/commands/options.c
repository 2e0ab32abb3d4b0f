/* SPDX-License-Identifier: MIT */
/* From the library's own table. */
#include "commands/options.h"

#include <string.h>
#include <tgrmoe/options.h>

#include "failure.h"

typedef struct description {
    const char *key, *standard, *choices, *methods, *help;
    tgr_option_type type;
    double least, most;
} description;

static int describe(int64_t index, description *out) {
    int result = 0;
    tgr_option option;
    LIBRARY(tgr_option_at(index, &option));
    LIBRARY(tgr_option_describe(option, &out->key, &out->type, &out->least, &out->most, &out->standard, &out->choices,
                                &out->methods, &out->help));
done:
    return result;
}

/* Names between bars, with `bar` between them. */
static void write_names(FILE *to, const char *names, const char *bar) {
    for (const char *at = names; *at; at++) {
        if (*at == '|') {
            fputs(bar, to);
        } else {
            fputc(*at, to);
        }
    }
}

/* What may be set, such as "0 to 4096" or "dense|vmoe|tgr"; `bar` stands between choices. */
static void write_allowed(FILE *to, const description *option, const char *bar) {
    if (option->type == TGR_TYPE_CHOICE) {
        write_names(to, option->choices, bar);
    } else if (option->type == TGR_TYPE_BOOL) {
        fprintf(to, "0%s1", bar);
    } else {
        fprintf(to, "%s%.12g to %.12g", option->type == TGR_TYPE_LIST ? "list of " : "", option->least, option->most);
    }
}

int option_applies(const char *key, const char *method) {
    tgr_option option;
    const char *methods = "";
    const size_t length = strlen(method);
    if (tgr_option_find(key, &option) != TGR_OK) return 1; /* train says what is wrong with it */
    if (tgr_option_describe(option, NULL, NULL, NULL, NULL, NULL, NULL, &methods, NULL) != TGR_OK || !*methods)
        return 1;
    for (const char *at = methods; *at; at += strcspn(at, "|"), at += *at == '|') {
        if (strcspn(at, "|") == length && strncmp(at, method, length) == 0) return 1;
    }
    return 0;
}

int list_options(FILE *to) {
    int result = 0;
    int64_t count = 0;
    LIBRARY(tgr_option_count(&count));
    for (int64_t i = 0; i < count; i++) {
        description option = {0};
        TRY(describe(i, &option));
        fprintf(to, "  %-24s %s (", option.key, option.help);
        write_allowed(to, &option, "|");
        fprintf(to, "; default %s", *option.standard ? option.standard : "empty");
        if (*option.methods) fputs("; methods ", to);
        write_names(to, option.methods, ", ");
        fputs(")\n", to);
    }
done:
    return result;
}

static int list_methods(FILE *to, const char *row) {
    const char *name = NULL, *defaults = NULL, *source = NULL;
    for (int64_t i = 0; tgr_method_describe(i, &name, &defaults, &source) == TGR_OK; i++) {
        fprintf(to, row, name, *defaults ? defaults : "none", source);
    }
    return 0;
}

static int list_markdown(FILE *to) {
    int result = 0;
    int64_t count = 0;
    LIBRARY(tgr_option_count(&count));
    fprintf(
        to,
        "# Options\n\nWritten by `tgrmoe options --markdown` from the table in `include/tgrmoe/options.h`. Each can "
        "be set with\n`tgr_config_set(config, \"key\", \"value\")` or `tgrmoe train --set key=value`. Presets and "
        "methods replace some\ndefaults while the key is unset. Setting a key that the method does not use is an "
        "error.\n\n| key | what it is | allowed | default | methods |\n|---|---|---|---|---|\n");
    for (int64_t i = 0; i < count; i++) {
        description option = {0};
        TRY(describe(i, &option));
        fprintf(to, "| `%s` | %s | ", option.key, option.help);
        write_allowed(to, &option, ", ");
        fprintf(to, " | %s | ", *option.standard ? option.standard : "empty");
        write_names(to, *option.methods ? option.methods : "any", ", ");
        fputs(" |\n", to);
    }
    fprintf(to, "\n## Methods\n\n| method | defaults that it replaces | source |\n|---|---|---|\n");
    TRY(list_methods(to, "| `%s` | %s | %s |\n"));
done:
    return result;
}

int command_options(const tool_arguments *arguments) {
    int result = 0;
    if (arguments->file_count > 0) TRY(fail_usage("options: '%s' is not a flag", arguments->files[0]));
    if (arguments->markdown) {
        TRY(list_markdown(stdout));
    } else {
        TRY(list_options(stdout));
        printf("\nMethods, the defaults that they replace, and their source:\n");
        TRY(list_methods(stdout, "  %-13s %s\n                %s\n"));
    }
done:
    return result;
}
