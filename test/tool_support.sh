# SPDX-License-Identifier: MIT
# What the tests of the tool share: the tool, run in a folder of their own; small made-up data. BUILD: the build folder.
. "$(dirname "$0")/tap_support.sh"
# shellcheck disable=SC2034
tool=$(cd "${BUILD:-build}/examples" && pwd)/tgrmoe
cd "$folder" || exit 1

# refuse CODE PATTERN TEXT COMMAND...: it ends with that exit code and says something that matches.
refuse() {
    code=$1 pattern=$2 text=$3
    shift 3
    "$@" >log 2>&1
    status=$?
    [ $status -eq "$code" ] && grep -q -e "$pattern" log
    report $? "$text (exit $status)" log
}

# bytes NUMBER...: as bytes.
bytes() {
    for byte in "$@"; do printf "\\$(printf %03o "$byte")"; done
}

# idx NAME COUNT: images of 8 x 8 pixels, with a bright row that tells the label, and their labels (0 to 3).
idx() {
    { bytes 0 0 8 3 0 0 0 "$2" 0 0 0 8 0 0 0 8
      i=0
      while [ $i -lt "$2" ]; do
          awk -v i=$i 'BEGIN { for (k = 0; k < 64; k++) printf "%s", (int(k / 8) == 2 * (i % 4)) ? "\377" : sprintf("%c", 32 + (k * 7 + i * 13) % 60) }' </dev/null
          i=$((i + 1))
      done; } >"$1-images-idx3-ubyte"
    { bytes 0 0 8 1 0 0 0 "$2"
      i=0
      while [ $i -lt "$2" ]; do bytes $((i % 4)); i=$((i + 1)); done; } >"$1-labels-idx1-ubyte"
}

export LC_ALL=C
