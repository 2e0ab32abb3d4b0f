/* SPDX-License-Identifier: MIT */
/* An even share gets two fifths of the full colour; two and a half times that or more gets all of it. */
#include "report/html_heat.h"

#include "report/markup.h"

enum { WIDTH = 340, LABEL = 52, ROW = 26, HEADER = 20, NUMBER_WIDTH = 24 };
static const double EVEN_COLOUR = 0.4, HOT = 0.62;

static void write_cell(FILE *to, double share, int64_t layer, int64_t expert, int64_t experts) {
    const double width = (double)(WIDTH - LABEL) / (double)experts, x = LABEL + width * (double)expert;
    const int64_t y = HEADER + ROW * layer;
    const double colour = share * (double)experts * EVEN_COLOUR, shown = colour < 1 ? colour : 1;
    fprintf(to,
            "<g><title>layer %lld, expert %lld: %.1f %% of the tokens</title><rect class=\"cell\" x=\"%.2f\" "
            "y=\"%lld\" width=\"%.2f\" height=\"%d\" rx=\"2\" fill-opacity=\"%.3f\"/>",
            (long long)layer + 1, (long long)expert + 1, 100 * share, x + 0.5, (long long)y, width - 1, ROW - 2, shown);
    if (width >= NUMBER_WIDTH) {
        fprintf(to, "<text class=\"value%s\" x=\"%.1f\" y=\"%lld\">%.0f</text>", shown > HOT ? " hot" : "",
                x + width / 2, (long long)y + 16, 100 * share);
    }
    fputs("</g>\n", to);
}

void html_heat_map(FILE *to, const char *title, const double *shares, int64_t layers, int64_t experts) {
    fputs("<figure><figcaption>", to);
    markup_text(to, title);
    fprintf(to, "</figcaption>\n<svg viewBox=\"0 0 %d %lld\" role=\"img\" aria-label=\"Expert load of ", WIDTH,
            HEADER + ROW * (long long)layers);
    markup_text(to, title);
    fprintf(to, "\">\n<text x=\"%d\" y=\"12\">expert 1</text><text x=\"%d\" y=\"12\" text-anchor=\"end\">%lld</text>\n",
            LABEL, WIDTH, (long long)experts);
    for (int64_t layer = 0; layer < layers; layer++) {
        fprintf(to, "<text x=\"0\" y=\"%lld\">layer %lld</text>\n", HEADER + ROW * (long long)layer + 16,
                (long long)layer + 1);
        for (int64_t e = 0; e < experts; e++) write_cell(to, shares[layer * experts + e], layer, e, experts);
    }
    fputs("</svg></figure>\n", to);
}
