/* SPDX-License-Identifier: MIT */
/**
 * @file options.h
 * Every option, method and preset, each in one table. The setters, range errors, checkpoint header, command line, help
 * and the reference page are all derived from these tables. Numbers never change; an option that is removed leaves a
 * gap.
 */
#ifndef TGRMOE_OPTIONS_H
#define TGRMOE_OPTIONS_H

#include "tgrmoe/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Tables of choices. Each begins with the columns X(index, NAME, word, "name", at least one more): `index` is the value
 * of the option, counted from 0, NAME makes it an enumerator, `word` is its name in C, "name" its name as text. The
 * enums, the choices of the option table, and what the library looks up by index are derived from these rows: to add a
 * choice, add a row at the end.
 */

/** The traits of V-MoE's gate. */
#define TGR_GATE_TRAITS "experts|softmax|top_k|balance|capacity|priority|renormalize"

/**
 * Every method: X(index, NAME, word, "name", "traits", "defaults that it replaces", "source"). Traits are separated by
 * bars; a method uses the options that have one of its traits in their row:
 *  - experts: it has experts
 *  - softmax: its probabilities are the softmax of a linear router, which a teacher can guide
 *  - top_k: a token goes to K experts, in evaluation at least (or could: one list of sizes serves `dense`, too)
 *  - balance: the same, and how evenly is a matter of losses
 *  - capacity: experts have a limited number of slots
 *  - priority: tokens take slots by their largest gate
 *  - noise: training adds noise to the logits
 *  - renormalize: gates can be made to sum to one
 *  - its own name: it alone
 */
#define TGR_METHOD_MAP(X)                                                                                          \
    X(0, DENSE, dense, "dense", "top_k", "",                                                                       \
      "Dosovitskiy et al., ICLR 2021, arXiv 2010.11929; Touvron et al., arXiv 2012.12877")                         \
    X(1, VMOE, vmoe, "vmoe", TGR_GATE_TRAITS "|noise", "router_noise=1 importance_weight=0.005 load_weight=0.005", \
      "Riquelme et al., NeurIPS 2021, arXiv 2106.05974")                                                           \
    X(2, TGR, tgr, "tgr", TGR_GATE_TRAITS "|noise", "router_noise=1", "Kada et al., CVPR 2026, arXiv 2604.21330")  \
    X(3, SWITCH, switch, "switch", TGR_GATE_TRAITS "|noise", "switch_weight=0.01",                                 \
      "Fedus et al., JMLR 2022, arXiv 2101.03961")                                                                 \
    X(4, STABLE, stable, "stable", "experts", "", "Dai et al., ACL 2022, arXiv 2204.08396")                        \
    X(5, DEFAULT, default, "default", "experts|softmax|top_k|balance", "switch_weight=0.01",                       \
      "Panda et al., NeurIPS 2025, arXiv 2504.12463")                                                              \
    X(6, EXPERT_CHOICE, expert_choice, "expert-choice", "experts|softmax|capacity",                                \
      "capacity_factor=1 eval_capacity_factor=1", "Zhou et al., NeurIPS 2022, arXiv 2202.09368")                   \
    X(7, SOFT, soft, "soft", "experts", "", "Puigcerver et al., ICLR 2024, arXiv 2308.00951")                      \
    X(8, HASH, hash, "hash", "experts", "", "Roller et al., NeurIPS 2021, arXiv 2106.04426")                       \
    X(9, BASE, base, "base", "experts", "", "Lewis et al., ICML 2021, arXiv 2103.16716")                           \
    X(10, LOSS_FREE, loss_free, "loss-free", TGR_GATE_TRAITS, "",                                                  \
      "Wang et al., arXiv 2408.15664; DeepSeek-AI, arXiv 2412.19437")                                              \
    X(11, DENSE_TRAIN, dense_train, "dense-train", "experts|softmax|top_k|balance|renormalize", "mi_weight=0.01",  \
      "Pan et al., arXiv 2404.05567")                                                                              \
    X(12, EVOMOE, evomoe, "evomoe", "experts|softmax|top_k|balance|renormalize", "", "Nie et al., arXiv 2112.14397")

