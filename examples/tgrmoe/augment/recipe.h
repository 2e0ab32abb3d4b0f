/* SPDX-License-Identifier: MIT */
/* What augmentation does to images, as numbers. */
#ifndef TOOL_AUGMENT_RECIPE_H
#define TOOL_AUGMENT_RECIPE_H

#include "augment/random.h"
#include "images/resize.h"

typedef enum augment_crop {
    AUGMENT_CROP_NONE = 0,
    AUGMENT_CROP_RESIZED = 1, /* 0.08 to 1 of the area with an aspect ratio of 3/4 to 4/3, resized */
    AUGMENT_CROP_PADDED = 2   /* shifted by up to 4 pixels, filled with black: for small images */
} augment_crop;

/* An interpolation of resize.h, or a random one for each use. */
enum { AUGMENT_INTERPOLATION_RANDOM = 0 };

/* All fields have 8 bytes, because a checkpoint holds a recipe as it is. All zero means no augmentation. */
typedef struct augment_recipe {
    int64_t crop;           /* an augment_crop */
    int64_t flip;           /* 1: half of the images are mirrored */
    int64_t interpolation;  /* of the crop and of operations that move pixels */
    int64_t layers;         /* RandAugment's operations per image; 0 for none */
    int64_t increasing;     /* 1: every operation gets stronger with the magnitude */
    double magnitude;       /* 0 to `strongest` */
    double magnitude_noise; /* standard deviation; above 100, the magnitude is uniform from 0 to `magnitude` */
    double strongest;       /* upper limit of magnitudes */
    double probability;     /* of each operation */
    double jitter;          /* brightness, contrast and saturation by factors of 1 ± this; 0 for none */
    double erase;           /* probability of random erasing */
    double mixup, cutmix;   /* alpha of each; 0 for none */
    int64_t fill[3];        /* colour of what was outside the image: the mean, each 0 to 255 */
} augment_recipe;

/* The recipe's interpolation, drawn at random if it says so. */
interpolation augment_interpolation(const augment_recipe *recipe, augment_random *random);
/* Whether the recipe changes images at all, so that an image differs from epoch to epoch. */
int augment_changes(const augment_recipe *recipe);
int augment_recipe_same(const augment_recipe *a, const augment_recipe *b);

#endif
