/* SPDX-License-Identifier: MIT */
/**
 * @file exchange.h
 * Models to and from safetensors files with timm's names (vision_transformer, deit, deit3).
 *
 * A dense model is written so that timm loads it strictly. A sparse one keeps timm's names for everything dense; the
 * experts of a MoE layer are one stacked tensor per weight, [experts, out, in], next to the router's tensors. The
 * file's texts have what is needed to create the model again: each option under "tgrmoe.<key>", and the preprocessing
 * of images under "mean", "std" (numbers separated by commas, one per channel), "crop_pct" and "interpolation".
 */
#ifndef TGRMOE_EXCHANGE_H
#define TGRMOE_EXCHANGE_H

#include "tgrmoe/model.h"
#include "tgrmoe/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The config of the model in a file. From the texts, if the library wrote it; else from names and shapes: width,
 *  depth, patch size, image size, classes, tokens, LayerScale. What shapes do not reveal is taken from timm's models
 *  with these sizes: the number of heads, and that the grid of patches is square. Where timm has none, the option
 *  (heads, image_size) has a guessed value, and tgr_model_create() fails with ERROR_OPTION and the reason until the
 *  host has set it; setting image_size also means that the file's model is for square images. The host must also set
 *  layer_scale if it is named as in models with rotary positions. Other options may be set before a model is created
 *  from the config (see tgr_import_options). ERROR_FILE_MISMATCH when the tensors are not those of a model that the
 *  library knows. */
TGR_API tgr_status tgr_config_import(tgr_config **out, tgr_context *context, const tgr_safetensors *file);

/** What to do where file and model differ. All zero: they must agree. */
typedef struct tgr_import_options {
    size_t struct_size; /**< sizeof(tgr_import_options), set by the caller */
    int64_t resample;   /**< 1: position embeddings for another grid are resampled as timm does (bicubic, antialias) */
    int64_t fresh_head; /**< 1: head and head_dist stay as the model has them */
    int64_t ignore_unknown; /**< 1: tensors that do not belong to a vision transformer are skipped (an optimizer's, a
                               decoder's); others remain an error: without them the results would be different */
} tgr_import_options;

/** Fills a model's weights and state from a file. Everything is checked first; on failure nothing has changed, and the
 *  message names a tensor that is missing, superfluous or of a different shape, with both shapes. Shapes that differ
 *  only by dimensions of size 1 match, and the patch embedding may be a kernel or a matrix. "module.", "model." and
 *  "_orig_mod." in front of all names are ignored, and gamma_1 and gamma_2 are LayerScale's ls1.gamma and ls2.gamma.
 *  Gradients summed so far are discarded, and an earlier forward pass no longer counts. The step count is unchanged: it
 *  belongs to the run, not to the file.
 *  @param options NULL is the same as all zero. */
TGR_API tgr_status tgr_model_import(tgr_model *model, const tgr_safetensors *file, const tgr_import_options *options);

/** How a model is written. All zero: as F32, without texts of the host. */
typedef struct tgr_export_options {
    size_t struct_size;       /**< sizeof(tgr_export_options), set by the caller */
    tgr_element element;      /**< TGR_ELEMENT_F32 or TGR_ELEMENT_BF16, of the weights; 0 is F32 */
    const char *const *texts; /**< [2 * text_count], key, text, key, text …, such as "mean", "0.485,0.456,0.406" */
    int64_t text_count;       /**< texts that the file gets in addition to those of the library */
} tgr_export_options;

/** Writes a model. Router state (running means, a table of experts) is always float32. A key may be used once; those
 *  that begin with "tgrmoe." are reserved. @param options NULL is the same as all zero. */
TGR_API tgr_status tgr_model_export(tgr_model *model, const char *path, const tgr_export_options *options);

#ifdef __cplusplus
}
#endif
#endif