/** The values of option `method`. */
typedef enum tgr_method_index {
#define TGR_METHOD_ENUM(index, NAME, ...) TGR_METHOD_##NAME = index,
    TGR_METHOD_MAP(TGR_METHOD_ENUM)
#undef TGR_METHOD_ENUM
} tgr_method_index;

/** Every preset: X(index, NAME, word, "name", "defaults that it replaces"). */
#define TGR_PRESET_MAP(X)                                                                                         \
    X(0, NONE, none, "none", "")                                                                                  \
    X(1, FASHION, fashion, "fashion",                                                                             \
      "image_size=28 channels=1 patch_size=4 classes=10 embed_dim=96 depth=6 heads=4 experts=8 moe_blocks=2,4,6") \
    X(2, TINY, tiny, "tiny", "embed_dim=192 heads=3")                                                             \
    X(3, SMALL, small, "small", "embed_dim=384 heads=6")                                                          \
    X(4, BASE, base, "base", "embed_dim=768 heads=12")

/** The values of option `preset`. */
typedef enum tgr_preset {
#define TGR_PRESET_ENUM(index, NAME, ...) TGR_PRESET_##NAME = index,
    TGR_PRESET_MAP(TGR_PRESET_ENUM)
#undef TGR_PRESET_ENUM
} tgr_preset;

/** Every optimizer: X(index, NAME, word, "name", "source"). */
#define TGR_OPTIMIZER_MAP(X)                                                        \
    X(0, ADAMW, adamw, "adamw", "Loshchilov & Hutter, ICLR 2019, arXiv 1711.05101") \
    X(1, SGD, sgd, "sgd", "Sutskever et al., ICML 2013")

/** The values of option `optimizer`. */
typedef enum tgr_optimizer_index {
#define TGR_OPTIMIZER_ENUM(index, NAME, ...) TGR_OPTIMIZER_##NAME = index,
    TGR_OPTIMIZER_MAP(TGR_OPTIMIZER_ENUM)
#undef TGR_OPTIMIZER_ENUM
} tgr_optimizer_index;

/** Every schedule of the learning rate after warm-up: X(index, NAME, word, "name", "what it is"). */
#define TGR_SCHEDULE_MAP(X)                                                        \
    X(0, COSINE, cosine, "cosine", "half a cosine, down to min_lr at total_steps") \
    X(1, CONSTANT, constant, "constant", "no decay")

/** The values of option `schedule`. */
typedef enum tgr_schedule {
#define TGR_SCHEDULE_ENUM(index, NAME, ...) TGR_SCHEDULE_##NAME = index,
    TGR_SCHEDULE_MAP(TGR_SCHEDULE_ENUM)
#undef TGR_SCHEDULE_ENUM
} tgr_schedule;

/** What training recomputes in backward; the same columns. */
#define TGR_RECOMPUTE_MAP(X)                                                    \
    X(0, NONE, none, "none", "nothing: everything that backward needs is kept") \
    X(1, EXPERTS, experts, "experts", "the experts of MoE layers")              \
    X(2, BLOCKS, blocks, "blocks", "whole blocks, from their inputs")

/** The values of option `recompute`. */
typedef enum tgr_recompute {
#define TGR_RECOMPUTE_ENUM(index, NAME, ...) TGR_RECOMPUTE_##NAME = index,
    TGR_RECOMPUTE_MAP(TGR_RECOMPUTE_ENUM)
#undef TGR_RECOMPUTE_ENUM
} tgr_recompute;

/** What the operands of matrix products are rounded to; the same columns. */
#define TGR_PRECISION_MAP(X)                         \
    X(0, FLOAT32, float32, "float32", "no rounding") \
    X(1, BFLOAT16, bfloat16, "bfloat16", "the nearest bfloat16, ties to even")

/** The values of option `precision`. */
typedef enum tgr_precision {
#define TGR_PRECISION_ENUM(index, NAME, ...) TGR_PRECISION_##NAME = index,
    TGR_PRECISION_MAP(TGR_PRECISION_ENUM)
#undef TGR_PRECISION_ENUM
} tgr_precision;

