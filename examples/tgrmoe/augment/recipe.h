/* SPDX-License-Identifier: MIT */
/* What augmentation does to images, as numbers. */
#ifndef TOOL_AUGMENT_RECIPE_H
#define TOOL_AUGMENT_RECIPE_H

#include "augment/random.h"
#include "images/resize.h"

typedef enum augment_crop {
    AUGMENT_CROP_NONE = 0,
    AUGMENT_CROP_RESIZED = 1, /* an area of 0.08 to 1 and an aspect of 3/4 to 4/3, resized */
    AUGMENT_CROP_PADDED = 2   /* shifted by up to 4 pixels, black coming in: for small images */
} augment_crop;

/* Which interpolation, as resize.h numbers them, or either of them for each use. */
enum { AUGMENT_INTERPOLATION_RANDOM = 0 };

/* All fields have 8 bytes: a checkpoint holds a recipe as it is. All zero is no augmentation. */
typedef struct augment_recipe {
    int64_t crop;           /* an augment_crop */
    int64_t flip;           /* 1: half of the images are mirrored */
    int64_t interpolation;  /* of the crop and of what moves pixels */
    int64_t layers;         /* operations of RandAugment for each image; 0 is none */
    int64_t increasing;     /* 1: operations grow stronger with the magnitude */
    double magnitude;       /* 0 to `strongest` */
    double magnitude_noise; /* standard deviation; above 100, the magnitude is uniform from 0 to `magnitude` */
    double strongest;       /* where magnitudes are cut */
    double probability;     /* of each operation */
    double jitter;          /* brightness, contrast and saturation by factors of 1 ± this; 0 is none */
    double erase;           /* probability of random erasing */
    double mixup, cutmix;   /* alpha of each; 0 is none */
    int64_t fill[3];        /* what comes in from outside of the image: the mean colour, each 0 to 255 */
} augment_recipe;

/* The recipe's interpolation, drawn if it is to be. */
interpolation augment_interpolation(const augment_recipe *recipe, augment_random *random);
/* Whether the recipe does anything to images, so that an image is not the same in each epoch. */
int augment_changes(const augment_recipe *recipe);
int augment_recipe_same(const augment_recipe *a, const augment_recipe *b);

#endif
