# SPDX-License-Identifier: MIT
#
#   make                    library into lib/, tool and examples into build/examples/
#   make check              installs what the tests need, builds, runs every test; also called test
#   make check TEST=test_x  those tests only; names or patterns: TEST="test_moe* test_tool.sh"
#   make ci                 check and lint: what a change must pass
#   make check SANITIZE=    under sanitizers: address,undefined or thread
#   make valgrind           every test program under valgrind
#   make check-slow         evidence that takes hours, for a release
#   make fuzz               fuzzes the readers of checkpoints, safetensors and images; FUZZ_SECONDS=
#   make lint               clang-format, clang-tidy, cppcheck, shellcheck
#   make format             clang-format, in place
#   make debug              everything without optimization, into build-debug/; make check DEBUG=1 tests it
#   make compile_commands.json      how each file is compiled, for clangd and its like
#   make docs               reference pages from the headers, into docs/reference/
#   make goldens            reference values from PyTorch and timm, into test/golden/
#   make install PREFIX= DESTDIR=   and make uninstall
#   make clean              what was built
#   make demo               trains a teacher and two students on Fashion-MNIST, ends with a table
#   make compare            trains methods with several seeds, ends with a page; METHODS= SEEDS= EPOCHS= LIMIT= OUT=
#   make bench              speed of kernels and of training steps; BENCH_OPTIONS="--seconds 1 --only F"
#   make bench-peer         training steps against PyTorch's, where PYTHON has it; PEER_OPTIONS="--only F --threads 1"
#   make print-BLIS_LIBS    any variable's value, here where BLIS was found
#
# V=1 shows whole command lines. CC, CXX, CFLAGS, CPPFLAGS, LDFLAGS, BLIS_CFLAGS, BLIS_LIBS, BLIS_VERSION may be given;
# with WERROR= warnings are not errors.

VERSION_OF = $(shell sed -n 's/^\#define TGRMOE_VERSION_$(1) \([0-9]*\)$$/\1/p' include/tgrmoe/common.h)
MAJOR   := $(call VERSION_OF,MAJOR)
VERSION := $(MAJOR).$(call VERSION_OF,MINOR).$(call VERSION_OF,PATCH)

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
DOCDIR     ?= $(PREFIX)/share/doc/libtgrmoe
PYTHON     ?= python3

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' '$(1)' '$@')

# A build with sanitizers or for a debugger has folders of its own and leaves lib/ alone.
comma   := ,
VARIANT := $(if $(DEBUG),-debug)$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
BUILD   := build$(VARIANT)
LIBOUT  := $(if $(VARIANT),$(BUILD)/lib,lib)

include src/kernels/isa.mk src/kernels/blis.mk

CFLAGS   ?= $(if $(DEBUG),-O0 -g3,-O3 -g)
CXXFLAGS ?= $(if $(DEBUG),-O0 -g3,-O2 -g)
# With sanitizers, or without optimization, gcc warns of faults that cannot be.
WERROR   ?= $(if $(VARIANT),,-Werror)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wvla -Wpointer-arith -Wwrite-strings $(WERROR)
C_WARNINGS := $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
# Row kernels are written to be vectorised; without these two gcc must assume that floating point sets errno or traps.
MATH := -fno-math-errno -fno-trapping-math -ffp-contract=fast

COMMON_FLAGS := -Iinclude $(SANITIZER) -pthread
LIB_CFLAGS    = -std=c11 -Isrc $(BLIS_CFLAGS) $(COMMON_FLAGS) $(MATH) -fPIC -fvisibility=hidden -D_GNU_SOURCE $(C_WARNINGS) $(CPPFLAGS) $(CFLAGS)
# Images come out the same byte for byte only where products are rounded before they are added.
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

# What test programs link has its assertions on (src/base/assert.h), what is installed has none. Builds in folders of
# their own are for finding faults, and have them everywhere.
ASSERTIONS := $(if $(VARIANT),-DTGR_ASSERTIONS)
$(BUILD)/obj/checked/% $(BUILD)/obj/test/%: ASSERTIONS := -DTGR_ASSERTIONS
$(BUILD)/obj/test/bench/%: ASSERTIONS := $(ASSERTIONS)

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
CHECKED := $(if $(VARIANT),$(STATIC),$(BUILD)/checked/libtgrmoe.a)
TOOL   := $(BUILD)/examples/tgrmoe

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all lib help debug tests check test ci check-slow valgrind fuzz lint format goldens docs demo compare bench bench-peer
.PHONY: install uninstall clean FORCE

all: lib $(TOOL) $(EXAMPLES) $(BUILD)/tgrmoe.pc
lib: $(SHARED) $(STATIC)

# The list above, without the licence.
help:
	@sed -n '/^$$/q; /^# SPDX/d; s/^#  \{0,1\}//p' Makefile

# These need no BLIS, or install what is missing first and start make again.
ifneq ($(filter-out help check test ci lint demo compare clean uninstall format,$(or $(MAKECMDGOALS),all)),)
ifeq ($(BLIS_CFLAGS),)
$(error blis.h was not found: install libblis-pthread-dev, or set BLIS_CFLAGS and BLIS_LIBS)
endif
endif