/** What a teacher router reads of a teacher's block; the same columns. */
#define TGR_FEATURE_MAP(X)                                        \
    X(0, FFN_INPUT, ffn_input, "ffn_input", "what its FFN reads") \
    X(1, BLOCK_OUTPUT, block_output, "block_output", "its output")

/** The values of option `teacher_feature`. */
typedef enum tgr_feature {
#define TGR_FEATURE_ENUM(index, NAME, ...) TGR_FEATURE_##NAME = index,
    TGR_FEATURE_MAP(TGR_FEATURE_ENUM)
#undef TGR_FEATURE_ENUM
} tgr_feature;

/** How a teacher router trains; the same columns. */
#define TGR_TEACHER_ROUTER_MAP(X)                         \
    X(0, JOINT, joint, "joint", "along with the student") \
    X(1, FROZEN, frozen, "frozen", "not at all: it keeps its initial weights")

/** The values of option `teacher_router`. */
typedef enum tgr_teacher_router_index {
#define TGR_TEACHER_ROUTER_ENUM(index, NAME, ...) TGR_TEACHER_ROUTER_##NAME = index,
    TGR_TEACHER_ROUTER_MAP(TGR_TEACHER_ROUTER_ENUM)
#undef TGR_TEACHER_ROUTER_ENUM
} tgr_teacher_router_index;

/**
 * Every option: X(number, NAME, "key", TYPE, allowed, "default", "trait", "what it is"). Types: I64 a whole number, F64
 * a real number, BOOL 0 or 1, CHOICE one of a table's names, LIST whole numbers separated by commas. Allowed:
 * TGR_RANGE(least, most), or TGR_CHOICES(table) for a CHOICE; whoever expands that column defines both. The default may
 * be replaced by the preset or the method while the key is unset. Trait: that of the methods that use the option, or ""
 * if it does not depend on the method; setting an option that the method does not use is an error when a model, router
 * or MoE layer is made.
 */
