/* SPDX-License-Identifier: MIT */
/* Scaled dot-product attention (Vaswani et al., 2017). A task is one head of one image and works through blocks of
 * query rows, so that its scratch grows with tokens and not with tokens². */
#include "kernels/attention.h"

#include <math.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "kernels/kernels.h"

/* Query rows in a block: their scores, and the gradients of these, stay in the second-level cache, and keys and values
 * are rearranged for only a few blocks. */
static int64_t query_block(int64_t tokens) {
    const int64_t fitting = tokens > 0 ? 64 * 1024 / tokens : 0, least = 128;
    const int64_t rows = fitting > least ? fitting : least;
    return tokens < rows ? tokens : rows;
}

typedef struct attention_job {
    const tgr_compute *compute;
    const tgr_attention *attention;
    const float *dout; /* as out */
    float *dqkv;       /* as qkv */
} attention_job;

/* One head of one image: where its rows start, and how far apart they are. */
typedef struct attention_head {
    int64_t tokens, head_dim;
    float scale;        /* 1 / sqrt(head_dim) */
    int64_t dim;        /* row stride of out */
    int64_t packed;     /* row stride of qkv: 3 · dim */
    int64_t out_offset; /* of token 0 */
    int64_t qkv_offset; /* of token 0's query; key and value follow dim and 2·dim later */
    float *lse;         /* [tokens] */
    tgr_precision precision;
} attention_head;

int64_t tgr_attention_scratch(int64_t tokens, int64_t head_dim) {
    int64_t floats = 0;
    (void)head_dim;
    if (tokens < 0 || !tgr_multiply(tokens, 2 * query_block(tokens), &floats)) return -1;
    return tgr_add(floats, TGR_GEMM_SCRATCH, &floats) ? floats : -1;
}

static attention_head head_of_task(const tgr_attention *a, int64_t task) {
    int64_t image = task / a->heads, head = task % a->heads, dim = a->heads * a->head_dim;
    return (attention_head){
        .tokens = a->tokens,
        .head_dim = a->head_dim,
        .scale = 1.0f / sqrtf((float)a->head_dim),
        .dim = dim,
        .packed = 3 * dim,
        .out_offset = image * a->tokens * dim + head * a->head_dim,
        .qkv_offset = image * a->tokens * 3 * dim + head * a->head_dim,
        .lse = a->lse + task * a->tokens,
        .precision = a->precision,
    };
}

/* c [rows, tokens] = a [rows, head_dim] times the transpose of b [tokens, head_dim]. */
static tgr_gemm rows_by_tokens(const attention_head *head, int64_t rows, const float *a, int64_t a_row, const float *b,
                               float *c) {
    return (tgr_gemm){.precision = head->precision,
                      .m = rows,
                      .n = head->tokens,
                      .k = head->head_dim,
                      .a = a,
                      .a_row = a_row,
                      .a_col = 1,
                      .b = b,
                      .b_row = 1,
                      .b_col = head->packed,
                      .c = c,
                      .c_row = head->tokens};
}

/* c [rows, head_dim] = a [rows, tokens] times b [tokens, head_dim]. */
static tgr_gemm rows_by_head(const attention_head *head, int64_t rows, const float *a, const float *b, float *c,
                             int64_t c_row) {
    return (tgr_gemm){.precision = head->precision,
                      .m = rows,
                      .n = head->head_dim,
                      .k = head->tokens,
                      .a = a,
                      .a_row = head->tokens,
                      .a_col = 1,
                      .b = b,
                      .b_row = head->packed,
                      .b_col = 1,
                      .c = c,
                      .c_row = c_row};
}

/* c [tokens, head_dim] = or += the transpose of a [rows, tokens] times b [rows, head_dim]. */
static tgr_gemm tokens_by_head(const attention_head *head, int64_t rows, const float *a, const float *b, int64_t b_row,
                               float *c, int accumulate) {
    return (tgr_gemm){.precision = head->precision,
                      .m = head->tokens,
                      .n = head->head_dim,
                      .k = rows,
                      .a = a,
                      .a_row = 1,
                      .a_col = head->tokens,
                      .b = b,
                      .b_row = b_row,
                      .b_col = 1,
                      .c = c,
                      .c_row = head->packed,
                      .accumulate = accumulate};
}

