/* SPDX-License-Identifier: MIT */
/* One table of flags, from which parsing and help are derived. */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

typedef enum flag_kind {
    FLAG_TEXT,   /* const char * */
    FLAG_NUMBER, /* int64_t, at least `least` */
    FLAG_SWITCH, /* int */
    FLAG_OPTION, /* the library's option of that name */
    FLAG_SET     /* KEY=VALUE, any option of the library */
} flag_kind;

typedef struct tool_flag {
    const char *name, *value;
    unsigned commands;
    flag_kind kind;
    size_t offset;
    int64_t least;
    const char *help;
} tool_flag;

#define AT(member) offsetof(tool_arguments, member)
enum {
    RUN = COMMAND_TRAIN | COMMAND_FINETUNE,
    TRAINING = RUN | COMMAND_COMPARE,
    ALL = TRAINING | COMMAND_EVAL,
    EXCHANGE = COMMAND_IMPORT | COMMAND_EXPORT,
    EVERY = 1023
};

static const tool_flag flags[] = {
    {"data", "DIR", ALL, FLAG_TEXT, AT(data), 0,
     "folder with the images: IDX, packed or not, CIFAR binary, or a folder of JPEG and PNG for each class"},
    {"dataset", "KIND", ALL, FLAG_TEXT, AT(dataset), 0,
     "idx, cifar10, cifar100 or folder; by the files there if not given"},
    {"held-out", "X", ALL, FLAG_TEXT, AT(held_out), 0,
     "folder without val: the share of each class that is kept from training to test with; 0.1 if not given"},
    {"skip-damaged", NULL, ALL, FLAG_SWITCH, AT(skip_damaged), 0,
     "folder: decode every image first, name those that are damaged and go on without them"},
    {"readers", "N", ALL, FLAG_NUMBER, AT(readers), 1,
     "threads that decode and augment images ahead of training; 2 if not given"},
    {"method", "NAME", RUN, FLAG_OPTION, 0, 0, "how tokens find experts; the names are below, at method"},
    {"teacher", "FILE", TRAINING, FLAG_TEXT, AT(teacher), 0,
     "a dense model that guides (tgr, and others with a softmax router); a checkpoint or safetensors (finetune: MODEL "
     "itself if it is dense)"},
    {"init", "FILE", COMMAND_TRAIN, FLAG_TEXT, AT(init), 0,
     "take weights of the same name and shape from there (a checkpoint or safetensors); with upcycle=1, experts from a "
     "dense model's FFNs"},
    {"init-optimizer", NULL, COMMAND_TRAIN, FLAG_SWITCH, AT(init_optimizer), 0,
     "with upcycle=1, take the optimizer's moments from there too"},
    {"epochs", "N", TRAINING, FLAG_NUMBER, AT(epochs), 1,
     "train until N epochs are done; the learning rate falls over them (finetune: 10 if not given)"},
    {"steps", "N", RUN, FLAG_NUMBER, AT(steps), 1,
     "train until N steps are done since the start; the rate is constant unless total_steps is set"},
    {"limit", "N", ALL, FLAG_NUMBER, AT(limit), 1, "take only the first N images (train: of the training set)"},
    {"batch", "B", ALL, FLAG_NUMBER, AT(batch), 1, "images in a batch; 128 if not given (finetune: 32)"},
    {"lr", "X", TRAINING, FLAG_OPTION, 0, 0, "learning rate at its highest"},
    {"optimizer", "NAME", TRAINING, FLAG_OPTION, 0, 0, "adamw or sgd"},
    {"seed", "S", TRAINING | COMMAND_IMPORT, FLAG_NUMBER, AT(seed), 0, "of all random numbers; 1 if not given"},
    {"threads", "T", ALL | COMMAND_CLASSIFY, FLAG_NUMBER, AT(threads), 1,
     "threads; as many as there are processors if not given"},
    {"mean", "X[,X,X]", ALL | EXCHANGE | COMMAND_CLASSIFY, FLAG_TEXT, AT(mean), 0,
     "what is subtracted from pixel/255, by channel"},
    {"std", "X[,X,X]", ALL | EXCHANGE | COMMAND_CLASSIFY, FLAG_TEXT, AT(deviation), 0,
     "what the difference is divided by, by channel"},
    {"crop", "X", ALL | EXCHANGE | COMMAND_CLASSIFY, FLAG_TEXT, AT(crop), 0,
     "what of a resized photograph's shorter side the model sees, 0.01 to 1; 0.9 for DeiT"},
    {"interpolation", "NAME", ALL | EXCHANGE | COMMAND_CLASSIFY, FLAG_TEXT, AT(interpolation), 0,
     "how photographs are resized: bilinear or bicubic"},
    {"timm", "NAME", ALL | EXCHANGE | COMMAND_CLASSIFY, FLAG_TEXT, AT(timm), 0,
     "the model is timm's of this name, such as vit_small_patch16_224.augreg_in1k: mean, std, crop and interpolation "
     "are "
     "those that timm has for it"},
    {"bf16", NULL, COMMAND_EXPORT, FLAG_SWITCH, AT(bf16), 0, "write weights as bfloat16, half as large"},
    {"set", "KEY=VALUE", TRAINING, FLAG_SET, 0, 0, "set one of the options below; may be repeated"},
    {"set", "KEY=VALUE", COMMAND_IMPORT | COMMAND_EVAL | COMMAND_CLASSIFY, FLAG_SET, 0, 0,
     "of a model in safetensors: what its shapes do not tell (heads=N); image_size=N resamples positions, classes=N "
     "makes a fresh head"},
    {"save", "FILE", RUN, FLAG_TEXT, AT(save), 0, "write the model and the state of training there at the end"},
    {"save-every", "STEPS", RUN, FLAG_NUMBER, AT(save_every), 1, "and every so many steps"},
    {"resume", "FILE", COMMAND_TRAIN, FLAG_TEXT, AT(resume), 0, "go on from there, to the bit"},
    {"no-shuffle", NULL, TRAINING, FLAG_SWITCH, AT(no_shuffle), 0, "take the images in their order in every epoch"},
    {"augment", "NAME", TRAINING, FLAG_TEXT, AT(augment), 0,
     "how training images are changed: none, crop-flip, or deit (docs/augmentation.md); none if not given (finetune: "
     "crop-flip for photographs)"},
    {"randaugment", "POLICY", TRAINING, FLAG_TEXT, AT(randaugment), 0,
     "operations drawn for each image, such as m9-mstd0.5-inc1, or none"},
    {"color-jitter", "X", TRAINING, FLAG_TEXT, AT(jitter), 0,
     "change brightness, contrast and saturation by factors of 1 - X to 1 + X"},
    {"erase", "P", TRAINING, FLAG_TEXT, AT(erase), 0, "probability with which a rectangle is erased"},
    {"mixup", "A", TRAINING, FLAG_TEXT, AT(mixup), 0, "mix images and labels in pairs, with shares of Beta(A, A)"},
    {"cutmix", "A", TRAINING, FLAG_TEXT, AT(cutmix), 0,
     "put a rectangle of one image into another, with areas of Beta(A, A); half of the time, if mixup is on too"},
    {"probe", "N", TRAINING, FLAG_NUMBER, AT(probe), 1,
     "measure routing on the first N test images; 1000 if not given"},
    {"json", "FILE", RUN | COMMAND_EVAL, FLAG_TEXT, AT(json), 0,
     "write an object for each epoch there, and a final one (eval: this one alone)"},
    {"labels", "A-B", RUN | COMMAND_EVAL, FLAG_TEXT, AT(labels), 0, "take only images with labels A to B"},
    {"methods", "A,B,...", COMMAND_COMPARE, FLAG_TEXT, AT(methods), 0,
     "what to compare, dense,vmoe,tgr if not given; NAME+guided adds a teacher, NAME+upcycled starts from one"},
    {"seeds", "N", COMMAND_COMPARE, FLAG_NUMBER, AT(seeds), 1,
     "train each with so many seeds, from --seed on; 3 if not given"},
    {"sweep", "experts=N,N,...", COMMAND_COMPARE, FLAG_TEXT, AT(sweep), 0, "and with so many experts"},
    {"sweep-methods", "A,B,...", COMMAND_COMPARE, FLAG_TEXT, AT(sweep_methods), 0,
     "the methods to sweep; those of --methods if not given"},
    {"ablation", "NAME,...", COMMAND_COMPARE, FLAG_TEXT, AT(ablation), 0,
     "guidance-window, teacher-layer, oracle, distill-only, finetune: the TGR-MoE paper's own"},
    {"finetune-data", "DIR", COMMAND_COMPARE, FLAG_TEXT, AT(finetune_data), 0,
     "what --ablation finetune goes on with; if not given, one half of the classes after the other"},
    {"out", "DIR", COMMAND_COMPARE, FLAG_TEXT, AT(out), 0,
     "folder for report.html, report.csv and the runs; finished runs there are not trained again"},
    {"model", "FILE", COMMAND_EVAL, FLAG_TEXT, AT(model), 0, "a file that train saved, or safetensors"},
    {"oracle", "FILE", COMMAND_EVAL, FLAG_TEXT, AT(oracle), 0,
     "route as this dense teacher's routers say (method tgr)"},
    {"logits", "FILE", COMMAND_EVAL, FLAG_TEXT, AT(logits), 0, "write the logits: float32 [n, classes], little-endian"},
    {"routing", "FILE", COMMAND_EVAL, FLAG_TEXT, AT(routing), 0,
     "write the first choices: int32 [MoE layers, n * tokens], little-endian"},
    {"markdown", NULL, COMMAND_OPTIONS, FLAG_SWITCH, AT(markdown), 0, "as a page in Markdown"},
    {"svg", "FILE", COMMAND_REPORT, FLAG_TEXT, AT(svg), 0, "draw routing consistency over epochs"},
    {"help", NULL, EVERY, FLAG_SWITCH, AT(help), 0, "show this"},
};

