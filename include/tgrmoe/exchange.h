/* SPDX-License-Identifier: MIT */
/**
 * @file exchange.h
 * Models to and from safetensors files with timm's names (vision_transformer, deit, deit3).
 *
 * A dense model is written so that timm loads it strictly. A sparse one keeps timm's names for all that is dense; of a
 * MoE layer the experts are one stacked tensor per weight, [experts, out, in], beside the router's tensors. What a
 * library needs to make the model anew stands in the file's texts: each option under "tgrmoe.<key>", and the
 * preprocessing of images under "mean", "std" (numbers with commas between them, one per channel), "crop_pct" and
 * "interpolation".
 */
#ifndef TGRMOE_EXCHANGE_H
#define TGRMOE_EXCHANGE_H

#include "tgrmoe/model.h"
#include "tgrmoe/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The config of the model in a file. From the texts, if the library wrote it; else from names and shapes: width,
 *  depth, patch size, image size, classes, tokens, LayerScale. No shape tells the heads: they are width / 64, as in
 *  every ViT and DeiT by name, and 1 where that is not whole, so that the host must set `heads`. Other options may be
 *  set too before a model is made of it (see tgr_import_options). ERROR_FILE_MISMATCH when the tensors are of no model
 *  that the library knows. */
TGR_API tgr_status tgr_config_import(tgr_config **out, tgr_context *context, const tgr_safetensors *file);

/** What to do where file and model differ. Zeroed means: they must agree. */
typedef struct tgr_import_options {
    size_t struct_size;     /**< sizeof(tgr_import_options), set by the caller */
    int64_t resample;       /**< 1: position embeddings of another grid are resampled (bicubic, no antialias: timm's) */
    int64_t fresh_head;     /**< 1: head and head_dist stay as the model has them */
    int64_t ignore_unknown; /**< 1: tensors that the model has no place for are skipped */
} tgr_import_options;

/** Fills a model's weights and state from a file. Everything is checked first; on failure nothing has changed, and the
 *  message names a tensor that is missing, extra or of another shape, with both shapes. Shapes that differ by sizes of
 *  1 alone mean the same, and so does the patch embedding's kernel as a matrix. Gradients summed so far are thrown
 *  away, a forward pass before does not count; the step stays, so that a schedule is the new run's own.
 *  @param options NULL is zeroed. */
TGR_API tgr_status tgr_model_import(tgr_model *model, const tgr_safetensors *file, const tgr_import_options *options);

/** How a model is written. Zeroed means: as F32, without texts of the host. */
typedef struct tgr_export_options {
    size_t struct_size;       /**< sizeof(tgr_export_options), set by the caller */
    tgr_element element;      /**< TGR_ELEMENT_F32 or TGR_ELEMENT_BF16, of the weights; 0 is F32 */
    const char *const *texts; /**< [2 * text_count], key, text, key, text …, such as "mean", "0.485,0.456,0.406" */
    int64_t text_count;       /**< texts that the file gets besides those of the library */
} tgr_export_options;

/** Writes a model. Router state (running means, a table of experts) is float32 always. A key may be used once; those
 * that begin with "tgrmoe." are the library's. @param options NULL is zeroed. */
TGR_API tgr_status tgr_model_export(tgr_model *model, const char *path, const tgr_export_options *options);

#ifdef __cplusplus
}
#endif
#endif
