/* SPDX-License-Identifier: MIT */
/* Written by test/golden/make_timm_names.py from timm 1.0.31. */
#include "exchange/timm_sizes.h"

const tgr_timm_size tgr_timm_sizes[] = {
    /* dim, depth, hidden, heads, patch, grid, position_cls, layer_scale */
    {64, 6, 192, 2, 16, 10, 1, 0},      /* test_vit */
    {192, 12, 768, 3, 16, 14, 1, 0},    /* deit_tiny_distilled_patch16_224 */
    {192, 12, 768, 3, 16, 24, 1, 0},    /* vit_tiny_patch16_384 */
    {384, 12, 1536, 6, 8, 28, 1, 0},    /* vit_small_patch8_224 */
    {384, 12, 1536, 6, 14, 37, 1, 1},   /* vit_small_patch14_dinov2 */
    {384, 12, 1536, 6, 16, 14, 0, 1},   /* deit3_small_patch16_224 */
    {384, 12, 1536, 6, 16, 14, 1, 0},   /* deit_small_distilled_patch16_224 */
    {384, 12, 1536, 6, 16, 15, 0, 0},   /* flexivit_small */
    {384, 12, 1536, 6, 16, 24, 0, 1},   /* deit3_small_patch16_384 */
    {384, 12, 1536, 6, 16, 24, 1, 0},   /* vit_small_patch16_384 */
    {384, 12, 1536, 6, 32, 7, 1, 0},    /* vit_small_patch32_224 */
    {384, 12, 1536, 6, 32, 12, 1, 0},   /* vit_small_patch32_384 */
    {384, 36, 1536, 6, 16, 14, 1, 1},   /* vit_small_patch16_36x1_224 */
    {512, 12, 2048, 8, 16, 14, 0, 1},   /* deit3_medium_patch16_224 */
    {768, 12, 3072, 12, 8, 28, 1, 0},   /* vit_base_patch8_224 */
    {768, 12, 3072, 12, 14, 37, 1, 1},  /* vit_base_patch14_dinov2 */
    {768, 12, 3072, 12, 16, 14, 0, 1},  /* deit3_base_patch16_224 */
    {768, 12, 3072, 12, 16, 14, 1, 0},  /* deit_base_distilled_patch16_224 */
    {768, 12, 3072, 12, 16, 15, 0, 0},  /* flexivit_base */
    {768, 12, 3072, 12, 16, 24, 0, 1},  /* deit3_base_patch16_384 */
    {768, 12, 3072, 12, 16, 24, 1, 0},  /* deit_base_distilled_patch16_384 */
    {768, 12, 3072, 12, 32, 7, 1, 0},   /* vit_base_patch32_224 */
    {768, 12, 3072, 12, 32, 12, 1, 0},  /* vit_base_patch32_384 */
    {896, 12, 3584, 14, 16, 15, 1, 1},  /* vit_base_patch16_plus_240 */
    {896, 12, 3584, 14, 32, 8, 1, 1},   /* vit_base_patch32_plus_256 */
    {1024, 24, 4096, 16, 14, 16, 1, 0}, /* vit_large_patch14_224 */
    {1024, 24, 4096, 16, 14, 37, 1, 1}, /* vit_large_patch14_dinov2 */
    {1024, 24, 4096, 16, 16, 14, 0, 1}, /* deit3_large_patch16_224 */
    {1024, 24, 4096, 16, 16, 14, 1, 0}, /* vit_large_patch16_224 */
    {1024, 24, 4096, 16, 16, 15, 0, 0}, /* flexivit_large */
    {1024, 24, 4096, 16, 16, 24, 0, 1}, /* deit3_large_patch16_384 */
    {1024, 24, 4096, 16, 16, 24, 1, 0}, /* vit_large_patch16_384 */
    {1024, 24, 4096, 16, 32, 7, 1, 0},  /* vit_large_patch32_224 */
    {1024, 24, 4096, 16, 32, 12, 1, 0}, /* vit_large_patch32_384 */
    {1280, 32, 5120, 16, 14, 16, 0, 1}, /* deit3_huge_patch14_224 */
    {1280, 32, 5120, 16, 14, 16, 1, 0}, /* vit_huge_patch14_224 */
    {1408, 40, 6144, 16, 14, 16, 1, 0}, /* vit_giant_patch14_224 */
    {1664, 48, 8192, 16, 14, 16, 1, 0}, /* vit_gigantic_patch14_224 */
};
const int tgr_timm_size_count = sizeof tgr_timm_sizes / sizeof *tgr_timm_sizes;