#define TGR_OPTION_MAP(X)                                                                                              \
    X(100, PRESET, "preset", CHOICE, TGR_CHOICES(TGR_PRESET_MAP), "none", "", "model sizes by name")                   \
    X(101, IMAGE_SIZE, "image_size", I64, TGR_RANGE(1, 8192), "224", "", "height and width of an image, in pixels")    \
    X(102, CHANNELS, "channels", I64, TGR_RANGE(1, 1024), "3", "", "colour channels of an image")                      \
    X(103, PATCH_SIZE, "patch_size", I64, TGR_RANGE(1, 1024), "16", "",                                                \
      "height and width of a patch; divides image_size")                                                               \
    X(104, CLASSES, "classes", I64, TGR_RANGE(0, 1000000), "1000", "",                                                 \
      "outputs of the head; 0 for a model without a head")                                                             \
    X(105, EMBED_DIM, "embed_dim", I64, TGR_RANGE(1, 65536), "192", "", "width d of the model; a multiple of heads")   \
    X(106, DEPTH, "depth", I64, TGR_RANGE(1, 1024), "12", "", "number of transformer blocks")                          \
    X(107, HEADS, "heads", I64, TGR_RANGE(1, 1024), "3", "", "attention heads")                                        \
    X(108, MLP_RATIO, "mlp_ratio", F64, TGR_RANGE(0.01, 64), "4", "",                                                  \
      "hidden width of an FFN, or of an expert, over d")                                                               \
    X(109, DISTILLATION_TOKEN, "distillation_token", BOOL, TGR_RANGE(0, 1), "0", "", "DeiT's second token and head")   \
    X(110, LAYER_SCALE, "layer_scale", F64, TGR_RANGE(0, 10), "0", "",                                                 \
      "initial LayerScale of both branches; 0 for none")                                                               \
    X(111, DROP_PATH, "drop_path", F64, TGR_RANGE(0, 0.99), "0", "",                                                   \
      "stochastic depth of the last block, linear from 0")                                                             \
    X(112, POSITION_CLS, "position_cls", BOOL, TGR_RANGE(0, 1), "1", "", "whether positions cover CLS (DeiT-III: 0)")  \
    X(113, INIT_STD, "init_std", F64, TGR_RANGE(0, 10), "0.02", "", "deviation of initial weights and positions")      \
    X(114, NORM_EPSILON, "norm_epsilon", F64, TGR_RANGE(1e-12, 1), "1e-6", "", "epsilon of LayerNorm")                 \
    X(115, RECOMPUTE, "recompute", CHOICE, TGR_CHOICES(TGR_RECOMPUTE_MAP), "none", "",                                 \
      "what backward recomputes instead of keeping it: slower, less memory, the same results")                         \
    X(116, PRECISION, "precision", CHOICE, TGR_CHOICES(TGR_PRECISION_MAP), "float32", "",                              \
      "what matrix products round their operands to; sums, weights, router and softmax stay float32")                  \
    X(200, METHOD, "method", CHOICE, TGR_CHOICES(TGR_METHOD_MAP), "dense", "", "the routing method")                   \
    X(201, EXPERTS, "experts", I64, TGR_RANGE(1, 4096), "8", "", "experts E of a MoE layer")                           \
    X(202, TOP_K, "top_k", I64, TGR_RANGE(1, 4096), "1", "top_k", "experts K that a token goes to; at most experts")   \
    X(203, MOE_BLOCKS, "moe_blocks", LIST, TGR_RANGE(1, 1024), "8,10,12", "", "blocks with experts, counted from 1")   \
    X(204, CAPACITY_FACTOR, "capacity_factor", F64, TGR_RANGE(0, 4096), "0", "capacity",                               \
      "slots of an expert in training, over tokens*K/E; 0 for no limit (expert-choice: tokens/E, not 0)")              \
    X(205, EVAL_CAPACITY_FACTOR, "eval_capacity_factor", F64, TGR_RANGE(0, 4096), "0", "capacity",                     \
      "the same in evaluation")                                                                                        \
    X(206, BATCH_PRIORITIZED, "batch_prioritized", BOOL, TGR_RANGE(0, 1), "1", "priority",                             \
      "whether tokens take slots by largest gate, not by position")                                                    \
    X(207, ROUTER_NOISE, "router_noise", F64, TGR_RANGE(0, 1000), "0", "noise",                                        \
      "deviation of the noise on logits in training, times E")                                                         \
    X(208, RENORMALIZE, "renormalize", BOOL, TGR_RANGE(0, 1), "0", "renormalize",                                      \
      "whether a token's K gates are divided by their sum")                                                            \
    X(209, IMPORTANCE_WEIGHT, "importance_weight", F64, TGR_RANGE(0, 1000), "0", "balance",                            \
      "weight of V-MoE's importance loss")                                                                             \
    X(210, LOAD_WEIGHT, "load_weight", F64, TGR_RANGE(0, 1000), "0", "noise", "weight of V-MoE's load loss")           \
    X(211, SWITCH_WEIGHT, "switch_weight", F64, TGR_RANGE(0, 1000), "0", "balance", "weight of Switch's balance loss") \
    X(212, Z_WEIGHT, "z_weight", F64, TGR_RANGE(0, 1000), "0", "softmax", "weight of the router z-loss")               \
    X(213, ROUTER_TASK_GRADIENT, "router_task_gradient", BOOL, TGR_RANGE(0, 1), "1", "softmax",                        \
      "whether the task's gradient reaches the router")                                                                \
    X(214, ROUTER_INIT_STD, "router_init_std", F64, TGR_RANGE(0, 10), "0.02", "softmax",                               \
      "deviation of initial router weights")                                                                           \
    X(215, SHARED_EXPERTS, "shared_experts", I64, TGR_RANGE(0, 4096), "0", "experts",                                  \
      "additional experts that every token goes to, with weight 1")                                                    \
    X(220, STABLE_BALANCE_WEIGHT, "stable_balance_weight", F64, TGR_RANGE(0, 1000), "0.3", "stable",                   \
      "weight of StableMoE's balance loss")                                                                            \
    X(221, STABLE_DISTILL_WEIGHT, "stable_distill_weight", F64, TGR_RANGE(0, 1000), "0.3", "stable",                   \
      "weight of the loss that trains StableMoE's distilled router")                                                   \
    X(222, STABLE_STAGE1, "stable_stage1", F64, TGR_RANGE(0, 1), "0.1", "stable",                                      \
      "share of total_steps after which StableMoE's routing is frozen")                                                \
    X(223, STABLE_WIDTH, "stable_width", I64, TGR_RANGE(1, 65536), "50", "stable",                                     \
      "width of the features that StableMoE's distilled router reads")                                                 \
    X(230, DEFAULT_BETA, "default_beta", F64, TGR_RANGE(0, 1), "0.9", "default",                                       \
      "share of an expert's default output that each update keeps")                                                    \
    X(231, DEFAULT_WEIGHTED, "default_weighted", BOOL, TGR_RANGE(0, 1), "1", "default",                                \
      "whether default outputs are means weighted by the router's probabilities")                                      \
    X(240, SOFT_SLOTS, "soft_slots", I64, TGR_RANGE(0, 65536), "0", "soft",                                            \
      "slots of an expert for each image; 0 for tokens of an image over E, rounded up")                                \
    X(245, BIAS_RATE, "bias_rate", F64, TGR_RANGE(0, 1000), "0.001", "loss-free",                                      \
      "how much a bias changes after each step, towards balance")                                                      \
    X(250, MI_WEIGHT, "mi_weight", F64, TGR_RANGE(0, 1000), "0", "dense-train",                                        \
      "weight of the mutual information loss of DS-MoE")                                                               \
    X(255, EVO_TEMPERATURE_START, "evo_temperature_start", F64, TGR_RANGE(1e-3, 1000), "2", "evomoe",                  \
      "temperature of EvoMoE's gate at the start")                                                                     \
    X(256, EVO_TEMPERATURE_END, "evo_temperature_end", F64, TGR_RANGE(1e-3, 1000), "0.3", "evomoe",                    \
      "temperature of EvoMoE's gate when it is sparse")                                                                \
    X(257, EVO_DENSE_SHARE, "evo_dense_share", F64, TGR_RANGE(0, 1), "0.5", "evomoe",                                  \
      "share of total_steps over which EvoMoE's gate goes from dense to sparse")                                       \
    X(258, EVO_THRESHOLD, "evo_threshold", F64, TGR_RANGE(0, 1), "0.001", "evomoe",                                    \
      "gate above which EvoMoE runs an expert while its temperature falls")                                            \
    X(260, UPCYCLE, "upcycle", BOOL, TGR_RANGE(0, 1), "0", "experts",                                                  \
      "whether every expert starts as a copy of a dense model's FFN")                                                  \
    X(261, UPCYCLE_NOISE, "upcycle_noise", F64, TGR_RANGE(0, 10), "0", "experts",                                      \
      "deviation of noise on copied experts, over that of the weights copied")                                         \
    X(300, DISTILL_WEIGHT, "distill_weight", F64, TGR_RANGE(0, 1000), "5", "softmax",                                  \
      "weight of the teacher's guidance")                                                                              \
    X(301, TEACHER_LOAD_WEIGHT, "teacher_load_weight", F64, TGR_RANGE(0, 1000), "0.005", "softmax",                    \
      "weight of balance in the teacher router's objective")                                                           \
    X(302, TEACHER_ENTROPY_WEIGHT, "teacher_entropy_weight", F64, TGR_RANGE(0, 1000), "0.005", "softmax",              \
      "weight of confidence in the teacher router's objective")                                                        \
    X(303, GUIDANCE_START, "guidance_start", F64, TGR_RANGE(0, 1), "0", "softmax",                                     \
      "where guidance begins, as a share of total_steps")                                                              \
    X(304, GUIDANCE_END, "guidance_end", F64, TGR_RANGE(0, 1), "1", "softmax",                                         \
      "where guidance ends, as a share of total_steps")                                                                \
    X(305, TEACHER_LAYERS, "teacher_layers", LIST, TGR_RANGE(1, 1024), "", "softmax",                                  \
      "teacher blocks that guide the MoE blocks, one each or one for all; empty for the same blocks")                  \
    X(306, TEACHER_FEATURE, "teacher_feature", CHOICE, TGR_CHOICES(TGR_FEATURE_MAP), "ffn_input", "softmax",           \
      "what the teacher router reads of a teacher block")                                                              \
    X(307, TEACHER_ROUTER, "teacher_router", CHOICE, TGR_CHOICES(TGR_TEACHER_ROUTER_MAP), "joint", "softmax",          \
      "whether the teacher router trains along with the student")                                                      \
    X(308, TEACHER_LR, "teacher_lr", F64, TGR_RANGE(0, 1000), "0", "softmax",                                          \
      "learning rate of the teacher router; 0 for lr")                                                                 \
    X(309, TEACHER_CACHE_MB, "teacher_cache_mb", I64, TGR_RANGE(0, 1048576), "0", "softmax",                           \
      "most memory for cached teacher features, in MiB; 0 for no cache")                                               \
    X(400, OPTIMIZER, "optimizer", CHOICE, TGR_CHOICES(TGR_OPTIMIZER_MAP), "adamw", "", "the optimizer")               \
    X(401, LR, "lr", F64, TGR_RANGE(0, 1000), "0.001", "", "learning rate at its highest")                             \
    X(402, WEIGHT_DECAY, "weight_decay", F64, TGR_RANGE(0, 1000), "0.05", "",                                          \
      "decoupled (adamw) or L2 (sgd) weight decay")                                                                    \
    X(403, BETA1, "beta1", F64, TGR_RANGE(0, 0.999999), "0.9", "", "AdamW's decay of the first moment")                \
    X(404, BETA2, "beta2", F64, TGR_RANGE(0, 0.9999999), "0.999", "", "AdamW's decay of the second moment")            \
    X(405, ADAM_EPSILON, "adam_epsilon", F64, TGR_RANGE(1e-30, 1), "1e-8", "", "AdamW's epsilon")                      \
    X(406, MOMENTUM, "momentum", F64, TGR_RANGE(0, 0.999999), "0.9", "", "SGD's momentum")                             \
    X(407, CLIP_NORM, "clip_norm", F64, TGR_RANGE(0, 1e9), "0", "",                                                    \
      "largest global norm of the gradient; 0 for no clipping")                                                        \
    X(408, SCHEDULE, "schedule", CHOICE, TGR_CHOICES(TGR_SCHEDULE_MAP), "cosine", "",                                  \
      "how the learning rate falls after warm-up (constant when total_steps is 0)")                                    \
    X(409, TOTAL_STEPS, "total_steps", I64, TGR_RANGE(0, 4294967295), "0", "",                                         \
      "optimizer steps of the whole training; 0 if unknown")                                                           \
    X(410, WARMUP_STEPS, "warmup_steps", I64, TGR_RANGE(0, 4294967295), "0", "",                                       \
      "steps over which the learning rate rises linearly")                                                             \
    X(411, MIN_LR, "min_lr", F64, TGR_RANGE(0, 1000), "0", "", "learning rate at the end of the cosine")               \
    X(500, LABEL_SMOOTHING, "label_smoothing", F64, TGR_RANGE(0, 0.999), "0", "",                                      \
      "share of a label spread over all classes")

