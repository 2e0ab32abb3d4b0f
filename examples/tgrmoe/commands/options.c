/* SPDX-License-Identifier: MIT */
/* Printed from the library's own table. */
#include "commands/options.h"

#include <stdio.h>

#include "failure.h"
#include "uses.h"

/* Writes names that are separated by bars, with `bar` instead. */
static void write_names(FILE *to, const char *names, const char *bar) {
    for (const char *at = names; *at; at++) {
        if (*at == '|') {
            fputs(bar, to);
        } else {
            fputc(*at, to);
        }
    }
}

/* The allowed values, such as "0 to 4096" or "dense|vmoe|tgr"; choices are separated by `bar`. */
static void write_allowed(FILE *to, const tgr_option_description *option, const char *bar) {
    if (option->type == TGR_TYPE_CHOICE) {
        write_names(to, option->choices, bar);
    } else if (option->type == TGR_TYPE_BOOL) {
        fprintf(to, "0%s1", bar);
    } else {
        fprintf(to, "%s%.12g to %.12g", option->type == TGR_TYPE_LIST ? "list of " : "", option->least, option->most);
    }
}

int list_options(FILE *to) {
    int result = 0;
    for (int64_t i = 0; i < tgr_option_count(); i++) {
        tgr_option_description option = {.struct_size = sizeof option};
        char uses[USES_TEXT];
        LIBRARY(tgr_option_describe(tgr_option_at(i), &option));
        fprintf(to, "  %-24s %s (", option.key, option.help);
        write_allowed(to, &option, "|");
        fprintf(to, "; default %s", *option.standard ? option.standard : "empty");
        if (*uses_of(tgr_option_at(i), ", ", uses)) fprintf(to, "; methods %s", uses);
        fputs(")\n", to);
    }
done:
    return result;
}

static int list_methods(FILE *to, const char *row) {
    int result = 0;
    for (int64_t i = 0; i < tgr_method_count(); i++) {
        tgr_method_description method = {.struct_size = sizeof method};
        LIBRARY(tgr_method_describe(i, &method));
        fprintf(to, row, method.name, *method.defaults ? method.defaults : "none", method.source);
    }
done:
    return result;
}

static int list_markdown(FILE *to) {
    int result = 0;
    fprintf(
        to,
        "# Options\n\nWritten by `tgrmoe options --markdown` from the table in `include/tgrmoe/options.h`. Each can "
        "be set with\n`tgr_config_set(config, \"key\", \"value\")` or `tgrmoe train --set key=value`. Presets and "
        "methods replace some\ndefaults while the key is unset. Setting a key that the method does not use is an "
        "error.\n\n| key | what it is | allowed | default | methods |\n|---|---|---|---|---|\n");
    for (int64_t i = 0; i < tgr_option_count(); i++) {
        tgr_option_description option = {.struct_size = sizeof option};
        char uses[USES_TEXT];
        LIBRARY(tgr_option_describe(tgr_option_at(i), &option));
        fprintf(to, "| `%s` | %s | ", option.key, option.help);
        write_allowed(to, &option, ", ");
        uses_of(tgr_option_at(i), ", ", uses);
        fprintf(to, " | %s | %s |\n", *option.standard ? option.standard : "empty", *uses ? uses : "any");
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
