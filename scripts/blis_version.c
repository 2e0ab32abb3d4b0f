/* SPDX-License-Identifier: MIT */
/* Prints the version of the BLIS that it is linked with: the header does not say it, and the build needs to know. */
#include <blis.h>
#include <stdio.h>

int main(void) {
    return puts(bli_info_get_version_str()) < 0;
}
