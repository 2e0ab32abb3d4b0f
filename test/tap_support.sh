# SPDX-License-Identifier: MIT
# What all test scripts share: a folder of their own, $folder, and checks that print TAP. A script ends with `plan`, which
# fails if a check has.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
number=0
failed=0

# report STATUS TEXT [FILE]: whether it holds; if not, what is in FILE follows.
report() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        failed=$((failed + 1))
        echo "not ok $number - $2"
        [ -z "${3-}" ] || sed 's/^/# /' "$3"
    fi
}

# check TEXT COMMAND...: the command succeeds. What it prints is then in $folder/log.
check() {
    text=$1
    shift
    "$@" >"$folder/log" 2>&1
    report $? "$text" "$folder/log"
}

# none TEXT FINDINGS: there are none.
none() {
    printf '%s\n' "$2" >"$folder/log"
    [ -z "$2" ]
    report $? "$1" "$folder/log"
}

plan() {
    echo "1..$number"
    [ "$failed" -eq 0 ]
}
