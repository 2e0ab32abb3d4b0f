/* SPDX-License-Identifier: MIT */
/* What is done to an image before a model sees it. It goes with the weights, into files of either kind. */
#ifndef TOOL_IMAGES_PREPROCESSING_H
#define TOOL_IMAGES_PREPROCESSING_H

#include "images/resize.h"

/* All fields have 8 bytes: no padding. */
typedef struct preprocessing {
    double mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS]; /* of pixel/255, by channel */
    double crop_pct;       /* the image's side, as a share of the shorter side that photographs are resized to */
    int64_t interpolation; /* an `interpolation` */
} preprocessing;

/* timm's for DeiT: ImageNet's mean and deviation, crop_pct 0.9, bicubic. */
void preprocessing_defaults(preprocessing *out);
/* Fails unless deviations are above 0, crop_pct is from 0.01 to 1, and so on; `where` begins the message. */
int preprocessing_check(const preprocessing *wanted, const char *where);

int preprocessing_equal(const preprocessing *a, const preprocessing *b);

/* As texts, under the keys that timm's configurations use. */
enum { PREPROCESSING_TEXTS = 4, PREPROCESSING_TEXT_SIZE = 96 };
extern const char *const preprocessing_keys[PREPROCESSING_TEXTS]; /* mean, std, crop_pct, interpolation */
typedef struct preprocessing_text {
    const char *key;
    char text[PREPROCESSING_TEXT_SIZE];
} preprocessing_text;
void preprocessing_write(const preprocessing *from, preprocessing_text texts[PREPROCESSING_TEXTS]);
/* Takes one text; `to` keeps what other texts said. A key that is none of them is left alone; one number for mean or
 * std stands for all channels. */
int preprocessing_read(preprocessing *to, const char *key, const char *text);

/* timm's transform for evaluation: the shorter side is resized to floor(size / crop_pct), the middle is kept. */
int preprocess_image(resizer *memory, const preprocessing *how, const image *in, int size, image *out);

#endif
