# make          the program and the Python module, in build/
# make check    every test            make lint     formatter, warnings, analysis, floors
# make check-all                      every release of Go, processor and way to build: docs/compatibility.md
# make demo     see it work           make bench    figures for docs/performance.md
# make arm64    the program for arm64, in build/arm64
# make fuzz     damaged input, as long as SECONDS says
# make format   lays out every file as lint wants it
# make docs     docs/commands.md, from the commands' own help
# make layouts  native/go/layout_tables.h, from the debug information of every release of Go
# make install-deps                   what a new Debian machine lacks (.ci/packages)

CC ?= cc
PYTHON ?= python3
BUILD ?= build
# One spelling, so that what was built under one is known under the other.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
comma := ,
# Floors from below; a lower room builds without the upper ones (make ROOMS="base target" …).
ROOMS ?= base target report image code heap go type view library owner index . command
SANITIZE ?=
# CROSS=aarch64-linux-gnu- RUN=qemu-aarch64 builds for another machine and runs the tests for it.
CROSS ?=
RUN ?=
ifneq ($(CROSS),)
override CC := $(CROSS)gcc
override AR := $(CROSS)ar
# What tests build, they run here.
unexport CC AR
endif

CPPFLAGS := -D_GNU_SOURCE -Inative
# "override": CFLAGS of the command line choose only how to optimize.
CFLAGS ?= -O2 -g
override LDFLAGS += -Wl,--build-id
override CFLAGS += -std=gnu11 -Wall -Wextra -Werror -fPIC -fvisibility=hidden \
	-fno-strict-aliasing -pthread
# Ranks of objects are counts of bits; every amd64 processor since 2008 has the instruction.
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
override CFLAGS += -mpopcnt
endif
ifneq ($(SANITIZE),)
override CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=$(SANITIZE)
endif
LDLIBS := -ldw -lelf -lzstd -ljansson -lsmartcols -lm -pthread

