# SPDX-License-Identifier: MIT
# Finds BLIS, unless BLIS_CFLAGS and BLIS_LIBS are given. Not every package of it has a .pc file. Debian keeps each build
# of it in a folder of its own, below the machine's name; not every compiler reports that name, so it is derived from
# -dumpmachine if necessary. Elsewhere the header is in include/ or include/blis/.
BLIS_ROOTS  ?= /usr /usr/local
MULTIARCH   := $(shell $(CC) -print-multiarch 2>/dev/null)
ifeq ($(MULTIARCH),)
MULTIARCH   := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))-linux-gnu
endif
BLIS_HEADER := $(firstword $(wildcard $(foreach root,$(BLIS_ROOTS),$(addprefix $(root)/include/,\
    $(MULTIARCH)/blis-pthread/blis.h $(MULTIARCH)/blis-serial/blis.h $(MULTIARCH)/blis.h blis.h blis/blis.h))))
BLIS_CFLAGS ?= $(if $(BLIS_HEADER),-isystem $(patsubst %/,%,$(dir $(BLIS_HEADER))))
BLIS_LIBS   ?= $(strip $(if $(findstring /blis-,$(BLIS_HEADER)),-L$(patsubst %/,%,$(dir $(subst /include/,/lib/,$(BLIS_HEADER))))) -lblis)
