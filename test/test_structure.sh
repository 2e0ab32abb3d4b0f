#!/bin/sh
# SPDX-License-Identifier: MIT
# Dependencies point the way that docs/architecture.md says: which folder may include from which.
. "$(dirname "$0")/tap_support.sh"
. "$(dirname "$0")/structure_support.sh"

# may FOLDER "FOLDER|FOLDER…": its files, at any depth, include from these and from include/tgrmoe only.
may() {
    none "src/$1 knows $2" "$(grep -rn --include='*.[ch]' '#include "' "src/$1" | grep -vE "#include \"(tgrmoe|$2)/")"
}

may base "base"
may kernels "base|kernels"
# within FOLDER "FOLDER|FOLDER…": a part of the kernels includes its interface and these parts.
within() {
    none "src/kernels/$1 knows the interface ${2:+and $2}" "$(grep -rn --include='*.[ch]' '#include "' "src/kernels/$1" |
        grep -vE "#include \"(tgrmoe/|base/|kernels/[a-z_]+\.h|kernels/($1|$2)/)")"
}
none "the kernels' interface knows no architecture" "$(grep -n '#include "kernels/[a-z0-9_]*/' src/kernels/*.[ch])"
within portable
within vector
within blocked
within blis "vector"
within avx2 "blocked|vector"
within avx512 "blocked|vector"
within avx512bf16 "blocked|avx512"
within amx "avx512"
none "no other folder of kernels" "$(cd src/kernels && for name in */; do echo "${name%/}"; done | grep -vxE 'portable|vector|blocked|blis|avx2|avx512|avx512bf16|amx')"
may layers "base|kernels|layers"
may routing "base|kernels|layers|routing"
# part FOLDER "FOLDER|FOLDER…": a folder of routing includes its headers and these folders.
part() {
    none "src/routing/$1 knows the layer's headers ${2:+and $2}" "$(grep -rn --include='*.[ch]' '#include "routing/' "src/routing/$1" |
        grep -vE "#include \"routing/([a-z_]+\.h|($1|$2)/)")"
}
part slots
part gates "slots"
part losses "slots|gates"
part methods "slots|gates|losses"
part handles "gates"
none "the layer knows losses alone" "$(grep -n '#include "routing/[a-z]*/' src/routing/*.[ch] | grep -vE '"routing/losses/')"
none "no other folder of routing" "$(cd src/routing && for name in */; do echo "${name%/}"; done | grep -vxE 'slots|gates|losses|methods|handles')"
may model "base|kernels|layers|routing|model"
may optimizer "base|kernels|optimizer"
may teacher "base|kernels|layers|routing|model|optimizer|teacher"
may probe "base|kernels|routing|model|probe"
may loss "base|kernels|routing|model|optimizer|teacher|loss"
may checkpoint "base|model|optimizer|teacher|checkpoint"
may safetensors "base|checkpoint|safetensors"
may exchange "base|routing|model|safetensors|exchange"
for file in section section_reader section_writer atomic_file name_set deflate_memory; do
    none "checkpoint format: $file knows tensors and names only" "$(grep -n '#include "' src/checkpoint/$file.[ch] | grep -vE '#include "(tgrmoe/common.h|tgrmoe/checkpoint.h|tgrmoe/context.h|base/|checkpoint/)')"
done
none "examples see the public headers only" "$(grep -n '#include "[a-z]*/' examples/*.* | grep -v '"tgrmoe/')"
none "no other folder" "$(find src -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE 'base|kernels|layers|routing|model|optimizer|teacher|probe|loss|checkpoint|safetensors|exchange')"

# The tool.
tool=examples/tgrmoe
none "the tool is as its picture in docs/architecture.md" "$(check_picture $tool docs/architecture.md)"
none "the tool's files include each other in no circle" "$(check_circles $tool)"
none "the tool's files include each other and, in angle brackets, the public headers" "$(check_outside $tool '^$')"
none "the tool's files include their own headers first" "$(check_own_first $tool)"
none "the tool's headers declare what their own files define" "$(check_declarations $tool)"
# What a host may take over.
none "images/ stands alone" "$(check_borders $tool images "failure")"
none "augment/ stands on images/" "$(check_borders $tool augment "images failure")"
none "data/ stands on images/" "$(check_borders $tool data "images failure")"
none "each header's path is its own, whatever the order of -I" "$(check_namesakes include src test $tool)"

none "failures are passed on in one way" "$(grep -rnE 'if \(status == TGR_OK\) status' src)"
plan
