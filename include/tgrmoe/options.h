/* SPDX-License-Identifier: MIT */
/**
 * @file options.h
 * Every option, method and preset, each in one table. The setters, range errors, checkpoint header, command line, help
 * and the reference page are all derived from these tables. Numbers never change; an option that is gone leaves a gap.
 */
#ifndef TGRMOE_OPTIONS_H
#define TGRMOE_OPTIONS_H

#include "tgrmoe/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Sets of methods, for the column `methods` of the table below. */
#define TGR_WITH_EXPERTS "vmoe|tgr|switch|stable|default|expert-choice|soft|hash|base|loss-free|dense-train|evomoe"
/** Those whose probabilities are the softmax of a linear router, which a teacher can guide. */
#define TGR_WITH_SOFTMAX "vmoe|tgr|switch|default|expert-choice|loss-free|dense-train|evomoe"
/** Those of them where a token chooses K experts (in evaluation at least), so that balance is a matter of losses. */
#define TGR_WITH_TOP_K "vmoe|tgr|switch|default|loss-free|dense-train|evomoe"

/**
 * Every option: X(number, NAME, "key", TYPE, least, most, "default", "choices or NULL", "methods", "what it is").
 * Types: I64 a whole number, F64 a real number, BOOL 0 or 1, CHOICE one of the names between bars, LIST whole numbers
 * between commas, ascending. The default may be replaced by the preset or the method (see below) while the key is
 * unset. Methods: the names, between bars, of those that use the option, or "" where it does not hang on the method;
 * setting an option that the method in force does not use is an error when a model, router or MoE layer is made.
 * (Sizes of MoE layers are taken by `dense`, too, so that one list of sizes serves a teacher and its students.)
 */