static void forward_task(void *data, int64_t task, int worker) {
    const attention_job *job = data;
    const tgr_kernels *kernels = job->compute->kernels;
    attention_head head = head_of_task(job->attention, task);
    float *gemm_scratch = job->compute->scratch[worker];
    float *scores = gemm_scratch + TGR_GEMM_SCRATCH; /* [rows, tokens], then probabilities */
    const float *query = job->attention->qkv + head.qkv_offset, *key = query + head.dim, *value = key + head.dim;
    float *out = job->attention->out + head.out_offset;
    const int64_t block = query_block(head.tokens);
    for (int64_t first = 0; first < head.tokens; first += block) {
        int64_t rows = head.tokens - first < block ? head.tokens - first : block;
        tgr_gemm product = rows_by_tokens(&head, rows, query + first * head.packed, head.packed, key, scores);
        tgr_gemm_serial(kernels, &product, gemm_scratch);
        kernels->softmax(rows, head.tokens, head.scale, scores, scores, head.lse + first);
        product = rows_by_head(&head, rows, scores, value, out + first * head.dim, head.dim);
        tgr_gemm_serial(kernels, &product, gemm_scratch);
    }
}

/* With P = softmax(scale·Q·Kᵀ): dV = Pᵀ·dO, dP = dO·Vᵀ, dS = scale·P·(dP - Σ P·dP), dQ = dS·K, dK = dSᵀ·Q. */
static void backward_task(void *data, int64_t task, int worker) {
    const attention_job *job = data;
    const tgr_kernels *kernels = job->compute->kernels;
    attention_head head = head_of_task(job->attention, task);
    float *gemm_scratch = job->compute->scratch[worker];
    const float *query = job->attention->qkv + head.qkv_offset, *key = query + head.dim, *value = key + head.dim;
    float *dquery = job->dqkv + head.qkv_offset, *dkey = dquery + head.dim, *dvalue = dkey + head.dim;
    const int64_t block = query_block(head.tokens);
    for (int64_t first = 0; first < head.tokens; first += block) {
        int64_t rows = head.tokens - first < block ? head.tokens - first : block;
        float *probabilities = gemm_scratch + TGR_GEMM_SCRATCH; /* [rows, tokens] */
        float *dscores = probabilities + rows * head.tokens;    /* [rows, tokens] */
        const float *query_rows = query + first * head.packed;
        const float *dout = job->dout + head.out_offset + first * head.dim;

        tgr_gemm product = rows_by_tokens(&head, rows, query_rows, head.packed, key, probabilities);
        tgr_gemm_serial(kernels, &product, gemm_scratch);
        kernels->softmax_from_lse(rows, head.tokens, head.scale, probabilities, head.lse + first, probabilities);
        product = tokens_by_head(&head, rows, probabilities, dout, head.dim, dvalue, first > 0);
        tgr_gemm_serial(kernels, &product, gemm_scratch);

        product = rows_by_tokens(&head, rows, dout, head.dim, value, dscores);
        tgr_gemm_serial(kernels, &product, gemm_scratch);
        kernels->softmax_backward(rows, head.tokens, head.scale, probabilities, dscores, dscores);
        product = rows_by_head(&head, rows, dscores, key, dquery + first * head.packed, head.packed);
        tgr_gemm_serial(kernels, &product, gemm_scratch);
        product = tokens_by_head(&head, rows, dscores, query_rows, head.packed, dkey, first > 0);
        tgr_gemm_serial(kernels, &product, gemm_scratch);
    }
}

void tgr_attention_forward(const tgr_compute *compute, const tgr_attention *attention) {
    TGR_ASSERT(compute->scratch_floats >= tgr_attention_scratch(attention->tokens, attention->head_dim));
    attention_job job = {.compute = compute, .attention = attention};
    tgr_parallel(compute, attention->batch * attention->heads, forward_task, &job);
}

void tgr_attention_backward(const tgr_compute *compute, const tgr_attention *attention, const float *dout,
                            float *dqkv) {
    TGR_ASSERT(compute->scratch_floats >= tgr_attention_scratch(attention->tokens, attention->head_dim));
    attention_job job = {.compute = compute, .attention = attention, .dout = dout, .dqkv = dqkv};
    tgr_parallel(compute, attention->batch * attention->heads, backward_task, &job);
}
