/* SPDX-License-Identifier: MIT */
/* The style sheet is part of the page. */
#include "report/html_page.h"

#include "report/html_style.h"
#include "report/markup.h"

static const char style[] =
    ":root{color-scheme:light dark;--ground:#fff;--panel:#f6f8fa;--text:#1f2328;--soft:#59636e;--line:#d1d9e0;"
    "--heat:#0969da;--c0:#0072b2;--c1:#d55e00;--c2:#00805c;--c3:#b04a8a;--c4:#a87400;--c5:#6f4fc4;--c6:#59636e}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#0d1117;--panel:#151b23;--text:#e6edf3;--soft:#9198a1;"
    "--line:#3d444d;--heat:#58a6ff;--c0:#5bb0f0;--c1:#ff8f52;--c2:#3fcf9f;--c3:#ec9acb;--c4:#e8b73e;--c5:#ab93fa;"
    "--c6:#9aa4af}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,-apple-system,'Segoe UI',"
    "'DejaVu Sans',sans-serif}\n"
    "main{max-width:1160px;margin:0 auto;padding:28px 20px 64px}\n"
    "h1{font-size:1.75rem;line-height:1.25;margin:0 0 .4rem}h2{font-size:1.25rem;margin:2.6rem 0 .6rem}\n"
    "p{max-width:74ch;margin:.5rem 0}.soft,dd{color:var(--soft)}ul.facts{padding-left:1.2rem;max-width:74ch}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.875rem;max-width:90ch}"
    "dt{font-weight:600}dd{margin:0}\n"
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;margin:1rem 0}\n"
    "table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.5rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}\n"
    "thead "
    "th{white-space:normal;vertical-align:bottom;min-width:4.6rem;line-height:1.3;background:var(--panel);font-weight:"
    "600;color:var(--soft)}\n"
    "tbody tr:last-child>*{border-bottom:0}\n"
    "th:first-child{text-align:left;position:sticky;left:0;background:var(--panel);font-weight:600;"
    "border-right:1px solid var(--line)}\n"
    "td small{color:var(--soft);font-size:.8em}td.best{font-weight:700}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:20px;margin:1rem "
    "0}\n"
    ".figures.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr))}\n"
    "figure{margin:0;padding:14px 14px 10px;border:1px solid var(--line);border-radius:8px;min-width:0}\n"
    "figcaption{font-weight:600;margin-bottom:.3rem}figcaption small{display:block;font-weight:400;"
    "color:var(--soft);font-size:.8125rem;line-height:1.4}\n"
    "svg{display:block;width:100%;height:auto;overflow:visible}svg text{font-size:12px;fill:var(--soft)}\n"
    ".grid{stroke:var(--line)}.axis{stroke:var(--soft)}\n"
    ".curve{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}.dash{stroke-dasharray:6 4}\n"
    ".dots{stroke-dasharray:2 3}\n"
    ".dot{fill:var(--c)}.band{fill:var(--c);opacity:.13}\n"
    ".many .band{opacity:0}.many g.one:hover .band{opacity:.2}\n"
    "svg:hover g.one{opacity:.22}svg:hover g.one:hover{opacity:1}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;list-style:none;margin:.3rem 0 "
    "0;padding:0;font-size:.8125rem}\n"
    ".legend li,.name{display:inline-flex;align-items:center;gap:.4rem}\n"
    "svg.sample{width:24px;height:10px;flex:none;display:inline-block}\n"
    ".cell{fill:var(--heat)}svg text.value{font-size:11px;text-anchor:middle;fill:var(--text)}"
    "svg text.hot{fill:var(--ground)}\n"
    "details{margin:1rem 0}summary{cursor:pointer}pre{overflow-x:auto;background:var(--panel);padding:.8rem;"
    "border-radius:8px;font-size:.8125rem}\n"
    "@media(max-width:560px){.plot text{font-size:16px}.plot .y-name{display:none}main{padding:18px 14px "
    "48px}h1{font-size:1.4rem}th,td{padding:.45rem .55rem}"
    "dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}}\n";

void html_begin(FILE *to, const char *title) {
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
        to);
    markup_text(to, title);
    fprintf(to, "</title>\n<style>\n%s", style);
    for (int i = 0; i < HTML_COLOURS; i++) fprintf(to, ".s%d{--c:var(--c%d)}", i, i);
    fputs("\n</style>\n</head>\n<body>\n<main>\n", to);
}

void html_end(FILE *to) {
    fputs("</main>\n</body>\n</html>\n", to);
}
