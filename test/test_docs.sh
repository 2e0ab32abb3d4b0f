#!/bin/sh
# SPDX-License-Identifier: MIT
# The documents are true: the README's host program compiles and trains, the guide's code compiles, pages made from
# tables are up to date, links lead somewhere, every method is described.
number=0
check() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md >"$folder/host.c"
sanitizer=${SANITIZE:+-fsanitize=$SANITIZE}
# shellcheck disable=SC2086
${CC:-cc} $sanitizer -std=c11 -Wall -Iinclude "$folder/host.c" -L"$LIBOUT" -ltgrmoe -o "$folder/host"
check $? "the README's host program compiles"
first=$("$folder/host" | awk '/step 0 / { print $4 }')
last=$("$folder/host" | awk '/step 19 / { print $4 }')
awk -v first="$first" -v last="$last" 'BEGIN { exit !(last + 0 > 0 && last + 0 < first + 0) }'
check $? "the README's host program learns (loss $first to $last)"

# Each block of code is a function, whose variables are these unless it has its own.
{
    cat <<'END'
#include <stdio.h>
#include "tgrmoe/tgrmoe.h"
tgr_context *context, *own;
tgr_config *config;
tgr_model *model, *student, *dense;
tgr_teacher *teacher;
tgr_loss *loss;
tgr_optimizer *optimizer;
tgr_session *session;
tgr_checkpoint *file;
const tgr_routing *routing;
const float *images, *probe_images, *logits;
const int32_t *labels;
int64_t steps, batch, correct, layer, epoch;
double total, kept;
END
    for page in docs/guide.md docs/inference.md; do
        awk -v page="$page" -v name="$(basename "$page" .md)" '
            /^```c$/ { printf "void %s_%d(void) {\n#line %d \"%s\"\n", name, ++count, NR + 1, page; inside = 1; next }
            /^```$/ && inside { print "}"; inside = 0 }
            inside' "$page"
    done
} >"$folder/blocks.c"
${CC:-cc} -std=c11 -Wall -Werror -Wno-unused-but-set-variable -Iinclude -fsyntax-only "$folder/blocks.c"
check $? "the guide's code compiles"

"$BUILD/examples/tgrmoe" options --markdown | cmp -s - docs/options.md
check $? "docs/options.md is what the option table says"

for page in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do
    grep -o '](\([^)#]*\)' "$page" | sed 's/](//' | grep -v '^http' | while read -r target; do
        [ -e "$(dirname "$page")/$target" ] || echo "# $page: $target" >>"$folder/dead"
    done
done
[ ! -e "$folder/dead" ] || cat "$folder/dead"
[ ! -e "$folder/dead" ]
check $? "links in the documents lead somewhere"

# `folder/name.c`: what the tree has ends with it; a star stands for anything.
find src include examples test scripts -type f >"$folder/files"
grep -oh '`[A-Za-z0-9_/.*]*[A-Za-z0-9_*]\.\(c\|h\|cpp\|sh\|py\|mk\)`' README.md CONTRIBUTING.md CHANGELOG.md docs/*.md | tr -d '`' | sort -u |
    while read -r name; do
        pattern=$(echo "$name" | sed 's/\./\\./g; s/\*/.*/g')
        grep -qE "(^|/)$pattern\$" "$folder/files" || echo "# $name"
    done >"$folder/nowhere"
cat "$folder/nowhere"
[ ! -s "$folder/nowhere" ]
check $? "files that the documents name are there"

grep -rohE '\btgr_[a-z0-9_]+' include src | sort -u >"$folder/declared"
grep -ohE '\btgr_[a-z0-9_]+' README.md CONTRIBUTING.md CHANGELOG.md docs/*.md | sort -u | grep -vxF -f "$folder/declared" >"$folder/undeclared"
sed 's/^/# /' "$folder/undeclared"
[ ! -s "$folder/undeclared" ]
check $? "functions that the documents name are there"

make -s help >"$folder/targets"
grep -oh '`make [a-z][a-z_.-]*' README.md CONTRIBUTING.md docs/*.md | tr -d '`' | sort -u | while read -r command; do
    grep -qE "(^| )$command( |,|$)" "$folder/targets" || echo "# $command"
done >"$folder/unknown"
cat "$folder/unknown"
[ -s "$folder/targets" ] && [ ! -s "$folder/unknown" ]
check $? "make knows what the documents ask of it"

for page in CONTRIBUTING.md docs/*.md; do
    grep -qF "]($page)" README.md || echo "# $page"
done >"$folder/unlinked"
cat "$folder/unlinked"
[ ! -s "$folder/unlinked" ]
check $? "the README leads to every page"
# Rows of the second table of options.md, which was just compared with what the tool says.
methods=$(sed -n '/^## Methods/,$ s/^| `\([^`]*\)`.*/\1/p' docs/options.md)
for method in $methods; do
    grep -qx "## $method" docs/methods.md || echo "# $method"
done >"$folder/undescribed"
cat "$folder/undescribed"
[ -n "$methods" ] && [ ! -s "$folder/undescribed" ]
check $? "docs/methods.md has a section for each method"
echo "1..$number"
