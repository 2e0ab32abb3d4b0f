/* SPDX-License-Identifier: MIT */
/* What is done to an image before a model sees it. It is stored with the weights, in both kinds of files. */
#ifndef TOOL_IMAGES_PREPROCESSING_H
#define TOOL_IMAGES_PREPROCESSING_H

#include "images/resize.h"

/* What of it nobody said: neither a file nor the user. Such values are DeiT's, and stay marked wherever they go. The
 * bit of preprocessing_keys[i] is 1 << i. */
enum { ASSUMED_MEAN = 1, ASSUMED_STD = 2, ASSUMED_CROP = 4, ASSUMED_INTERPOLATION = 8, ASSUMED_ALL = 15 };

/* All fields have 8 bytes: no padding. */
typedef struct preprocessing {
    double mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS]; /* of pixel/255, by channel */
    double crop_pct;       /* side of the image, as a fraction of the shorter side that photographs are resized to */
    int64_t interpolation; /* an `interpolation` */
    int64_t assumed;       /* a set of ASSUMED_… */
    int64_t upright;       /* 1: photographs are turned as EXIF says; 0: taken as they are stored */
} preprocessing;

/* timm's for DeiT: ImageNet's mean and deviation, crop_pct 0.9, bicubic; all of it assumed. Photographs are turned
 * upright, which timm and torchvision do not do. */
void preprocessing_defaults(preprocessing *out);
/* Fails unless all values are valid (deviations above 0, crop_pct from 0.01 to 1 …); the message begins with
 * `where`. */
int preprocessing_check(const preprocessing *wanted, const char *where);

int preprocessing_equal(const preprocessing *a, const preprocessing *b);

/* As texts, under the keys that timm's configurations use. */
enum { PREPROCESSING_TEXTS = 5, PREPROCESSING_TEXT_SIZE = 96 };
extern const char *const preprocessing_keys[PREPROCESSING_TEXTS]; /* mean, std, crop_pct, interpolation, orientation */
typedef struct preprocessing_text {
    const char *key;
    char text[PREPROCESSING_TEXT_SIZE];
    int assumed; /* 1: nobody said so */
} preprocessing_text;
void preprocessing_write(const preprocessing *from, preprocessing_text texts[PREPROCESSING_TEXTS]);
/* Takes one text, which is no assumption then; `to` keeps what other texts said. A key that is none of them is left
 * alone; one number for mean or std stands for all channels. */
int preprocessing_read(preprocessing *to, const char *key, const char *text);

/* Says on standard error what is assumed of the images of the model in `path`, if anything is. */
void preprocessing_say_assumed(const preprocessing *how, const char *path);

/* timm's transform for evaluation: the shorter side is resized to floor(size / crop_pct), the middle is kept. */
int preprocess_image(resizer *memory, const preprocessing *how, const image *in, int size, image *out);

#endif
