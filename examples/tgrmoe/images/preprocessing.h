/* SPDX-License-Identifier: MIT */
/* What is done to an image before a model sees it. It is stored with the weights, in both kinds of files. */
#ifndef TOOL_IMAGES_PREPROCESSING_H
#define TOOL_IMAGES_PREPROCESSING_H

#include "images/resize.h"

/* All fields have 8 bytes: no padding. */
typedef struct preprocessing {
    double mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS]; /* of pixel/255, by channel */
    double crop_pct;       /* side of the image, as a fraction of the shorter side that photographs are resized to */
    int64_t interpolation; /* an `interpolation` */
} preprocessing;

/* As timm has it for DeiT: ImageNet's mean and deviation, crop_pct 0.9, bicubic. */
void preprocessing_defaults(preprocessing *out);
/* Fails unless all values are valid (deviations above 0, crop_pct from 0.01 to 1 …); the message begins with
 * `where`. */
int preprocessing_check(const preprocessing *wanted, const char *where);

int preprocessing_equal(const preprocessing *a, const preprocessing *b);

/* As text, under the keys of timm's configurations. */
enum { PREPROCESSING_TEXTS = 4, PREPROCESSING_TEXT_SIZE = 96 };
extern const char *const preprocessing_keys[PREPROCESSING_TEXTS]; /* mean, std, crop_pct, interpolation */
typedef struct preprocessing_text {
    const char *key;
    char text[PREPROCESSING_TEXT_SIZE];
} preprocessing_text;
void preprocessing_write(const preprocessing *from, preprocessing_text texts[PREPROCESSING_TEXTS]);
/* Reads one text; the other fields of `to` stay. Unknown keys are ignored; a single number for mean or std is used for
 * all channels. */
int preprocessing_read(preprocessing *to, const char *key, const char *text);

/* timm's evaluation transform: resizes the shorter side to floor(size / crop_pct) and keeps the middle. */
int preprocess_image(resizer *memory, const preprocessing *how, const image *in, int size, image *out);

#endif
