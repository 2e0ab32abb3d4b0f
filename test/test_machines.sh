#!/bin/sh
# SPDX-License-Identifier: MIT
# What the Makefile makes of a machine: x86-64 by whatever name, BLIS wherever it is, and kernels that are compiled for the
# instruction set that their folder is called after.
. "$(dirname "$0")/tap_support.sh"
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES
compiler=${CC:-cc}

# A compiler that is of the machine $MACHINE and, like most outside Debian, knows no multiarch name.
cat >"$folder/cc" <<END
#!/bin/sh
case \$1 in
-print-multiarch) exit 0 ;;
-dumpmachine) echo "\$MACHINE" ;;
*) exec $compiler "\$@" ;;
esac
END
chmod +x "$folder/cc"

# value MACHINE VARIABLE [SETTING...]: what the Makefile has in it there.
value() {
    machine=$1 variable=$2
    shift 2
    MACHINE=$machine make -s CC="$folder/cc" "$@" "print-$variable"
}

for machine in x86_64-linux-gnu x86_64-redhat-linux x86_64-pc-linux-gnu x86_64-alpine-linux-musl; do
    check "$machine has kernels for AVX2" [ "$(value $machine ISA_avx2 BLIS_CFLAGS=-I.)" = "-mavx2 -mfma" ]
done
for machine in aarch64-redhat-linux i686-linux-gnu ''; do
    check "${machine:-a machine without a name} has none" [ "$(value "$machine" ISA_avx2 BLIS_CFLAGS=-I. && echo read)" = "
read" ]
done

for header in include/blis.h include/blis/blis.h include/x86_64-linux-gnu/blis.h; do
    root=$folder/$(echo "$header" | tr / -)
    mkdir -p "$root/$(dirname "$header")" && : >"$root/$header"
    check "finds BLIS's $header" [ "$(value x86_64-redhat-linux BLIS_CFLAGS BLIS_ROOTS="$root")" = "-isystem $root/$(dirname "$header")" ]
    check "and links it by its name alone" [ "$(value x86_64-redhat-linux BLIS_LIBS BLIS_ROOTS="$root")" = -lblis ]
done
root=$folder/debian
mkdir -p "$root/include/x86_64-linux-gnu/blis-pthread" && : >"$root/include/x86_64-linux-gnu/blis-pthread/blis.h"
check "finds Debian's BLIS though the compiler knows no multiarch name" \
    [ "$(value x86_64-pc-linux-gnu BLIS_CFLAGS BLIS_ROOTS="$root")" = "-isystem $root/include/x86_64-linux-gnu/blis-pthread" ]
check "and its library" \
    [ "$(value x86_64-pc-linux-gnu BLIS_LIBS BLIS_ROOTS="$root")" = "-L$root/lib/x86_64-linux-gnu/blis-pthread -lblis" ]

# Each file of a folder with an instruction set of its own refuses to be compiled without it.
folders=$(sed -n 's/^ISA_\([a-z0-9]*\) .*/\1/p' src/kernels/isa.mk)
check "each such folder has an isa.h, and no other" \
    [ "$(echo "$folders" | sort)" = "$(find src/kernels -name isa.h | sed 's|.*/\(.*\)/isa.h|\1|' | sort)" ]
for name in $folders; do
    for file in src/kernels/"$name"/*.c; do
        first=$(sed -n 's/^#include "\(.*\)"/\1/p' "$file" | head -1)
        check "$file includes its isa.h first" [ "$first" = "kernels/$name/isa.h" ]
    done
done

if [ -n "$(make -s CC="$compiler" print-ISA_avx2)" ]; then
    # refused FOLDER SETTING...: its files do not compile so, and say why.
    refused() {
        name=$1
        shift
        for file in src/kernels/"$name"/*.c; do
            object=$folder/build/obj/${file%.c}.o
            if make -s CC="$compiler" BUILD="$folder/build" "$@" "$object" 2>"$folder/errors"; then return 1; fi
            grep -q "src/kernels/$name was compiled without" "$folder/errors" || { cat "$folder/errors"; return 1; }
        done
    }
    check "avx2 without -mfma is an error" refused avx2 ISA_avx2=-mavx2
    check "avx512 without -mavx512bw is an error" refused avx512 ISA_avx512='-mavx2 -mfma -mavx512f -mavx512vl -mavx512dq'
    check "avx512bf16 with the flags of avx512 is an error" refused avx512bf16 ISA_avx512bf16="$(make -s CC="$compiler" print-ISA_avx512)"
    check "amx with the flags of avx512 is an error" refused amx ISA_amx="$(make -s CC="$compiler" print-ISA_avx512)"
    check "a rule that forgets the folders' flags is an error" refused avx2 isa_of=
fi
plan