SOURCES := $(foreach room,$(ROOMS),$(wildcard native/$(room)/*.c))
OBJECTS := $(patsubst native/%.c,$(BUILD)/%.o,$(SOURCES))
CLI_OBJECTS := $(patsubst native/%.c,$(BUILD)/%.o,$(wildcard native/cli/*.c))
MODULE_OBJECTS := $(patsubst native/%.c,$(BUILD)/%.o,$(wildcard native/python/*.c))
LIBRARY := $(BUILD)/libspanwalk.a
TESTS ?= $(patsubst tests/native/%.c,$(BUILD)/tests/%,$(wildcard tests/native/test_*.c))

.PHONY: all library native-tests clean
all: $(BUILD)/spanwalk $(BUILD)/spanwalk.abi3.so
library: $(LIBRARY)

$(BUILD)/%.o: native/%.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIBRARY): $(OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/spanwalk: $(CLI_OBJECTS) $(LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -ledit -o $@

$(BUILD)/spanwalk.abi3.so: $(MODULE_OBJECTS) $(LIBRARY)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared $^ $(LDLIBS) -o $@

$(BUILD)/python/%.o: CPPFLAGS += -DPy_LIMITED_API=0x03090000 $(shell $(PYTHON) -c \
	"import sysconfig; print('-I' + sysconfig.get_path('include'))")

$(BUILD)/tests/%: tests/native/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/native $(CFLAGS) $(LDFLAGS) -MMD -MP $(filter %.c %.a,$^) \
		$(LDLIBS) -lcmocka -o $@

# Damages cores and analyses them, tests/fuzz; views.c says what is wrapped.
FUZZ_WRAP := $(addprefix -Wl$(comma)--wrap=,sw_memory_view malloc calloc realloc reallocarray strdup)
$(BUILD)/fuzz: $(wildcard tests/fuzz/*.[ch]) $(LIBRARY)
	$(CC) $(CPPFLAGS) -Itests/fuzz $(CFLAGS) $(LDFLAGS) $(FUZZ_WRAP) \
		$(filter %.c %.a,$^) $(LDLIBS) -o $@

$(BUILD)/show: tests/layouts/show.c $(LIBRARY)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

native-tests: $(TESTS)
	@set -e; for test in $(TESTS); do echo "== $$test"; $(RUN) $$test; done

clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d) $(MODULE_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) \
	$(wildcard $(BUILD)/tests/*.d)

# ---- tests ----

.PHONY: check sanitized-tests arm64 arm64-tests check-python
# One after the other, so that what a test prints stands together.
check:
	$(MAKE) all
	$(MAKE) native-tests
	$(MAKE) sanitized-tests
	$(MAKE) arm64-tests
	$(MAKE) check-python

# The same tests under AddressSanitizer and UBSan, and the program, for damaged input.
sanitized-tests:
	$(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=address,undefined CFLAGS="-O1 -g" \
		$(BUILD)/sanitize/spanwalk native-tests

# The program for arm64, and the tests in qemu, which has no ptrace(2).
ARM64 := BUILD=$(BUILD)/arm64 CROSS=aarch64-linux-gnu- RUN=qemu-aarch64
arm64:
	$(MAKE) $(ARM64) $(BUILD)/arm64/spanwalk

arm64-tests:
	SPANWALK_NO_PTRACE=1 $(MAKE) $(ARM64) $(BUILD)/arm64/spanwalk native-tests

.PHONY: fuzz fuzz-driver
SECONDS ?= 60
fuzz: fuzz-driver $(BUILD)/venv/ready
	$(if $(shell command -v go),,SPANWALK_NO_GO=1) SPANWALK_BUILD=$(abspath $(BUILD)) \
		$(BUILD)/venv/bin/python tests/fuzz/fuzz.py --seconds $(SECONDS)

fuzz-driver:
	$(MAKE) BUILD=$(BUILD)/sanitize SANITIZE=address,undefined CFLAGS="-O1 -g" \
		$(BUILD)/sanitize/fuzz $(BUILD)/sanitize/spanwalk

# On all cores, each file of tests on one. PYTEST_ARGS="-k hosts" runs a part. Without a Go
# toolchain, tests that need one are left out.
check-python: all $(BUILD)/show $(BUILD)/venv/ready
	@if ! command -v go >/dev/null; then echo "no Go toolchain: committed cores only"; fi
	$(if $(shell command -v go),,SPANWALK_NO_GO=1) SPANWALK_BUILD=$(abspath $(BUILD)) \
		$(BUILD)/venv/bin/python -m pytest --numprocesses auto --dist loadfile \
		$(PYTEST_ARGS) tests

# Every cell of the matrix; an hour, less with a warm build cache of Go. ONLY="go=1.26.* arch=arm64"
# runs a part, CHECK_ALL_ARGS=--resume what is not known to be exact.
.PHONY: check-all
check-all: $(BUILD)/spanwalk $(BUILD)/venv/ready
	$(BUILD)/venv/bin/python tests/compat/check_all.py --build $(BUILD) --only "$(ONLY)" \
		$(CHECK_ALL_ARGS)

# Tools for tests and lint that Debian lacks or has too old: [dev] in pyproject.toml.
$(BUILD)/venv/ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python tests/lint/requirements.py dev | \
		$(@D)/bin/pip install --quiet --disable-pip-version-check -r /dev/stdin
	touch $@

# ---- lint ----

C_FILES = $(wildcard native/*.[ch] native/*/*.[ch] tests/*/*.[ch] cores/programs/*/*.[ch])

.PHONY: lint lint-c lint-python lint-go format
lint: lint-c lint-python lint-go

format: $(BUILD)/venv/ready
	clang-format -i $(C_FILES)
	$(BUILD)/venv/bin/ruff check --quiet --fix-only .
	$(BUILD)/venv/bin/ruff format .
	if command -v gofmt >/dev/null; then gofmt -w cores/programs; fi

# The compiler's warnings are errors in every build.
lint-c: all
	clang-format --dry-run -Werror $(C_FILES)
	$(PYTHON) tests/lint/floors.py
	cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability \
		--inline-suppr --suppress=missingIncludeSystem -j 2 --error-exitcode=1 \
		-D_GNU_SOURCE -Inative native

lint-python: all $(BUILD)/venv/ready
	$(BUILD)/venv/bin/ruff check .
	$(BUILD)/venv/bin/ruff format --check .
	MYPYPATH=native/python PYTHONPATH=$(BUILD) $(BUILD)/venv/bin/python -m mypy.stubtest spanwalk

lint-go:
	@command -v gofmt >/dev/null || { echo "no gofmt: Go files are not checked"; exit 0; }; \
	unformatted=$$(gofmt -l cores/programs); \
	test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }

# ---- and the rest ----

.PHONY: install-deps demo docs layouts bench
install-deps:
	@bash .ci/install

demo:
	@bash .ci/install packages
	$(MAKE) all
	@cores/demo

docs: $(BUILD)/spanwalk
	$(BUILD)/spanwalk help --markdown >$(BUILD)/commands.md
	cp $(BUILD)/commands.md docs/commands.md

# native/go/layout_tables.h, with every release of Go.
layouts: $(BUILD)/show
	SPANWALK_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/layouts/layouts.py

# On a machine that does nothing else. BENCH_ARGS="--sizes 1e6" is quick.
bench: all
	$(PYTHON) tests/bench/bench.py --build $(BUILD) --sizes 1e6,1e7,3e7 \
		--write docs/performance.md $(BENCH_ARGS)

# How long it takes to find the runtime in 100 MB without symbols.
.PHONY: bench-discovery
bench-discovery: all
	$(PYTHON) tests/bench/discovery.py --build $(BUILD) $(BENCH_ARGS)

# What 100,000 goroutines cost.
.PHONY: bench-goroutines
bench-goroutines: all
	$(PYTHON) tests/bench/goroutines.py --build $(BUILD) --write docs/performance.md $(BENCH_ARGS)
