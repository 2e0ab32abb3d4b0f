#!/bin/sh
# SPDX-License-Identifier: MIT
# Dependencies point the way that docs/architecture.md says: which folder of src/ may include from which.
number=0
check() {
    number=$((number + 1))
    if [ -z "$1" ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; echo "$1" | sed 's/^/# /'; fi
}

# may FOLDER "FOLDER|FOLDER…": its files, at any depth, include from these and from include/tgrmoe only.
may() {
    check "$(grep -rn --include='*.[ch]' '#include "' "src/$1" | grep -vE "#include \"(tgrmoe|$2)/")" "src/$1 knows $2"
}

# One look upward: the context picks the kernels.
check "$(grep -n '#include "' src/base/*.[ch] | grep -vE '#include "(tgrmoe|base)/' |
    grep -v '^src/base/context.c:.*"kernels/kernels.h"')" "src/base knows itself"
may kernels "base|kernels"
may layers "base|kernels|layers"
may routing "base|kernels|layers|routing"
may model "base|kernels|layers|routing|model"
may optimizer "base|kernels|optimizer"
may teacher "base|kernels|layers|routing|model|optimizer|teacher"
may probe "base|kernels|routing|model|probe"
may loss "base|kernels|routing|model|teacher|loss"
may checkpoint "base|model|optimizer|teacher|checkpoint"
may safetensors "base|checkpoint|safetensors"
may exchange "base|routing|model|safetensors|exchange"
for file in section section_reader section_writer atomic_file name_set deflate_memory; do
    check "$(grep -n '#include "' src/checkpoint/$file.[ch] | grep -vE '#include "(tgrmoe/common.h|tgrmoe/checkpoint.h|tgrmoe/context.h|base/|checkpoint/)')" \
        "checkpoint format: $file knows tensors and names only"
done
check "$(grep -n '#include "[a-z]*/' examples/*.* | grep -v '"tgrmoe/')" "examples see the public headers only"
check "$(grep -rnE '#include "(tgrmoe|base|kernels|layers|routing|model|optimizer|teacher|probe|loss|checkpoint|safetensors|exchange)/' \
    examples/tgrmoe)" "the tool sees the public headers only, in angle brackets"
check "$(ls src | grep -vxE 'base|kernels|layers|routing|model|optimizer|teacher|probe|loss|checkpoint|safetensors|exchange')" "no other folder"
echo "1..$number"
