#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages that are missing, after naming them: as root, or with sudo. On another system it prints
# what to install; it stops there if the programs and headers themselves are missing too.
#
#   scripts/ensure-packages.sh build|check|lint|slow|demo|PACKAGE...
set -eu

BUILD="gcc make pkg-config libc6-dev libblis-pthread-dev zlib1g-dev libcjson-dev libjpeg-dev libpng-dev"
CHECK="$BUILD g++ binutils libcmocka-dev"
LINT="clang-format clang-tidy cppcheck shellcheck"
DEMO="$BUILD dataset-fashion-mnist"

[ $# -gt 0 ] || { echo "usage: $0 build|check|lint|slow|demo|PACKAGE..." >&2; exit 2; }

wanted=
for argument in "$@"; do
    case $argument in
        build) wanted="$wanted $BUILD" ;;
        check) wanted="$wanted $CHECK" ;;
        lint) wanted="$wanted $LINT" ;;
        slow) wanted="$wanted $CHECK $DEMO" ;;
        demo) wanted="$wanted $DEMO" ;;
        -*) echo "$0: there is no option $argument" >&2; exit 2 ;;
        *) wanted="$wanted $argument" ;;
    esac
done

# Elsewhere the package names mean little: it is enough that a program can be built.
if ! command -v dpkg >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    program='#include <blis.h>
#include <zlib.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <jpeglib.h>
#include <png.h>
int main(void) { return 0; }'
    folders="-I/usr/include/blis -I/usr/local/include/blis ${BLIS_CFLAGS-}"
    # shellcheck disable=SC2086
    if printf '%s\n' "$program" | ${CC:-cc} $folders -fsyntax-only -x c - 2>/dev/null; then
        exit 0
    fi
    echo "This is no Debian system. Please install what these Debian packages hold, then try again:" >&2
    for package in $wanted; do echo "  $package"; done | sort -u >&2
    exit 1
fi

missing=
for package in $wanted; do
    state=$(dpkg -s "$package" 2>/dev/null | sed -n 's/^Status: //p')
    case " $missing " in *" $package "*) continue ;; esac
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "Installing:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Neither root nor sudo. Please have this run, then try again:" >&2
        echo "  apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
