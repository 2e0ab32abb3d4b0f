# SPDX-License-Identifier: MIT
#
#   make                    library into lib/, tool and examples into build/examples/
#   make check              installs what the tests need, builds, runs every test
#   make demo               trains a teacher and two students on Fashion-MNIST, ends with a table
#   make compare            trains methods with several seeds, ends with a page; METHODS= SEEDS= EPOCHS= LIMIT= OUT=
#   make install PREFIX= DESTDIR=    and    make uninstall
#   make check SANITIZE=address,undefined | SANITIZE=thread        make valgrind        make check-slow
#   make lint               clang-format, clang-tidy, cppcheck
#   make bench              speed of kernels and of training steps; BENCH_OPTIONS="--seconds 1 --only F"
#   make bench-peer         training steps against PyTorch's, where PYTHON has it; PEER_OPTIONS="--only F --threads 1"
#   make docs               reference pages from the headers, into docs/reference/
#
# CC, CXX, CFLAGS, CPPFLAGS, LDFLAGS, BLIS_CFLAGS, BLIS_LIBS, BLIS_VERSION may be given; WERROR= keeps warnings from
# being errors.

VERSION_OF = $(shell sed -n 's/^\#define TGRMOE_VERSION_$(1) \([0-9]*\)$$/\1/p' include/tgrmoe/common.h)
MAJOR   := $(call VERSION_OF,MAJOR)
VERSION := $(MAJOR).$(call VERSION_OF,MINOR).$(call VERSION_OF,PATCH)

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
DOCDIR     ?= $(PREFIX)/share/doc/libtgrmoe
PYTHON     ?= python3

# V=1 shows whole command lines.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' '$(1)' '$@')