/** The numbers of the options. */
typedef enum tgr_option {
#define TGR_OPTION_ENUM(number, NAME, ...) TGR_OPTION_##NAME = number,
    TGR_OPTION_MAP(TGR_OPTION_ENUM)
#undef TGR_OPTION_ENUM
} tgr_option;

/** The type of an option's value. */
typedef enum tgr_option_type {
    TGR_TYPE_I64 = 0,
    TGR_TYPE_F64 = 1,
    TGR_TYPE_BOOL = 2,
    TGR_TYPE_CHOICE = 3,
    TGR_TYPE_LIST = 4
} tgr_option_type;

/** How many options the running library has. */
TGR_API int64_t tgr_option_count(void);
/** The option at `index` in [0, tgr_option_count()), in the order of the table; 0, which is no option, otherwise. */
TGR_API tgr_option tgr_option_at(int64_t index);
/** The option with that key; 0 if there is none. */
TGR_API tgr_option tgr_option_find(const char *key);

/** A row of the option table. Texts live as long as the library. */
typedef struct tgr_option_description {
    size_t struct_size;   /**< sizeof(tgr_option_description), set by the caller */
    const char *key;      /**< such as "top_k" */
    tgr_option_type type; /**< the type of its value */
    double least, most;   /**< what is allowed; for a LIST, of each number; for a CHOICE, of the index */
    const char *standard; /**< the default, as text */
    const char *choices;  /**< for a CHOICE: the names separated by bars, in the order of their indices; else NULL */
    const char *trait;    /**< that of the methods that use it; "" if it does not depend on the method */
    const char *help;     /**< what it is */
} tgr_option_description;
TGR_API tgr_status tgr_option_describe(tgr_option option, tgr_option_description *description);