#define TGR_OPTION_MAP(X)                                                                                              \
    X(100, PRESET, "preset", CHOICE, 0, 4, "none", "none|fashion|tiny|small|base", "", "model sizes by name")          \
    X(101, IMAGE_SIZE, "image_size", I64, 1, 8192, "224", NULL, "", "height and width of an image, in pixels")         \
    X(102, CHANNELS, "channels", I64, 1, 1024, "3", NULL, "", "colour channels of an image")                           \
    X(103, PATCH_SIZE, "patch_size", I64, 1, 1024, "16", NULL, "", "height and width of a patch; divides image_size")  \
    X(104, CLASSES, "classes", I64, 0, 1000000, "1000", NULL, "", "outputs of the head; 0 for a model without a head") \
    X(105, EMBED_DIM, "embed_dim", I64, 1, 65536, "192", NULL, "", "width d of the model; a multiple of heads")        \
    X(106, DEPTH, "depth", I64, 1, 1024, "12", NULL, "", "number of transformer blocks")                               \
    X(107, HEADS, "heads", I64, 1, 1024, "3", NULL, "", "attention heads")                                             \
    X(108, MLP_RATIO, "mlp_ratio", F64, 0.01, 64, "4", NULL, "", "hidden width of an FFN, or of an expert, over d")    \
    X(109, DISTILLATION_TOKEN, "distillation_token", BOOL, 0, 1, "0", NULL, "", "DeiT's second token and head")        \
    X(110, LAYER_SCALE, "layer_scale", F64, 0, 10, "0", NULL, "", "initial LayerScale of both branches; 0 for none")   \
    X(111, DROP_PATH, "drop_path", F64, 0, 0.99, "0", NULL, "", "stochastic depth of the last block, linear from 0")   \
    X(112, POSITION_CLS, "position_cls", BOOL, 0, 1, "1", NULL, "", "whether positions cover CLS (DeiT-III: 0)")       \
    X(113, INIT_STD, "init_std", F64, 0, 10, "0.02", NULL, "", "deviation of initial weights and positions")           \
    X(114, NORM_EPSILON, "norm_epsilon", F64, 1e-12, 1, "1e-6", NULL, "", "epsilon of LayerNorm")                      \
    X(115, RECOMPUTE, "recompute", CHOICE, 0, 2, "none", "none|experts|blocks", "",                                    \
      "what training computes again on the way back instead of keeping it: slower, less memory, the same results")     \
    X(116, PRECISION, "precision", CHOICE, 0, 1, "float32", "float32|bfloat16", "",                                    \
      "what matrix products round their operands to; sums, weights, router and softmax stay float32")                  \
    X(200, METHOD, "method", CHOICE, 0, 12, "dense",                                                                   \
      "dense|vmoe|tgr|switch|stable|default|expert-choice|soft|hash|base|loss-free|dense-train|evomoe", "",            \
      "how tokens find experts")                                                                                       \
    X(201, EXPERTS, "experts", I64, 1, 4096, "8", NULL, "", "experts E of a MoE layer")                                \
    X(202, TOP_K, "top_k", I64, 1, 4096, "1", NULL, "dense|" TGR_WITH_TOP_K,                                           \
      "experts K that a token goes to; at most experts")                                                               \
    X(203, MOE_BLOCKS, "moe_blocks", LIST, 1, 1024, "8,10,12", NULL, "", "blocks with experts, counted from 1")        \
    X(204, CAPACITY_FACTOR, "capacity_factor", F64, 0, 4096, "0", NULL, "vmoe|tgr|switch|expert-choice|loss-free",     \
      "slots of an expert in training, over tokens*K/E; 0 for no limit (expert-choice: tokens/E, not 0)")              \
    X(205, EVAL_CAPACITY_FACTOR, "eval_capacity_factor", F64, 0, 4096, "0", NULL,                                      \
      "vmoe|tgr|switch|expert-choice|loss-free", "the same in evaluation")                                             \
    X(206, BATCH_PRIORITIZED, "batch_prioritized", BOOL, 0, 1, "1", NULL, "vmoe|tgr|switch|loss-free",                 \
      "whether tokens take slots by largest gate, not by position")                                                    \
    X(207, ROUTER_NOISE, "router_noise", F64, 0, 1000, "0", NULL, "vmoe|tgr|switch",                                   \
      "deviation of training noise on logits, over 1/E")                                                               \
    X(208, RENORMALIZE, "renormalize", BOOL, 0, 1, "0", NULL, "vmoe|tgr|switch|loss-free|dense-train|evomoe",          \
      "whether a token's K gates are made to sum to one")                                                              \
    X(209, IMPORTANCE_WEIGHT, "importance_weight", F64, 0, 1000, "0", NULL, TGR_WITH_TOP_K,                            \
      "weight of V-MoE's importance loss")                                                                             \
    X(210, LOAD_WEIGHT, "load_weight", F64, 0, 1000, "0", NULL, "vmoe|tgr|switch", "weight of V-MoE's load loss")      \
    X(211, SWITCH_WEIGHT, "switch_weight", F64, 0, 1000, "0", NULL, TGR_WITH_TOP_K, "weight of Switch's balance loss") \
    X(212, Z_WEIGHT, "z_weight", F64, 0, 1000, "0", NULL, TGR_WITH_SOFTMAX, "weight of the router z-loss")             \
    X(213, ROUTER_TASK_GRADIENT, "router_task_gradient", BOOL, 0, 1, "1", NULL, TGR_WITH_SOFTMAX,                      \
      "whether the task's gradient reaches the router")                                                                \
    X(214, ROUTER_INIT_STD, "router_init_std", F64, 0, 10, "0.02", NULL, TGR_WITH_SOFTMAX,                             \
      "deviation of initial router weights")                                                                           \
    X(215, SHARED_EXPERTS, "shared_experts", I64, 0, 4096, "0", NULL, TGR_WITH_EXPERTS,                                \
      "experts beside the routed ones that every token meets, with weight 1")                                          \
    X(220, STABLE_BALANCE_WEIGHT, "stable_balance_weight", F64, 0, 1000, "0.3", NULL, "stable",                        \
      "weight of StableMoE's balance loss")                                                                            \
    X(221, STABLE_DISTILL_WEIGHT, "stable_distill_weight", F64, 0, 1000, "0.3", NULL, "stable",                        \
      "weight of the loss by which StableMoE's distilled router learns")                                               \
    X(222, STABLE_STAGE1, "stable_stage1", F64, 0, 1, "0.1", NULL, "stable",                                           \
      "share of total_steps after which StableMoE's routing stands still")                                             \
    X(223, STABLE_WIDTH, "stable_width", I64, 1, 65536, "50", NULL, "stable",                                          \
      "width of the features that StableMoE's distilled router reads")                                                 \
    X(230, DEFAULT_BETA, "default_beta", F64, 0, 1, "0.9", NULL, "default",                                            \
      "how much of an expert's default output stays at each update")                                                   \
    X(231, DEFAULT_WEIGHTED, "default_weighted", BOOL, 0, 1, "1", NULL, "default",                                     \
      "whether default outputs are means weighted by the router's probabilities")                                      \
    X(240, SOFT_SLOTS, "soft_slots", I64, 0, 65536, "0", NULL, "soft",                                                 \
      "slots of an expert for each image; 0 for tokens of an image over E, rounded up")                                \
    X(245, BIAS_RATE, "bias_rate", F64, 0, 1000, "0.001", NULL, "loss-free",                                           \
      "how far a bias moves after each step, towards balance")                                                         \
    X(250, MI_WEIGHT, "mi_weight", F64, 0, 1000, "0", NULL, "dense-train",                                             \
      "weight of the mutual information loss of DS-MoE")                                                               \
    X(255, EVO_TEMPERATURE_START, "evo_temperature_start", F64, 1e-3, 1000, "2", NULL, "evomoe",                       \
      "temperature of EvoMoE's gate at the start")                                                                     \
    X(256, EVO_TEMPERATURE_END, "evo_temperature_end", F64, 1e-3, 1000, "0.3", NULL, "evomoe",                         \
      "temperature of EvoMoE's gate when it is sparse")                                                                \
    X(257, EVO_DENSE_SHARE, "evo_dense_share", F64, 0, 1, "0.5", NULL, "evomoe",                                       \
      "share of total_steps over which EvoMoE's gate goes from dense to sparse")                                       \
    X(258, EVO_THRESHOLD, "evo_threshold", F64, 0, 1, "0.001", NULL, "evomoe",                                         \
      "gate above which EvoMoE runs an expert while its temperature falls")                                            \
    X(260, UPCYCLE, "upcycle", BOOL, 0, 1, "0", NULL, TGR_WITH_EXPERTS,                                                \
      "whether every expert starts as a copy of a dense model's FFN")                                                  \
    X(261, UPCYCLE_NOISE, "upcycle_noise", F64, 0, 10, "0", NULL, TGR_WITH_EXPERTS,                                    \
      "deviation of noise on copied experts, over that of the weights copied")                                         \
    X(300, DISTILL_WEIGHT, "distill_weight", F64, 0, 1000, "5", NULL, TGR_WITH_SOFTMAX,                                \
      "weight of the teacher's guidance")                                                                              \
    X(301, TEACHER_LOAD_WEIGHT, "teacher_load_weight", F64, 0, 1000, "0.005", NULL, TGR_WITH_SOFTMAX,                  \
      "weight of balance in the teacher router's objective")                                                           \
    X(302, TEACHER_ENTROPY_WEIGHT, "teacher_entropy_weight", F64, 0, 1000, "0.005", NULL, TGR_WITH_SOFTMAX,            \
      "weight of confidence in the teacher router's objective")                                                        \
    X(303, GUIDANCE_START, "guidance_start", F64, 0, 1, "0", NULL, TGR_WITH_SOFTMAX,                                   \
      "where guidance begins, as a share of total_steps")                                                              \
    X(304, GUIDANCE_END, "guidance_end", F64, 0, 1, "1", NULL, TGR_WITH_SOFTMAX,                                       \
      "where guidance ends, as a share of total_steps")                                                                \
    X(305, TEACHER_LAYERS, "teacher_layers", LIST, 1, 1024, "", NULL, TGR_WITH_SOFTMAX,                                \
      "teacher blocks that guide the MoE blocks, one each or one for all; empty for the same blocks")                  \
    X(306, TEACHER_FEATURE, "teacher_feature", CHOICE, 0, 1, "ffn_input", "ffn_input|block_output", TGR_WITH_SOFTMAX,  \
      "what the teacher router reads of a teacher block")                                                              \
    X(307, TEACHER_ROUTER, "teacher_router", CHOICE, 0, 1, "joint", "joint|frozen", TGR_WITH_SOFTMAX,                  \
      "whether the teacher router trains beside the student")                                                          \
    X(308, TEACHER_LR, "teacher_lr", F64, 0, 1000, "0", NULL, TGR_WITH_SOFTMAX,                                        \
      "learning rate of the teacher router; 0 for lr")                                                                 \
    X(309, TEACHER_CACHE_MB, "teacher_cache_mb", I64, 0, 1048576, "0", NULL, TGR_WITH_SOFTMAX,                         \
      "most memory for cached teacher features, in MiB; 0 for no cache")                                               \
    X(400, OPTIMIZER, "optimizer", CHOICE, 0, 1, "adamw", "adamw|sgd", "", "the optimizer")                            \
    X(401, LR, "lr", F64, 0, 1000, "0.001", NULL, "", "learning rate at its highest")                                  \
    X(402, WEIGHT_DECAY, "weight_decay", F64, 0, 1000, "0.05", NULL, "", "decoupled (adamw) or L2 (sgd) weight decay") \
    X(403, BETA1, "beta1", F64, 0, 0.999999, "0.9", NULL, "", "AdamW's decay of the first moment")                     \
    X(404, BETA2, "beta2", F64, 0, 0.9999999, "0.999", NULL, "", "AdamW's decay of the second moment")                 \
    X(405, ADAM_EPSILON, "adam_epsilon", F64, 1e-30, 1, "1e-8", NULL, "", "AdamW's epsilon")                           \
    X(406, MOMENTUM, "momentum", F64, 0, 0.999999, "0.9", NULL, "", "SGD's momentum")                                  \
    X(407, CLIP_NORM, "clip_norm", F64, 0, 1e9, "0", NULL, "",                                                         \
      "largest global norm of the gradient; 0 for no clipping")                                                        \
    X(408, SCHEDULE, "schedule", CHOICE, 0, 1, "cosine", "cosine|constant", "",                                        \
      "how the learning rate falls after warm-up (constant when total_steps is 0)")                                    \
    X(409, TOTAL_STEPS, "total_steps", I64, 0, 4294967295, "0", NULL, "",                                              \
      "optimizer steps of the whole training; 0 if unknown")                                                           \
    X(410, WARMUP_STEPS, "warmup_steps", I64, 0, 4294967295, "0", NULL, "",                                            \
      "steps over which the learning rate rises linearly")                                                             \
    X(411, MIN_LR, "min_lr", F64, 0, 1000, "0", NULL, "", "learning rate at the end of the cosine")                    \
    X(500, LABEL_SMOOTHING, "label_smoothing", F64, 0, 0.999, "0", NULL, "", "share of a label spread over all classes")

