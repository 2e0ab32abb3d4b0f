#!/bin/sh
# SPDX-License-Identifier: MIT
# The documents are true: the README's host program compiles and trains, the guide's code compiles, pages made from
# tables are up to date, links lead somewhere, every method is described.
. "$(dirname "$0")/tap_support.sh"

awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md >"$folder/host.c"
sanitizer=${SANITIZE:+-fsanitize=$SANITIZE}
# shellcheck disable=SC2086
${CC:-cc} $sanitizer -std=c11 -Wall -Iinclude "$folder/host.c" -L"$LIBOUT" -ltgrmoe -o "$folder/host"
report $? "the README's host program compiles"
first=$("$folder/host" | awk '/step 0 / { print $4 }')
last=$("$folder/host" | awk '/step 19 / { print $4 }')
awk -v first="$first" -v last="$last" 'BEGIN { exit !(last + 0 > 0 && last + 0 < first + 0) }'
report $? "the README's host program learns (loss $first to $last)"

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
report $? "the guide's code compiles"

"$BUILD/examples/tgrmoe" options --markdown | cmp -s - docs/options.md
report $? "docs/options.md is what the option table says"

for page in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do
    grep -o '](\([^)#]*\)' "$page" | sed 's/](//' | grep -v '^http' | while read -r target; do
        [ -e "$(dirname "$page")/$target" ] || echo "# $page: $target" >>"$folder/dead"
    done
done
[ ! -e "$folder/dead" ] || cat "$folder/dead"
[ ! -e "$folder/dead" ]
report $? "links in the documents lead somewhere"

# `folder/name.c`: what the tree has ends with it; a star stands for anything.
find src include examples test scripts -type f >"$folder/files"
grep -oh '`[A-Za-z0-9_/.*]*[A-Za-z0-9_*]\.\(c\|h\|cpp\|sh\|py\|mk\)`' README.md CONTRIBUTING.md CHANGELOG.md docs/*.md | tr -d '`' | sort -u |
    while read -r name; do
        pattern=$(echo "$name" | sed 's/\./\\./g; s/\*/.*/g')
        grep -qE "(^|/)$pattern\$" "$folder/files" || echo "# $name"
    done >"$folder/nowhere"
cat "$folder/nowhere"
[ ! -s "$folder/nowhere" ]
report $? "files that the documents name are there"

grep -rohE '\btgr_[a-z0-9_]+' include src | sort -u >"$folder/declared"
grep -ohE '\btgr_[a-z0-9_]+' README.md CONTRIBUTING.md CHANGELOG.md docs/*.md | sort -u | grep -vxF -f "$folder/declared" >"$folder/undeclared"
sed 's/^/# /' "$folder/undeclared"
[ ! -s "$folder/undeclared" ]
report $? "functions that the documents name are there"

make -s help >"$folder/targets"
grep -oh '`make [a-z][a-z_.-]*' README.md CONTRIBUTING.md docs/*.md | tr -d '`' | sort -u | while read -r command; do
    grep -qE "(^| )$command( |,|$)" "$folder/targets" || echo "# $command"
done >"$folder/unknown"
cat "$folder/unknown"
[ -s "$folder/targets" ] && [ ! -s "$folder/unknown" ]
report $? "make knows what the documents ask of it"

# Words that are not used here, and what to write instead.
cat >"$folder/words" <<'END'
way back|backward
to the (bit|byte)|bit for bit, byte for byte
hangs? (on|off)|depends on
meets?|sees, goes to, gets
anew|again, afresh
besides?|next to, in addition to
in the midst|in the middle
but for|except
outside of|outside
once more|again
comput(e|es|ed) again|recompute
in the end|finally, final, at the end
(go|goes|going) on|continue, resume
thr(own|ows?|ow) away|discard
so many|that many, N
nobody|no token, none, unknown
alike|the same way, equal
told apart|distinguished
cut off|truncated
its like|the same
to be had|available
stands? (still|beside|again)|is frozen, is next to, is repeated
l(ie|ies|ay) (over|beside)|share memory with, overlap
(allowed|needed) are|it must be
none may|it must have none
that is none|any other
no (shape|file|one) tells|does not determine, does not reveal
find(s|ing)? (their |its )?experts?|routing
is no (regular|safetensors|checkpoint|file|folder|class|multiple|JSON|text)|is not a
of another kind|of a different kind, format
another (type|shape|size)|a different
has no use for|does not use
END
while IFS= read -r row; do
    grep -rnEiI "(^|[^a-z_])(${row%|*})([^a-z_]|\$)" README.md CHANGELOG.md CONTRIBUTING.md docs/*.md include src examples |
        grep -v 'here is no' | sed "s/^/# (${row##*|}) /"
done <"$folder/words" >"$folder/said"
head -n 20 "$folder/said"
[ ! -s "$folder/said" ]
report $? "the words are the house's"

for page in CONTRIBUTING.md docs/*.md; do
    grep -qF "]($page)" README.md || echo "# $page"
done >"$folder/unlinked"
cat "$folder/unlinked"
[ ! -s "$folder/unlinked" ]
report $? "the README leads to every page"
# Rows of the second table of options.md, which was just compared with what the tool says.
methods=$(sed -n '/^## Methods/,$ s/^| `\([^`]*\)`.*/\1/p' docs/options.md)
for method in $methods; do
    grep -qx "## $method" docs/methods.md || echo "# $method"
done >"$folder/undescribed"
cat "$folder/undescribed"
[ -n "$methods" ] && [ ! -s "$folder/undescribed" ]
report $? "docs/methods.md has a section for each method"
plan
