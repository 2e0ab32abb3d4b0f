/* SPDX-License-Identifier: MIT */
/* Names by their beginnings or by a part between dots. */
#include "exchange/foreign.h"

#include <string.h>

typedef struct foreign_row {
    const char *pattern; /* the name's beginning, or where it begins with a dot a part of it */
    tgr_foreign_kind kind;
    const char *what;
} foreign_row;

/* The first that fits counts. */
static const foreign_row rows[] = {
    {"mask_token", TGR_FOREIGN_IDLE, "for pretraining with masked patches"},
    {"decoder", TGR_FOREIGN_IDLE, "of the decoder that masked pretraining needs"},
    {".relative_position_index", TGR_FOREIGN_IDLE, "a table that is worked out again"},
    {".num_batches_tracked", TGR_FOREIGN_IDLE, "a count of training's batches"},
    {"norm_pre.", TGR_FOREIGN_PART, "normalises tokens before the first block, as in CLIP"},
    {"fc_norm.", TGR_FOREIGN_PART, "normalises the mean of all tokens, where this library takes CLS"},
    {"attn_pool.", TGR_FOREIGN_PART, "pools tokens by attention, where this library takes CLS"},
    {"reg_token", TGR_FOREIGN_PART, "register tokens, which this library does not have"},
    {"pre_logits.", TGR_FOREIGN_PART, "a layer between CLS and the head"},
    {"head.", TGR_FOREIGN_PART, "a head; 'fresh_head' leaves it out"},
    {"head_dist.", TGR_FOREIGN_PART, "the head of a distillation token; 'fresh_head' leaves it out"},
    {"dist_token", TGR_FOREIGN_PART, "a distillation token"},
    {".q_norm.", TGR_FOREIGN_PART, "normalises queries"},
    {".k_norm.", TGR_FOREIGN_PART, "normalises keys"},
    {".mlp.norm.", TGR_FOREIGN_PART, "normalises inside the FFN"},
    {".relative_position", TGR_FOREIGN_PART, "positions of patches to each other"},
    {".rel_pos", TGR_FOREIGN_PART, "positions of patches to each other"},
    {"blocks.", TGR_FOREIGN_PART, ""},
    {"patch_embed.", TGR_FOREIGN_PART, ""},
    {"norm.", TGR_FOREIGN_PART, ""},
    {"pos_embed", TGR_FOREIGN_PART, ""},
    {"cls_token", TGR_FOREIGN_PART, ""},
    {"rope", TGR_FOREIGN_PART, "positions by rotation"},
};
enum { ROWS = sizeof rows / sizeof *rows };

tgr_foreign_kind tgr_foreign_find(const char *name, const char **what) {
    for (int i = 0; i < ROWS; i++) {
        const char *pattern = rows[i].pattern;
        const int fits = *pattern == '.' ? strstr(name, pattern) != NULL : strncmp(name, pattern, strlen(pattern)) == 0;
        if (!fits) continue;
        *what = rows[i].what;
        return rows[i].kind;
    }
    *what = "";
    return TGR_FOREIGN_UNKNOWN;
}

static const struct {
    const char *name, *why;
} lacks[] = {
    {"cls_token", "; models without CLS, which pool all tokens, are not supported"},
    {"blocks.0.attn.qkv.bias", "; attention without bias, or with query, key and value apart, is not supported"},
    {"blocks.0.mlp.fc2.bias", "; FFNs without bias are not supported"},
    {"norm.weight", "; models that normalise the mean of all tokens, or nothing, are not supported"},
};
enum { LACKS = sizeof lacks / sizeof *lacks };

const char *tgr_foreign_lack(const char *name) {
    for (int i = 0; i < LACKS; i++)
        if (strcmp(name, lacks[i].name) == 0) return lacks[i].why;
    return "";
}