/** Every method: X(index, NAME, word, "name", "defaults that it replaces", "source"). The index is the CHOICE of
 * `method`; `word` names the method in C (src/routing/methods.c). */
#define TGR_METHOD_MAP(X)                                                                                        \
    X(0, DENSE, dense, "dense", "",                                                                              \
      "Dosovitskiy et al., ICLR 2021, arXiv 2010.11929; Touvron et al., arXiv 2012.12877")                       \
    X(1, VMOE, vmoe, "vmoe", "router_noise=1 importance_weight=0.005 load_weight=0.005",                         \
      "Riquelme et al., NeurIPS 2021, arXiv 2106.05974")                                                         \
    X(2, TGR, tgr, "tgr", "router_noise=1", "Kada et al., CVPR 2026, arXiv 2604.21330")                          \
    X(3, SWITCH, switch, "switch", "switch_weight=0.01", "Fedus et al., JMLR 2022, arXiv 2101.03961")            \
    X(4, STABLE, stable, "stable", "", "Dai et al., ACL 2022, arXiv 2204.08396")                                 \
    X(5, DEFAULT, default, "default", "switch_weight=0.01", "Panda et al., NeurIPS 2025, arXiv 2504.12463")      \
    X(6, EXPERT_CHOICE, expert_choice, "expert-choice", "capacity_factor=1 eval_capacity_factor=1",              \
      "Zhou et al., NeurIPS 2022, arXiv 2202.09368")                                                             \
    X(7, SOFT, soft, "soft", "", "Puigcerver et al., ICLR 2024, arXiv 2308.00951")                               \
    X(8, HASH, hash, "hash", "", "Roller et al., NeurIPS 2021, arXiv 2106.04426")                                \
    X(9, BASE, base, "base", "", "Lewis et al., ICML 2021, arXiv 2103.16716")                                    \
    X(10, LOSS_FREE, loss_free, "loss-free", "", "Wang et al., arXiv 2408.15664; DeepSeek-AI, arXiv 2412.19437") \
    X(11, DENSE_TRAIN, dense_train, "dense-train", "mi_weight=0.01", "Pan et al., arXiv 2404.05567")             \
    X(12, EVOMOE, evomoe, "evomoe", "", "Nie et al., arXiv 2112.14397")

