#!/bin/sh
# SPDX-License-Identifier: MIT
# What a distribution and a host rely on: headers that stand alone, an export list, an installation that pkg-config finds.
number=0
check() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for header in include/tgrmoe/*.h; do
    printf '#include "tgrmoe/%s"\n' "$(basename "$header")" | tee "$folder/alone.c" >"$folder/alone.cpp"
    ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$folder/alone.c"
    check $? "$(basename "$header") alone is C11"
    ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$folder/alone.cpp"
    check $? "$(basename "$header") alone is C++17"
done

for header in include/tgrmoe/*.h; do
    grep -qF "#include \"tgrmoe/$(basename "$header")\"" include/tgrmoe/tgrmoe.h || basename "$header"
done >"$folder/left-out"
[ "$(cat "$folder/left-out")" = tgrmoe.h ]
check $? "tgrmoe.h includes every other header"

cat include/tgrmoe/*.h | tr '\n' ' ' | grep -o 'TGR_API [^;{]*(' | sed 's/ *($//; s/(.*//' >"$folder/prototypes"
cat test/*.c test/*.h | tr '\n' ' ' >"$folder/tests"
sed -n 's/^TGR_API tgr_status \(tgr_[a-z0-9_]*\)$/\1/p' "$folder/prototypes" | while read -r function; do
    grep -qE "assert_(fails|status)\(TGR_ERROR_[^;]*[^a-z_]$function\(" "$folder/tests" || echo "# $function"
done >"$folder/untried"
cat "$folder/untried"
[ -s "$folder/prototypes" ] && [ ! -s "$folder/untried" ]
check $? "every public function is seen to refuse bad arguments"

cat include/tgrmoe/*.h | tr '\n' ' ' | grep -o 'TGR_API [^;{]*;' |
    grep -E '^TGR_API (int|int64_t|uint64_t|double|const [a-z_]* \*|tgr_parameters \*)' |
    sed -n 's/.*[ *]\(tgr_[a-z0-9_]*\)(const tgr_[a-z_]* \*.*/\1/p; s/.*[ *]\(tgr_[a-z0-9_]*\)(tgr_[a-z_]* \*.*/\1/p' >"$folder/values"
while read -r function; do
    grep -qE "[^a-z_]$function\(NULL[,)]" "$folder/tests" || echo "# $function"
done <"$folder/values" >"$folder/untried"
cat "$folder/untried"
[ -s "$folder/values" ] && [ ! -s "$folder/untried" ]
check $? "every public function that returns a value of a handle is seen to take NULL"

# docs/abi.md: a struct begins with its size, and test_structs.c tries it.
awk '/^typedef struct tgr_[a-z_]* \{/ { name = $3; getline; print name, ($1 == "size_t" && $2 == "struct_size;") ? "" : "bare" }' \
    include/tgrmoe/*.h >"$folder/structs"
while read -r name bare; do
    if [ -n "$bare" ]; then echo "# $name does not begin with struct_size"; fi
    grep -q "$name" test/test_structs.c || echo "# $name is not in test_structs.c"
done <"$folder/structs" >"$folder/unsized"
cat "$folder/unsized"
[ -s "$folder/structs" ] && [ ! -s "$folder/unsized" ]
check $? "every public struct begins with its size and is tried"

# A message begins with the function that was called, which is what TGR_ENTER notes down (src/base/status.h).
find src -name '*.c' -exec cat {} + | awk '
    /^tgr_status tgr_/ { name = $2; sub(/\(.*/, "", name) }
    /;$/ { name = "" }
    /\) \{$/ && name { getline; if ($0 == "    TGR_ENTER;") print name; name = "" }' | sort >"$folder/entered"
sed -n 's/^TGR_API tgr_status \(tgr_[a-z0-9_]*\)$/\1/p' "$folder/prototypes" | sort | comm -23 - "$folder/entered" |
    sed 's/^/# /' >"$folder/outside"
cat "$folder/outside"
[ -s "$folder/entered" ] && [ ! -s "$folder/outside" ]
check $? "every public function that can fail begins with TGR_ENTER"

# A sanitized library carries symbols of its runtime and needs it preloaded, one for a debugger has assertions: the rest
# is for what is installed.
if [ -z "$SANITIZE$DEBUG" ]; then
    nm -D --defined-only "$LIBOUT/libtgrmoe.so" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u >"$folder/exported"
    grep -o 'tgr_[a-z0-9_]*$' "$folder/prototypes" | sort -u >"$folder/declared"
    diff "$folder/declared" "$folder/exported" | sed 's/^/# /'
    cmp -s "$folder/declared" "$folder/exported"
    check $? "the shared library exports what the headers declare and nothing else"

    nm -D --undefined-only "$LIBOUT/libtgrmoe.so" | grep -E ' (abort|_?exit|__assert_fail|v?f?printf|puts|fwrite|stdout|stderr)(@|$)' |
        sed 's/^/# /' >"$folder/loud"
    cat "$folder/loud"
    [ ! -s "$folder/loud" ]
    check $? "the shared library cannot print, exit or abort"

    readelf -d "$LIBOUT/libtgrmoe.so" | grep -q 'SONAME.*libtgrmoe.so.0\]'
    check $? "SONAME carries the major version"

    make -s install PREFIX=/opt/tgr DESTDIR="$folder/root" >"$folder/log" 2>&1
    check $? "make install into DESTDIR"
    for header in include/tgrmoe/*.h; do
        cmp -s "$header" "$folder/root/opt/tgr/$header" || echo "# $header"
    done >"$folder/uninstalled"
    cat "$folder/uninstalled"
    [ ! -s "$folder/uninstalled" ]
    check $? "every header is installed"
    ! grep -rlq "$folder" "$folder/root"
    check $? "nothing installed names DESTDIR"
    cat >"$folder/host.c" <<'HOST'
#include <stdio.h>
#include <tgrmoe/tgrmoe.h>
int main(void) {
    tgr_context *context = NULL;
    if (tgr_context_create(&context, NULL) != TGR_OK) return 1;
    tgr_context_free(context);
    return puts(tgr_version()) < 0;
}
HOST
    PKG_CONFIG_PATH="$folder/root/opt/tgr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$folder/root"
    export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
    # shellcheck disable=SC2046
    ${CC:-cc} "$folder/host.c" $(pkg-config --cflags --libs tgrmoe) -o "$folder/host" &&
        LD_LIBRARY_PATH="$folder/root/opt/tgr/lib" "$folder/host" >"$folder/version"
    check $? "a host compiles, links and runs through pkg-config"
    # shellcheck disable=SC2046
    ${CC:-cc} -static-libgcc "$folder/host.c" -I"$folder/root/opt/tgr/include" "$folder/root/opt/tgr/lib/libtgrmoe.a" \
        $(pkg-config --static --libs-only-l tgrmoe | sed 's/-ltgrmoe//') \
        $(sed -n 's/^Libs.private: .*\(-L[^ ]*\).*/\1/p' "$folder/root/opt/tgr/lib/pkgconfig/tgrmoe.pc") -o "$folder/host-static" &&
        "$folder/host-static" >/dev/null
    check $? "a host links the static library"
    make -s uninstall PREFIX=/opt/tgr DESTDIR="$folder/root" >"$folder/log" 2>&1
    left=$(find "$folder/root" -type f -o -type l | wc -l)
    [ "$left" -eq 0 ]
    check $? "make uninstall leaves nothing"
fi
echo "1..$number"