/** How many methods the running library has; they are the choices of option `method`. */
TGR_API int64_t tgr_method_count(void);
/** The index of the method with that name; -1 if there is none. */
TGR_API int64_t tgr_method_find(const char *name);

/** A row of the method table. Texts live as long as the library. */
typedef struct tgr_method_description {
    size_t struct_size;   /**< sizeof(tgr_method_description), set by the caller */
    const char *name;     /**< such as "vmoe" */
    const char *traits;   /**< separated by bars */
    const char *defaults; /**< that it replaces, "key=value key=value" */
    const char *source;   /**< where it was published */
} tgr_method_description;
/** Describes method `index` in [0, tgr_method_count()). */
TGR_API tgr_status tgr_method_describe(int64_t index, tgr_method_description *description);
/** 1 if a method (by index) uses an option or the option does not depend on the method, else 0; 0 if there is no such
 *  method or option. */
TGR_API int tgr_method_uses_option(int64_t method, tgr_option option);

/** A config with nothing set: every option has its default. */
TGR_API tgr_status tgr_config_create(tgr_config **out, tgr_context *context);
/** A config with the same options set. */
TGR_API tgr_status tgr_config_copy(tgr_config **out, const tgr_config *config);
TGR_API void tgr_config_free(tgr_config *config);