/** Every preset: X(index, NAME, "name", "defaults that it replaces"). The index is the CHOICE of `preset`. */
#define TGR_PRESET_MAP(X)                                                                                         \
    X(0, NONE, "none", "")                                                                                        \
    X(1, FASHION, "fashion",                                                                                      \
      "image_size=28 channels=1 patch_size=4 classes=10 embed_dim=96 depth=6 heads=4 experts=8 moe_blocks=2,4,6") \
    X(2, TINY, "tiny", "embed_dim=192 heads=3")                                                                   \
    X(3, SMALL, "small", "embed_dim=384 heads=6")                                                                 \
    X(4, BASE, "base", "embed_dim=768 heads=12")

/** The numbers of the options. */
typedef enum tgr_option {
#define TGR_OPTION_ENUM(number, NAME, key, type, least, most, standard, choices, methods, help) \
    TGR_OPTION_##NAME = number,
    TGR_OPTION_MAP(TGR_OPTION_ENUM)
#undef TGR_OPTION_ENUM
} tgr_option;

/** What kind of value an option has. */
typedef enum tgr_option_type {
    TGR_TYPE_I64 = 0,
    TGR_TYPE_F64 = 1,
    TGR_TYPE_BOOL = 2,
    TGR_TYPE_CHOICE = 3,
    TGR_TYPE_LIST = 4
} tgr_option_type;

