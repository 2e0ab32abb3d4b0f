/* SPDX-License-Identifier: MIT */
/**
 * @file checkpoint.h
 * One file from which training resumes bit for bit: weights, router state, teacher routers, optimizer moments, steps,
 * seeds, options, and what the host adds. The format is in docs/checkpoint.md.
 *
 * Register what belongs to the file, then save or load. Names are the host's ("model", "optimizer", …): 1 to 40 of the
 * characters a-z, 0-9 and '_', each once. Objects are kept alive until the checkpoint is freed.
 */
#ifndef TGRMOE_CHECKPOINT_H
#define TGRMOE_CHECKPOINT_H

#include "tgrmoe/loss.h"
#include "tgrmoe/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

TGR_API tgr_status tgr_checkpoint_create(tgr_checkpoint **out, tgr_context *context);
TGR_API void tgr_checkpoint_free(tgr_checkpoint *checkpoint);

/** Registers an object under a name. Of a teacher's backbone the file has only a checksum: register it as a model, too,
 *  or load the same weights into it first. */
TGR_API tgr_status tgr_checkpoint_add_model(tgr_checkpoint *checkpoint, const char *name, tgr_model *model);
TGR_API tgr_status tgr_checkpoint_add_teacher(tgr_checkpoint *checkpoint, const char *name, tgr_teacher *teacher);
TGR_API tgr_status tgr_checkpoint_add_optimizer(tgr_checkpoint *checkpoint, const char *name, tgr_optimizer *optimizer);
/** Any parameters: those of a standalone router, MoE layer or teacher router. */
TGR_API tgr_status tgr_checkpoint_add_parameters(tgr_checkpoint *checkpoint, const char *name,
                                                 tgr_parameters *parameters);
/** Bytes of the host (such as its epoch and data order), read on save and written on load, when the size must match. */
TGR_API tgr_status tgr_checkpoint_add_bytes(tgr_checkpoint *checkpoint, const char *name, void *bytes, uint64_t size);

/** Writes everything registered to `path`: to a temporary file in the same folder, synced, then renamed, so that a
 *  crash at any moment leaves either the old file or the new one, complete. */
TGR_API tgr_status tgr_checkpoint_save(tgr_checkpoint *checkpoint, const char *path);
/** Fills everything registered from `path`. The whole file is read and checked against every object first; on failure
 *  nothing in memory has changed. Parts of the file that are not registered are skipped; a registered part that the
 *  file lacks is ERROR_FILE_MISMATCH. A model's options must equal those in the file where they decide a shape. */
TGR_API tgr_status tgr_checkpoint_load(tgr_checkpoint *checkpoint, const char *path);

/** Makes the model called `name` from a file: its options, its weights. */
TGR_API tgr_status tgr_model_load(tgr_model **out, tgr_context *context, const char *path, const char *name);
/** The options stored for the model called `name`, as a new config. */
TGR_API tgr_status tgr_config_load(tgr_config **out, tgr_context *context, const char *path, const char *name);

/** One part of a file, for listing. `dims` are zero past `ndim`. */
typedef struct tgr_section {
    size_t struct_size;    /**< sizeof(tgr_section), set by the running library, which calls the callback */
    char name[128];        /**< such as "model/blocks.0.attn.qkv.weight" */
    char type[8];          /**< "f32", "u8", "u64" */
    int32_t ndim;          /**< 0 to 4 */
    int64_t dims[4];       /**< shape */
    uint64_t bytes;        /**< unpacked */
    uint64_t stored_bytes; /**< in the file */
} tgr_section;

/** Called for each part in file order; a non-zero return ends the walk with success. */
typedef int (*tgr_section_fn)(void *user, const tgr_section *section);
/** Checks the whole file and lists its parts. */
TGR_API tgr_status tgr_checkpoint_list(tgr_context *context, const char *path, tgr_section_fn each, void *user);

#ifdef __cplusplus
}
#endif
#endif