# A build with sanitizers has folders of its own and leaves lib/ alone.
comma   := ,
VARIANT := $(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
BUILD   := build$(VARIANT)
LIBOUT  := $(if $(SANITIZE),$(BUILD)/lib,lib)

# Debian keeps each build of BLIS in a folder of its own and has no .pc file for it.
MULTIARCH   := $(shell $(CC) -print-multiarch 2>/dev/null)
BLIS_HEADER := $(firstword $(wildcard $(foreach d,$(MULTIARCH)/blis-pthread $(MULTIARCH)/blis-serial $(MULTIARCH) . blis,\
                 /usr/include/$(d)/blis.h /usr/local/include/$(d)/blis.h)))
BLIS_CFLAGS ?= $(if $(BLIS_HEADER),-isystem $(dir $(BLIS_HEADER)))
BLIS_LIBS   ?= $(if $(findstring blis-,$(BLIS_HEADER)),-L/usr/lib/$(MULTIARCH)/$(notdir $(patsubst %/,%,$(dir $(BLIS_HEADER))))) -lblis

CFLAGS   ?= -O3 -g
CXXFLAGS ?= -O2 -g
# Sanitizers put branches into the code, in which gcc then sees faults that cannot be.
WERROR   ?= $(if $(SANITIZE),,-Werror)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wvla -Wpointer-arith -Wwrite-strings $(WERROR)
C_WARNINGS := $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
# Row kernels are written to be vectorised; without these two gcc must assume that floating point sets errno or traps.
MATH := -fno-math-errno -fno-trapping-math -ffp-contract=fast

COMMON_FLAGS := -Iinclude $(SANITIZER) -pthread
LIB_CFLAGS    = -std=c11 -Isrc $(BLIS_CFLAGS) $(COMMON_FLAGS) $(MATH) -fPIC -fvisibility=hidden -D_GNU_SOURCE $(C_WARNINGS) $(CPPFLAGS) $(CFLAGS)
# Images come out the same to the byte only where products are rounded before they are added.
TOOL_CFLAGS   = -std=c11 -ffp-contract=off $(TOOL_INCLUDE) $(COMMON_FLAGS) -D_GNU_SOURCE $(C_WARNINGS) $(CPPFLAGS) $(CFLAGS)
TEST_CFLAGS   = -std=c11 -Isrc -Itest $(BLIS_CFLAGS) $(COMMON_FLAGS) $(TOOL_INCLUDE) -D_GNU_SOURCE $(C_WARNINGS) $(CPPFLAGS) $(CFLAGS)
EXAMPLE_CXXFLAGS = -std=c++17 $(COMMON_FLAGS) $(WARNINGS) $(CPPFLAGS) $(CXXFLAGS)
LIBS := $(BLIS_LIBS) -lz -lm -pthread
TOOL_LIBS := -lcjson -ljpeg -lpng

LIB_SOURCES     := $(sort $(shell find src -name '*.c'))
TOOL_SOURCES    := $(sort $(wildcard examples/tgrmoe/*.c examples/tgrmoe/*/*.c))
EXAMPLE_SOURCES := $(sort $(wildcard examples/[0-9]*.c examples/[0-9]*.cpp))
TEST_SOURCES    := $(sort $(wildcard test/test_*.c))
BENCH_PARTS     := $(addprefix test/bench/,bench_support.c machine.c model_run.c)
BENCH_SOURCES   := $(filter-out $(BENCH_PARTS),$(sort $(wildcard test/bench/*.c)))
# Everything of the tool but its main.
TOOL_PARTS      := $(filter-out examples/tgrmoe/main.c,$(TOOL_SOURCES))

# Only the tool, and what looks at its parts, sees the tool's headers.
$(BUILD)/obj/examples/tgrmoe/%.o: TOOL_INCLUDE := -Iexamples/tgrmoe

OBJECT = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))
LIB_OBJECTS  := $(call OBJECT,$(LIB_SOURCES))
TOOL_OBJECTS := $(call OBJECT,$(TOOL_SOURCES))
EXAMPLES := $(patsubst examples/%,$(BUILD)/examples/%,$(basename $(EXAMPLE_SOURCES)))
TESTS    := $(patsubst test/%.c,$(BUILD)/test/%,$(TEST_SOURCES))
BENCHES  := $(patsubst test/bench/%.c,$(BUILD)/bench/%,$(BENCH_SOURCES))

SONAME := libtgrmoe.so.$(MAJOR)
SHARED := $(LIBOUT)/libtgrmoe.so.$(VERSION)
STATIC := $(LIBOUT)/libtgrmoe.a
TOOL   := $(BUILD)/examples/tgrmoe

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all lib check check-slow demo compare install uninstall lint format docs bench bench-peer valgrind fuzz goldens clean FORCE

all: lib $(TOOL) $(EXAMPLES) $(BUILD)/tgrmoe.pc
lib: $(SHARED) $(STATIC)

# check, demo and compare install what is missing first, and start make again.
ifneq ($(filter-out check demo compare clean uninstall format,$(or $(MAKECMDGOALS),all)),)
ifeq ($(BLIS_CFLAGS),)
$(error blis.h was not found: install libblis-pthread-dev, or set BLIS_CFLAGS and BLIS_LIBS)
endif
endif

# Objects are built anew when the compiler or a flag changes.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CXX) $(LIB_CFLAGS) $(CXXFLAGS)' | cmp -s - $@ || echo '$(CC) $(CXX) $(LIB_CFLAGS) $(CXXFLAGS)' > $@

include src/kernels/isa.mk

# BLIS's header does not say which version it is of; the library does. To build for another machine, give BLIS_VERSION.
BLIS_VERSION ?= $(shell $(CC) $(BLIS_CFLAGS) scripts/blis_version.c $(BLIS_LIBS) -lm -pthread -o $(BUILD)/blis_version && \
    $(BUILD)/blis_version)
$(BUILD)/obj/src/kernels/gemm_blis.o: CPPFLAGS += $(BLIS_VERSION:%=-DTGR_BLIS_VERSION='"%"')

$(BUILD)/obj/src/%.o: src/%.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_CFLAGS) $(ISA) -MMD -MP -c $< -o $@

$(BUILD)/obj/examples/%.o: examples/%.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/examples/%.o: examples/%.cpp $(BUILD)/flags
	$(call say,CXX)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(EXAMPLE_CXXFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/test/%.o: test/%.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) -MMD -MP -c $< -o $@

$(SHARED): $(LIB_OBJECTS) lib/libtgrmoe.map
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/libtgrmoe.map -Wl,-z,defs,-z,now,-z,relro \
	    $(SANITIZER) $(LDFLAGS) -o $@ $(LIB_OBJECTS) $(LIBS)
	$(Q)ln -sf $(@F) $(LIBOUT)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(LIBOUT)/libtgrmoe.so

$(STATIC): $(LIB_OBJECTS)
	$(call say,AR)
	@mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJECTS)

# The sanitizers' runtimes must be linked into the program itself, which a static library makes sure of.
$(TOOL): $(TOOL_OBJECTS) $(STATIC)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $(TOOL_OBJECTS) $(STATIC) $(LIBS) $(TOOL_LIBS)

$(EXAMPLES): $(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(STATIC)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(SANITIZER) $(LDFLAGS) -o $@ $< $(STATIC) $(LIBS)

$(BUILD)/test/test_%: $(BUILD)/obj/test/test_%.o $(BUILD)/obj/test/support.o $(BUILD)/obj/test/golden/golden.o $(STATIC)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $(filter %.o,$^) $(STATIC) -lcmocka $(LIBS) $(TEST_LIBS)

# Parts of the tool are tested from inside.
TOOL_TESTS := $(patsubst %,$(BUILD)/test/test_%,data images images_folder images_prefetch images_corpus augment augment_random augment_recipe)
$(TOOL_TESTS): $(call OBJECT,$(TOOL_PARTS))
$(TOOL_TESTS:$(BUILD)/test/%=$(BUILD)/obj/test/%.o): TOOL_INCLUDE := -Iexamples/tgrmoe
$(TOOL_TESTS): TEST_LIBS := $(TOOL_LIBS)

$(BUILD)/bench/%: $(BUILD)/obj/test/bench/%.o $(call OBJECT,$(BENCH_PARTS)) $(STATIC)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $(filter %.o,$^) $(STATIC) $(LIBS) $(BENCH_LIBS)

# The tool's reader is timed from inside.
$(BUILD)/bench/bench_read: $(call OBJECT,$(TOOL_PARTS))
$(BUILD)/obj/test/bench/bench_read.o: TOOL_INCLUDE := -Iexamples/tgrmoe
$(BUILD)/bench/bench_read: BENCH_LIBS := $(TOOL_LIBS)

$(BUILD)/tgrmoe.pc: pkgconfig/tgrmoe.pc.in include/tgrmoe/common.h FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	     -e 's|@LIBS_PRIVATE@|$(LIBS)|' $< > $@

tests: all $(TESTS) $(BENCHES)
.PHONY: tests

# The recipe starts make again, because what was missing a moment ago decides how things are built.
check:
	@sh scripts/ensure-packages.sh check
	$(MAKE) --no-print-directory -j$$(nproc) tests
	@BUILD=$(BUILD) LIBOUT=$(LIBOUT) SANITIZE=$(SANITIZE) CC="$(CC)" CXX="$(CXX)" sh test/run.sh

check-slow:
	sh scripts/ensure-packages.sh slow
	BUILD=$(BUILD) sh test/slow.sh

valgrind: tests
	BUILD=$(BUILD) LIBOUT=$(LIBOUT) WRAPPER="valgrind -q --fair-sched=yes --error-exitcode=99 --leak-check=full" sh test/run.sh

demo:
	sh examples/demo.sh

compare:
	BUILD=$(BUILD) sh examples/compare.sh

bench: all $(BENCHES)
	BUILD=$(BUILD) sh test/bench/run.sh $(BENCH_OPTIONS)

bench-peer: $(BUILD)/bench/bench_step
	$(PYTHON) test/bench/peer.py --ours $(BUILD)/bench/bench_step $(PEER_OPTIONS)

goldens:
	$(PYTHON) test/golden/make_goldens.py test/golden
	$(PYTHON) test/golden/make_timm.py test/golden

fuzz:
	$(MAKE) -C test/fuzz run

FORMATTED = $(shell git ls-files '*.c' '*.h' '*.cpp')
format:
	clang-format -i $(FORMATTED)

lint: lib
	@clang-format --dry-run -Werror $(FORMATTED)
	clang-tidy --quiet --warnings-as-errors='*' $(LIB_SOURCES) $(TOOL_SOURCES) -- -std=c11 -Iinclude -Isrc -Iexamples/tgrmoe -D_GNU_SOURCE $(BLIS_CFLAGS) \
	    $(AVX512) -mavx512bf16 -mamx-tile -mamx-bf16
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability,performance --inline-suppr \
	    --suppress=missingIncludeSystem -Iinclude -Isrc -Iexamples/tgrmoe $(LIB_SOURCES) $(TOOL_SOURCES)

docs: all
	$(TOOL) options --markdown > docs/options.md
	doxygen docs/Doxyfile

install: all
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/tgrmoe $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR)
	install -m 644 $(SHARED) $(STATIC) $(DESTDIR)$(LIBDIR)
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libtgrmoe.so
	install -m 644 include/tgrmoe/*.h $(DESTDIR)$(INCLUDEDIR)/tgrmoe
	install -m 644 $(BUILD)/tgrmoe.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 755 $(TOOL) $(DESTDIR)$(BINDIR)
	install -m 644 README.md CHANGELOG.md LICENSE docs/*.md $(DESTDIR)$(DOCDIR)

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/libtgrmoe.so $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(notdir $(SHARED)) \
	    $(DESTDIR)$(LIBDIR)/libtgrmoe.a $(DESTDIR)$(LIBDIR)/pkgconfig/tgrmoe.pc $(DESTDIR)$(BINDIR)/tgrmoe
	for header in include/tgrmoe/*.h; do rm -f $(DESTDIR)$(INCLUDEDIR)/tgrmoe/$$(basename $$header); done
	for page in README.md CHANGELOG.md LICENSE docs/*.md; do rm -f $(DESTDIR)$(DOCDIR)/$$(basename $$page); done
	-rmdir $(DESTDIR)$(INCLUDEDIR)/tgrmoe $(DESTDIR)$(DOCDIR) 2>/dev/null

clean:
	rm -rf build build-* lib/*.so* lib/*.a docs/reference

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