/** The values of TGR_OPTION_METHOD. */
typedef enum tgr_method_index {
#define TGR_METHOD_ENUM(index, NAME, word, name, defaults, source) TGR_METHOD_##NAME = index,
    TGR_METHOD_MAP(TGR_METHOD_ENUM)
#undef TGR_METHOD_ENUM
} tgr_method_index;

/** How many options the running library has, and the one at `index` in [0, count). */
TGR_API tgr_status tgr_option_count(int64_t *count);
TGR_API tgr_status tgr_option_at(int64_t index, tgr_option *option);
/** The option with that key. */
TGR_API tgr_status tgr_option_find(const char *key, tgr_option *option);
/** What the table says of an option; any output may be NULL. Texts live as long as the library; `choices` is NULL
 *  unless the type is CHOICE. `methods`: those that use the option, between bars; "" where it does not hang on them. */
TGR_API tgr_status tgr_option_describe(tgr_option option, const char **key, tgr_option_type *type, double *least,
                                       double *most, const char **standard, const char **choices, const char **methods,
                                       const char **help);
/** The method at `index`; TGR_ERROR_RANGE past the last. Any output may be NULL. */
TGR_API tgr_status tgr_method_describe(int64_t index, const char **name, const char **defaults, const char **source);

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
/** Writes up to `capacity` numbers to `values` (may be NULL when 0) and how many there are to `count`. */
TGR_API tgr_status tgr_config_get_list(const tgr_config *config, tgr_option option, int64_t *values, int64_t capacity,
                                       int64_t *count);
/** Writes the value as text with its final NUL; `size` must suffice (1024 always does). */
TGR_API tgr_status tgr_config_get(const tgr_config *config, const char *key, char *text, size_t size);
/** Whether the option was set by the caller (1) or has a default (0). */
TGR_API tgr_status tgr_config_is_set(const tgr_config *config, tgr_option option, int *set);

#ifdef __cplusplus
}
#endif
#endif