/** Sets an option of type I64, BOOL or CHOICE (by index). */
TGR_API tgr_status tgr_config_set_i64(tgr_config *config, tgr_option option, int64_t value);
/** Sets an option of type F64. */
TGR_API tgr_status tgr_config_set_f64(tgr_config *config, tgr_option option, double value);
/** Sets an option of type LIST: `count` numbers, strictly ascending for moe_blocks, 0 to 128 of them. */
TGR_API tgr_status tgr_config_set_list(tgr_config *config, tgr_option option, const int64_t *values, int64_t count);
/** Sets any option from text, by key: "8", "0.5", "tgr", "8,10,12"; booleans are 0 or 1. */
TGR_API tgr_status tgr_config_set(tgr_config *config, const char *key, const char *value);

/** The value in force: the one set, else the method's, else the preset's, else the table's. */
TGR_API tgr_status tgr_config_get_i64(const tgr_config *config, tgr_option option, int64_t *value);
TGR_API tgr_status tgr_config_get_f64(const tgr_config *config, tgr_option option, double *value);
/** Writes up to `capacity` numbers to `values` (which may be NULL if that is 0) and how many there are to `count`. */
TGR_API tgr_status tgr_config_get_list(const tgr_config *config, tgr_option option, int64_t *values, int64_t capacity,
                                       int64_t *count);
/** Writes the value as text with its terminating NUL; `size` must be large enough (1024 always is). */
TGR_API tgr_status tgr_config_get(const tgr_config *config, const char *key, char *text, size_t size);
/** Whether the option was set by the caller: 1, or 0 when it has a default. */
TGR_API int tgr_config_is_set(const tgr_config *config, tgr_option option);

#ifdef __cplusplus
}
#endif
#endif
