/* SPDX-License-Identifier: MIT */
/**
 * @file common.h
 * What every public header of libtgrmoe shares: version, visibility, status codes, the names of the opaque handles.
 *
 * Conventions that hold everywhere:
 *  - A function that can fail returns a ::tgr_status. On failure nothing that the caller can see has changed, no output
 *    is written, and tgr_last_error() says which argument was wrong, its value and what is allowed.
 *  - `create` takes the address of the new handle first; `free` accepts NULL. Handles keep what they need alive, so
 *    they may be freed in any order. What a getter lends (a pointer) belongs to the handle.
 *  - A handle may be used by one thread at a time. Different handles may be used by different threads at once, even
 *    when they share a context or a pool; but a model and what was made to change or run it (its parameters, loss,
 *    optimizer, probe, the teacher whose student it is) count as one handle. While no thread changes a model's weights,
 *    what only reads them may run at the same time: its sessions, teachers whose backbone it is, tgr_model_export(),
 *    tgr_checkpoint_save().
 *  - The library never prints, never exits, never aborts, and keeps no global state except each thread's error message
 *    and how often the process was forked.
 */
#ifndef TGRMOE_COMMON_H
#define TGRMOE_COMMON_H

#include <stddef.h>
#include <stdint.h>

/** The version; the build reads these three lines. The major number is the SONAME (see docs/abi.md). */
#define TGRMOE_VERSION_MAJOR 0
#define TGRMOE_VERSION_MINOR 1
#define TGRMOE_VERSION_PATCH 0

#if defined(__GNUC__)
#define TGR_API __attribute__((visibility("default")))
#else
#define TGR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Every status: X(number, NAME, "what it means"). Numbers never change; new ones fill the gaps. */
#define TGR_STATUS_MAP(X)                                                                          \
    X(0, OK, "success")                                                                            \
    X(10, ERROR_ARGUMENT, "an argument is missing or does not make sense here")                    \
    X(11, ERROR_RANGE, "a value is out of range")                                                  \
    X(12, ERROR_OPTION, "there is no option with that name or number, or it has a different type") \
    X(20, ERROR_SHAPE, "shapes do not match")                                                      \
    X(21, ERROR_STATE, "a function was called out of order")                                       \
    X(30, ERROR_MEMORY, "the allocator returned no memory")                                        \
    X(31, ERROR_OVERFLOW, "a size does not fit the machine's integers")                            \
    X(32, ERROR_THREAD, "a thread could not be started")                                           \
    X(40, ERROR_NONFINITE, "a loss or gradient is infinite or not a number; no weight changed")    \
    X(50, ERROR_FILE, "a file could not be opened, read, written or renamed")                      \
    X(51, ERROR_FILE_FOREIGN, "the file has a different format")                                   \
    X(52, ERROR_FILE_VERSION, "the file has a format version that this library does not know")     \
    X(53, ERROR_FILE_TRUNCATED, "the file ends too early")                                         \
    X(54, ERROR_FILE_CORRUPT, "the file is damaged: a checksum or a size in it is wrong")          \
    X(55, ERROR_FILE_MISMATCH, "the file is intact, but does not contain what was asked for")      \
    X(60, ERROR_UNSUPPORTED, "this build or machine cannot do that")

/** What a function returns. Zero is success. */
typedef enum tgr_status {
#define TGR_STATUS_ENUM(number, name, text) TGR_##name = number,
    TGR_STATUS_MAP(TGR_STATUS_ENUM)
#undef TGR_STATUS_ENUM
} tgr_status;

typedef struct tgr_pool tgr_pool;                     /**< a set of worker threads */
typedef struct tgr_context tgr_context;               /**< pool, allocator, log callback, seed */
typedef struct tgr_config tgr_config;                 /**< options as keys */
typedef struct tgr_parameters tgr_parameters;         /**< named tensors with their gradients */
typedef struct tgr_routing tgr_routing;               /**< what a router decided for the last batch (read only) */
typedef struct tgr_router tgr_router;                 /**< a router without experts */
typedef struct tgr_moe tgr_moe;                       /**< a router and its experts: one MoE layer */
typedef struct tgr_model tgr_model;                   /**< a vision transformer, dense or sparse */
typedef struct tgr_teacher_router tgr_teacher_router; /**< a teacher router for one layer */
typedef struct tgr_teacher tgr_teacher;               /**< a frozen dense model with its teacher routers */
typedef struct tgr_loss tgr_loss;                     /**< the training objective and its terms */
typedef struct tgr_optimizer tgr_optimizer;           /**< AdamW or SGD over parameters */
typedef struct tgr_probe tgr_probe;                   /**< routings of one set of images, run after run */
typedef struct tgr_checkpoint tgr_checkpoint;         /**< what is saved to, or restored from, one file */
typedef struct tgr_safetensors tgr_safetensors;       /**< a safetensors file that is open for reading */
typedef struct tgr_safetensors_writer tgr_safetensors_writer; /**< what is to be written to a safetensors file */
typedef struct tgr_session tgr_session;                       /**< inference on a model's weights */

/** Whether a forward pass is for training (noise, stochastic depth, activations kept) or for evaluation. */
typedef enum tgr_mode { TGR_EVAL = 0, TGR_TRAIN = 1 } tgr_mode;

/** The version of the library that is running, as "major.minor.patch". Never NULL. */
TGR_API const char *tgr_version(void);

/** The name of a status, such as "ERROR_SHAPE". Never NULL; "UNKNOWN" for any other number. */
TGR_API const char *tgr_status_name(tgr_status status);

/** One line of English about a status. Never NULL. */
TGR_API const char *tgr_status_text(tgr_status status);

/**
 * The message of the last call that failed on this thread: function, argument, value, what is allowed. Never NULL; ""
 * when nothing has failed yet. Valid until the next failing call on this thread.
 */
TGR_API const char *tgr_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