enum { FLAGS = sizeof flags / sizeof *flags };

static int parse_number(const tool_flag *flag, const char *text, int64_t *number) {
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < flag->least) {
        return fail_usage("--%s is '%s'; a whole number of at least %lld is needed", flag->name, text,
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
        if (!equals || equals == text) return fail_usage("--set is '%s'; KEY=VALUE is needed", text);
        key = text;
        length = (size_t)(equals - text);
        setting->value = equals + 1;
    }
    if (length >= sizeof setting->key) return fail_with("--set: there is no option '%.*s'", (int)length, key);
    memcpy(setting->key, key, length);
    out->setting_count++;
    return 0;
}

static int take(tool_arguments *out, const tool_flag *flag, const char *text) {
    void *place = (char *)out + flag->offset;
    switch (flag->kind) {
        case FLAG_TEXT:
            *(const char **)place = text;
            return 0;
        case FLAG_NUMBER:
            return parse_number(flag, text, place);
        case FLAG_SWITCH:
            *(int *)place = 1;
            return 0;
        case FLAG_OPTION:
        case FLAG_SET:
            return add_setting(out, flag, text);
    }
    return 0;
}

int arguments_parse(tool_arguments *out, tool_command command, int argc, char **argv) {
    struct option table[FLAGS + 1] = {{0}};
    int count = 0;
    for (int i = 0; i < FLAGS; i++) {
        if (!(flags[i].commands & (unsigned)command)) continue;
        table[count++] =
            (struct option){flags[i].name, flags[i].value ? required_argument : no_argument, NULL, i + 256};
    }
    *out = (tool_arguments){.epochs = UNSET,
                            .steps = UNSET,
                            .limit = UNSET,
                            .batch = UNSET,
                            .seed = UNSET,
                            .seeds = UNSET,
                            .threads = UNSET,
                            .readers = UNSET,
                            .save_every = UNSET,
                            .probe = UNSET};
    opterr = 0;
    optind = 1;
    for (;;) {
        const int at = optind;
        const int found = getopt_long(argc, argv, ":", table, NULL);
        if (found == -1) break;
        if (found == ':') return fail_usage("%s: %s needs a value", argv[0], argv[optind - 1]);
        if (found == '?') return fail_usage("%s: there is no flag %s, or it takes no value", argv[0], argv[at]);
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
        return fail_usage("--labels is '%s'; two labels with a dash between are needed, such as 0-4", text);
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
            return fail_usage("--%s is '%s'; one number is needed, or %lld between commas", flag, text,
                              (long long)channels);
        }
        numbers[count++] = number;
        at = *end == ',' ? end + 1 : end;
    }
    if (count != 1 && count != channels) {
        return fail_usage("--%s is '%s'; one number is needed, or %lld between commas", flag, text,
                          (long long)channels);
    }
    for (int64_t i = count; i < channels; i++) numbers[i] = numbers[0];
    return 0;
}