# Objects are built again when the compiler or a flag changes.
ALL_FLAGS = $(CC) $(CXX) $(LIB_CFLAGS) $(foreach v,$(sort $(filter ISA_%,$(.VARIABLES))),$($(v))) $(CXXFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(ALL_FLAGS)' | cmp -s - $@ || echo '$(ALL_FLAGS)' > $@

# BLIS's header does not say which version it is of; the library does. To build for another machine, give BLIS_VERSION.
BLIS_VERSION ?= $(shell $(CC) $(BLIS_CFLAGS) scripts/blis_version.c $(BLIS_LIBS) -lm -pthread -o $(BUILD)/blis_version && \
    $(BUILD)/blis_version)
%/gemm_blis.o: private CPPFLAGS += $(BLIS_VERSION:%=-DTGR_BLIS_VERSION='"%"')

define COMPILE_LIBRARY
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_CFLAGS) $(ASSERTIONS) $(call isa_of,$<) -MMD -MP -c $< -o $@
endef
$(BUILD)/obj/src/%.o: src/%.c $(BUILD)/flags
	$(COMPILE_LIBRARY)
$(BUILD)/obj/checked/src/%.o: src/%.c $(BUILD)/flags
	$(COMPILE_LIBRARY)

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
	$(Q)$(CC) $(TEST_CFLAGS) $(ASSERTIONS) -MMD -MP -c $< -o $@

$(SHARED): $(LIB_OBJECTS) lib/libtgrmoe.map
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/libtgrmoe.map -Wl,-z,defs,-z,now,-z,relro \
	    $(SANITIZER) $(LDFLAGS) -o $@ $(LIB_OBJECTS) $(LIBS)
	$(Q)ln -sf $(@F) $(LIBOUT)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(LIBOUT)/libtgrmoe.so

$(STATIC): $(LIB_OBJECTS)
$(BUILD)/checked/libtgrmoe.a: $(LIB_SOURCES:%.c=$(BUILD)/obj/checked/%.o)
$(sort $(STATIC) $(CHECKED)):
	$(call say,AR)
	@mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# The sanitizers' runtimes must be linked into the program itself, which a static library makes sure of.
$(TOOL): $(TOOL_OBJECTS) $(STATIC)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $(TOOL_OBJECTS) $(STATIC) $(LIBS) $(TOOL_LIBS)

$(EXAMPLES): $(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(STATIC)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(SANITIZER) $(LDFLAGS) -o $@ $< $(STATIC) $(LIBS)

$(BUILD)/test/test_%: $(BUILD)/obj/test/test_%.o $(BUILD)/obj/test/support.o $(BUILD)/obj/test/golden/golden.o $(CHECKED)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZER) $(LDFLAGS) -o $@ $(filter %.o,$^) $(CHECKED) -lcmocka $(LIBS) $(TEST_LIBS)

# Parts of the tool are tested from inside.
TOOL_TESTS := $(patsubst %,$(BUILD)/test/test_%,arguments data class_order model_files crafted_run images images_folder images_prefetch images_corpus augment augment_random augment_recipe)
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

# Of a program that is tested alone, nothing else is built; scripts run the tool, the examples and the benchmarks.
CHOSEN  := $(patsubst test/%.c,$(BUILD)/test/%,$(wildcard $(TEST:%=test/%.c)))
SCRIPTS := $(wildcard $(TEST:%=test/%.sh) $(filter %.sh,$(TEST:%=test/%)))
tests: $(if $(TEST),$(CHOSEN) $(if $(SCRIPTS),all $(BENCHES)),all $(TESTS) $(BENCHES))

# The recipe starts make again, because what was missing a moment ago decides how things are built.
check ci:
	@sh scripts/ensure-packages.sh check $(if $(filter ci,$@),lint)
	$(MAKE) --no-print-directory -j$$(nproc) tests
	@BUILD=$(BUILD) LIBOUT=$(LIBOUT) SANITIZE=$(SANITIZE) DEBUG=$(DEBUG) TEST="$(TEST)" LINTED=$(filter ci,$@) CC="$(CC)" CXX="$(CXX)" \
	    sh test/run.sh

test: check

debug:
	$(MAKE) --no-print-directory DEBUG=1 all

check-slow:
	sh scripts/ensure-packages.sh slow
	BUILD=$(BUILD) sh test/slow.sh

valgrind: tests
	BUILD=$(BUILD) LIBOUT=$(LIBOUT) TEST="$(TEST)" WRAPPER="valgrind -q --fair-sched=yes --error-exitcode=99 --leak-check=full" sh test/run.sh

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

format:
	find include src examples test scripts \( -name '*.[ch]' -o -name '*.cpp' \) -exec clang-format -i {} +

lint:
	@sh scripts/ensure-packages.sh build lint
	@CC="$(CC)" CXX="$(CXX)" sh scripts/lint.sh

# What make would run if nothing were built.
compile_commands.json: FORCE
	@$(MAKE) --no-print-directory -nBj1 V=1 all $(TESTS) $(BENCHES) | awk -v folder='$(CURDIR)' -f scripts/compile_commands.awk > $@

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

print-%:
	@echo '$($*)'

clean:
	rm -rf build build-* lib/*.so* lib/*.a docs/reference compile_commands.json

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
