# SPDX-License-Identifier: MIT
# How a tree of C files is held to its structure. A room is a folder below the root, or a file (a .c with its .h) that
# lies in the root itself; an arrow leads from a room to one that it includes from. Each function that checks prints what
# is wrong, a line for each.
number=0

# check WRONG TEXT: a TAP line; WRONG is what is wrong, or nothing.
check() {
    number=$((number + 1))
    if [ -z "$1" ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; echo "$1" | sed 's/^/# /'; fi
}

sources() { (cd "$1" && find . -name '*.[ch]' | sed 's|^\./||' | sort); }

# quoted_includes ROOT: "FILE INCLUDED" for each.
quoted_includes() {
    sources "$1" | (cd "$1" && xargs awk -F '"' '/^#include "/ { print FILENAME, $2 }')
}

# inner_includes ROOT: those that lie in it.
inner_includes() {
    quoted_includes "$1" | while read -r file included; do
        [ ! -f "$1/$included" ] || echo "$file $included"
    done
}

# arrows ROOT: "ROOM ROOM" for each.
arrows() {
    inner_includes "$1" | awk '
        function room(path) { if (!sub(/\/.*/, "", path)) sub(/\.[ch]$/, "", path); return path }
        room($1) != room($2) { print room($1), room($2) }' | sort -u
}

# picture ROOT PAGE: the rows "ROOM → ROOM ROOM ..." of the block of code on the page whose first line is ROOT.
picture() {
    awk -v root="$1" '
        /^```/ { inside = !inside; first = inside; shown = 0; next }
        inside && first { first = 0; shown = $0 == root; next }
        shown && NF' "$2"
}

# check_picture ROOT PAGE: the picture shows each room and each arrow, and no arrow back up.
check_picture() {
    { picture "$1" "$2" | sed 's/^/picture /'; arrows "$1" | sed 's/^/arrow /'
        sources "$1" | sed -e 's|/.*||' -e 's|\.[ch]$||' | sort -u | sed 's/^/room /'; } | awk '
        $1 == "picture" { floor[$2] = ++floors; for (i = 4; i <= NF; i++) drawn[$2 " " $i] = 1 }
        $1 == "room" { room[$2] = 1 }
        $1 == "arrow" { found[$2 " " $3] = 1 }
        END {
            for (name in room) if (!(name in floor)) print name " is not in the picture"
            for (name in floor) if (!(name in room)) print name " is in the picture alone"
            for (pair in drawn) {
                split(pair, end)
                if (!(pair in found)) print end[1] " → " end[2] " is in the picture alone"
                if (floor[end[2]] <= floor[end[1]]) print end[1] " → " end[2] " leads back up"
            }
            for (pair in found) if (!(pair in drawn)) { sub(/ /, " → ", pair); print pair " is not in the picture" }
        }' | sort
}

# check_circles ROOT: no files, each a .c with its .h, that include each other in a circle.
check_circles() {
    inner_includes "$1" | sed 's/\.[ch]\( \|$\)/\1/g' | awk '$1 != $2' | { tsort >/dev/null; } 2>&1
}

# check_borders ROOT ROOM "ROOM ROOM ...": the room includes from itself and from these only.
check_borders() {
    inner_includes "$1" | awk -v room="$2" -v allowed=" $2 $3 " '
        function of(path) { if (!sub(/\/.*/, "", path)) sub(/\.[ch]$/, "", path); return path }
        of($1) == room && !index(allowed, " " of($2) " ") { print $1 ": " $2 }'
}

# check_outside ROOT ALLOWED: what does not lie in the root matches the pattern.
check_outside() {
    quoted_includes "$1" | while read -r file included; do
        [ -f "$1/$included" ] || echo "$included" | grep -qE "$2" || echo "$file: $included"
    done
}

# check_own_first ROOT: a file includes its own header before any other.
check_own_first() {
    sources "$1" | grep '\.c$' | while read -r file; do
        [ ! -f "$1/${file%.c}.h" ] || [ "$(grep -m 1 '^#include' "$1/$file")" = "#include \"${file%.c}.h\"" ] || echo "$file"
    done
}

# declared HEADER: the names of the functions and variables that it declares, except those defined in it.
declared() {
    awk '
        { while (match($0, /\/\*([^*]|\*+[^*\/])*\*+\//)) $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH) }
        comment { if (!sub(/.*\*\//, "")) next; comment = 0 }
        /\/\*/ { sub(/\/\*.*/, ""); comment = 1 }
        /^#/ || directive { directive = /\\$/; next }
        { text = text " " $0 }
        END {
            while (gsub(/\{[^{}]*\}/, " BODY ", text));
            gsub(/\) *BODY/, ") BODY;", text)
            count = split(text, part, ";")
            for (i = 1; i <= count; i++) {
                if (part[i] ~ /BODY/ || part[i] ~ /^ *(typedef|struct|enum|union|$)/ || part[i] ~ /^ *$/) continue
                sub(/ *[(\[].*/, "", part[i])
                sub(/.*[ *]/, "", part[i])
                print part[i]
            }
        }' "$1"
}

# check_declarations ROOT: what a header declares is defined in the .c file of its name.
check_declarations() {
    sources "$1" | grep '\.h$' | while read -r header; do
        own="$1/${header%.h}.c"
        declared "$1/$header" | while read -r name; do
            [ -f "$own" ] && grep -qE "^[A-Za-z_].*[ *]$name(\(|\[| =|;)" "$own" || echo "$header: $name is defined elsewhere"
        done
    done
}

# check_namesakes ROOT...: no header has the same path below two of the roots, so that the order of -I decides nothing.
check_namesakes() {
    for root in "$@"; do sources "$root" | grep '\.h$'; done | sort | uniq -d
}
