/* SPDX-License-Identifier: MIT */
/* The kind of the pretrained model decides what a user would otherwise have to specify: a dense one is upcycled and
 * guides its student, a sparse one continues with the routing that it has. */
#include "commands/finetune.h"

#include <stdio.h>
#include <string.h>
#include <tgrmoe/options.h>

#include "commands/pretrained.h"
#include "commands/train.h"
#include "data/folder_load.h"
#include "failure.h"

typedef struct finetune_plan {
    const char *path;
    pretrained model;
    const char *method;
    char blocks[32];
    tool_arguments arguments; /* for train */
} finetune_plan;

static const int64_t default_epochs = 10, default_batch = 32;

/* Small steps: most of the weights are already trained. */
static const tool_setting gentle[] = {{"lr", "0.0001"}, {"clip_norm", "1"}};

static int check_arguments(const tool_arguments *arguments) {
    if (arguments->file_count == 0) {
        return fail_usage("finetune: the model to start from is missing: a checkpoint or safetensors");
    }
    if (arguments->file_count > 1) return fail_usage("finetune: '%s' is not a flag", arguments->files[1]);
    if (!arguments->data) return fail_usage("finetune: --data is missing");
    return 0;
}

/* The MoE blocks of a student: every second one counted from the last, at most three. For 12 blocks these are the
 * TGR-MoE paper's 8, 10 and 12. */
static void choose_blocks(char *text, size_t size, int64_t depth) {
    int64_t first = depth;
    for (int more = 0; more < 2 && first > 2; more++) first -= 2;
    *text = '\0';
    for (int64_t block = first; block <= depth; block += 2) {
        const size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%lld", used ? "," : "", (long long)block);
    }
}

/* A student of a dense model has its sizes, experts made from its FFNs, and its guidance. */
static int plan_student(finetune_plan *plan, const tool_arguments *given) {
    int result = 0;
    tool_arguments *arguments = &plan->arguments;
    if (strcmp(plan->method, "dense") == 0) goto done;
    choose_blocks(plan->blocks, sizeof plan->blocks, plan->model.depth);
    TRY(arguments_set(arguments, "moe_blocks", plan->blocks));
    TRY(arguments_set(arguments, "upcycle", "1"));
    if (!given->teacher && strcmp(plan->method, "tgr") == 0) arguments->teacher = plan->path;
done:
    return result;
}

/* The file of a guided model does not contain its teacher. */
static int plan_sparse(finetune_plan *plan, const tool_arguments *given) {
    if (!given->teacher && strcmp(plan->method, "tgr") == 0) {
        return fail_usage(
            "finetune: %s was guided; give its dense teacher with --teacher FILE again, or continue without one with "
            "--method vmoe",
            plan->path);
    }
    return 0;
}

static int plan_run(finetune_plan *plan, const tool_arguments *given) {
    int result = 0;
    tool_arguments *arguments = &plan->arguments;
    const char *method = arguments_setting(given, "method");
    *arguments = *given;
    arguments->init = plan->path;
    arguments->file_count = arguments->setting_count = 0;
    plan->method = method ? method : plan->model.dense ? "tgr" : plan->model.method;
    const int64_t method_index = tgr_method_find(plan->method); /* train says what is wrong with the name */
    TRY(arguments_set(arguments, "method", plan->method));
    for (int i = 0; i < plan->model.count; i++) {
        const tool_setting *own = &plan->model.settings[i];
        const int used = tgr_method_uses_option(method_index, tgr_option_find(own->key));
        if (used) TRY(arguments_set(arguments, own->key, own->value));
    }
    TRY(plan->model.dense ? plan_student(plan, given) : plan_sparse(plan, given));
    for (size_t i = 0; i < sizeof gentle / sizeof *gentle; i++) {
        TRY(arguments_set(arguments, gentle[i].key, gentle[i].value));
    }
    if (given->epochs == UNSET && given->steps == UNSET) arguments->epochs = default_epochs;
    if (given->batch == UNSET) arguments->batch = default_batch;
    if (!given->augment && folder_detect(given->data)) arguments->augment = "crop-flip";
    for (int i = 0; i < given->setting_count; i++) {
        TRY(arguments_set(arguments, given->settings[i].key, given->settings[i].value));
    }
done:
    return result;
}

static void say_plan(const finetune_plan *plan) {
    const tool_arguments *arguments = &plan->arguments;
    const char *blocks = arguments_setting(arguments, "moe_blocks"), *experts = arguments_setting(arguments, "experts");
    const char *top_k = arguments_setting(arguments, "top_k");
    printf("%s, %s, %lld blocks\n", plan->path, plan->model.dense ? "dense" : plan->model.method,
           (long long)plan->model.depth);
    printf("  fine-tuned with method %s", plan->method);
    if (strcmp(plan->method, "dense") != 0) {
        printf(", blocks %s, %s experts, %s per token", blocks, experts ? experts : "8", top_k ? top_k : "1");
    }
    if (arguments->teacher) printf(", guided by %s", arguments->teacher);
    printf("\n  batch %lld, lr %s, augmentation %s", (long long)arguments->batch, arguments_setting(arguments, "lr"),
           arguments->augment ? arguments->augment : "none");
    if (arguments->steps != UNSET)
        printf(", %lld steps\n", (long long)arguments->steps);
    else
        printf(", %lld epochs\n", (long long)arguments->epochs);
    fflush(stdout);
}

int command_finetune(const tool_arguments *arguments) {
    int result = 0;
    finetune_plan plan = {0};
    TRY(check_arguments(arguments));
    plan.path = arguments->files[0];
    TRY(pretrained_read(&plan.model, plan.path, arguments));
    TRY(plan_run(&plan, arguments));
    say_plan(&plan);
    TRY(command_train(&plan.arguments));
done:
    return result;
}
