/* SPDX-License-Identifier: MIT */
/* No experts at all (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929): every block keeps its FFN (layers/ffn.h). There
 * is no router, and so no step. */
#include "routing/method.h"

const tgr_method tgr_method_dense = {0};
