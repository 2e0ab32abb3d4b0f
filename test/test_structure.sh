#!/bin/sh
# SPDX-License-Identifier: MIT
# Dependencies point the way that docs/architecture.md says: which folder may include from which.
. "$(dirname "$0")/structure_support.sh"

# may FOLDER "FOLDER|FOLDER…": its files, at any depth, include from these and from include/tgrmoe only.
may() {
    check "$(grep -rn --include='*.[ch]' '#include "' "src/$1" | grep -vE "#include \"(tgrmoe|$2)/")" "src/$1 knows $2"
}

may base "base"
may kernels "base|kernels"
# within FOLDER "FOLDER|FOLDER…": a part of the kernels includes its interface and these parts.
within() {
    check "$(grep -rn --include='*.[ch]' '#include "' "src/kernels/$1" |
        grep -vE "#include \"(tgrmoe/|base/|kernels/[a-z_]+\.h|kernels/($1|$2)/)")" "src/kernels/$1 knows the interface ${2:+and $2}"
}
check "$(grep -n '#include "kernels/[a-z0-9_]*/' src/kernels/*.[ch])" "the kernels' interface knows no architecture"
within portable
within vector
within blocked
within blis "vector"
within avx2 "blocked|vector"
within avx512 "blocked|vector"
within avx512bf16 "blocked|avx512"
within amx "avx512"
check "$(cd src/kernels && for name in */; do echo "${name%/}"; done | grep -vxE 'portable|vector|blocked|blis|avx2|avx512|avx512bf16|amx')" \
    "no other folder of kernels"
may layers "base|kernels|layers"
may routing "base|kernels|layers|routing"
# part FOLDER "FOLDER|FOLDER…": a folder of routing includes its headers and these folders.
part() {
    check "$(grep -rn --include='*.[ch]' '#include "routing/' "src/routing/$1" |
        grep -vE "#include \"routing/([a-z_]+\.h|($1|$2)/)")" "src/routing/$1 knows the layer's headers ${2:+and $2}"
}
part slots
part gates "slots"
part losses "slots|gates"
part methods "slots|gates|losses"
part handles "gates"
check "$(grep -n '#include "routing/[a-z]*/' src/routing/*.[ch] | grep -vE '"routing/losses/')" "the layer knows losses alone"
check "$(cd src/routing && for name in */; do echo "${name%/}"; done | grep -vxE 'slots|gates|losses|methods|handles')" \
    "no other folder of routing"
may model "base|kernels|layers|routing|model"
may optimizer "base|kernels|optimizer"
may teacher "base|kernels|layers|routing|model|optimizer|teacher"
may probe "base|kernels|routing|model|probe"
may loss "base|kernels|routing|model|optimizer|teacher|loss"
may checkpoint "base|model|optimizer|teacher|checkpoint"
may safetensors "base|checkpoint|safetensors"
may exchange "base|routing|model|safetensors|exchange"
for file in section section_reader section_writer atomic_file name_set deflate_memory; do
    check "$(grep -n '#include "' src/checkpoint/$file.[ch] | grep -vE '#include "(tgrmoe/common.h|tgrmoe/checkpoint.h|tgrmoe/context.h|base/|checkpoint/)')" \
        "checkpoint format: $file knows tensors and names only"
done
check "$(grep -n '#include "[a-z]*/' examples/*.* | grep -v '"tgrmoe/')" "examples see the public headers only"
check "$(find src -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE 'base|kernels|layers|routing|model|optimizer|teacher|probe|loss|checkpoint|safetensors|exchange')" "no other folder"

# The tool.
tool=examples/tgrmoe
check "$(check_picture $tool docs/architecture.md)" "the tool is as its picture in docs/architecture.md"
check "$(check_circles $tool)" "the tool's files include each other in no circle"
check "$(check_outside $tool '^$')" "the tool's files include each other and, in angle brackets, the public headers"
check "$(check_own_first $tool)" "the tool's files include their own headers first"
check "$(check_declarations $tool)" "the tool's headers declare what their own files define"
# What a host may take over.
check "$(check_borders $tool images "failure")" "images/ stands alone"
check "$(check_borders $tool augment "images failure")" "augment/ stands on images/"
check "$(check_borders $tool data "images failure")" "data/ stands on images/"
check "$(check_namesakes include src test $tool)" "each header's path is its own, whatever the order of -I"

check "$(grep -rnE 'if \(status == TGR_OK\) status|status == TGR_OK &&|&& status == TGR_OK' src)" "failures are passed on in one way"
echo "1..$number"
