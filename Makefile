# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds and checks everything; run `make help`. Outputs go to $(BUILD) only. A folder under tests/ may
# add what its own programs need in tests/<folder>/rules.mk.

BUILD ?= build
KERNEL ?=
DESTDIR ?=
CC ?= cc

export BUILD
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# The kernel's release: the newest whose headers are here and that begins with $(KERNEL), else with 6.1.
RELEASE := $(shell tests/release '$(KERNEL)')
KDIR ?= $(shell tests/release --kdir '$(RELEASE)')
# The newer kernel that `make check` also tests on, unless one was named.
NEWER := 6.12.
newer := $(if $(KERNEL),,$(shell tests/release '$(NEWER)'))

# ---- flags -----------------------------------------------------------------------------------------------------

packages := libnl-genl-3.0 libsodium libsystemd libcrypto inih
PKG_CFLAGS := $(shell pkg-config --cflags $(packages) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(packages) 2>/dev/null) -pthread
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)

CPPFLAGS += -D_GNU_SOURCE -Idaemon -Itools -Ikmod/uapi
common := -std=gnu11 -g -Wall -Wextra -Werror -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-unused-parameter -pthread -ffile-prefix-map=$(CURDIR)=.
CFLAGS ?= -O2
hardened := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
hardened_ld := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
# Fortify and the sanitizers intercept the same calls; only one of them may.
sanitized := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

compile = $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(common) -MMD -MP
all_flags := $(compile) $(CFLAGS) $(hardened) $(sanitized)
# Quiet by default, V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# ---- sources ---------------------------------------------------------------------------------------------------

daemon_src := $(wildcard daemon/*.c daemon/util/*.c)
lib_src := $(filter-out daemon/main.c,$(daemon_src))
ctl_src := $(wildcard tools/callgatectl*.c)
agent_src := $(wildcard tools/callgate-agent-tty*.c)
presence_src := tools/callgate-presence.c
tool_src := $(filter-out $(presence_src),$(wildcard tools/*.c))
shared_src := $(filter-out $(ctl_src) $(agent_src),$(tool_src))
unit_src := $(wildcard tests/unit/test-*.c)
kself_src := $(wildcard tests/kselftest/*_test.c)
bus_src := $(wildcard tests/bus/*.c)
locales := $(patsubst po/%.po,$(BUILD)/locale/%/LC_MESSAGES/callgate.mo,$(wildcard po/*.po))
kmod_src := $(wildcard kmod/*.[ch] kmod/*/*.[ch])

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
asan = $(patsubst %.c,$(BUILD)/asan/%.o,$(1))

unit_bin := $(patsubst %.c,$(BUILD)/asan/%,$(unit_src))
kself_bin := $(patsubst %.c,$(BUILD)/%,$(kself_src))
bus_bin := $(patsubst %.c,$(BUILD)/%,$(bus_src))
broker_src := $(addprefix tools/callgate-agent/,callgate-agent.c child.c hand.c display.c)
window_src := $(wildcard tools/callgate-agent/prompt-*.c)
sound_src := $(wildcard tools/callgate-pipewire/*.c)
indicator_src := $(wildcard tools/callgate-indicator/*.c)
tools_bin := $(addprefix $(BUILD)/,callgatectl callgate-agent-tty callgate-agent callgate-prompt callgate-presence \
	callgate-pipewire callgate-indicator)
daemon_bin := $(if $(wildcard daemon/main.c),$(BUILD)/callgated)

# ---- what a person asks for ------------------------------------------------------------------------------------

.PHONY: all module driver module-test daemon tools tests demo check check-unit check-kernel check-bus check-desktop check-vm check-session check-upgrade check-debug check-leaks \
	check-kernels debug-kernel lint clean help setup install deb check-build

all: module daemon tools ## build the module, the daemon and the tools (default)

module: ## build callgate.ko for KERNEL=<version or its beginning>
	$(call say,MODULE,$(RELEASE))
	+$(Q)tests/build-module '$(KDIR)' '$(BUILD)/module/$(RELEASE)'

module-test: ## the same with delays and faults that tests switch on
	$(call say,MODULE,"$(RELEASE) (for tests)")
	+$(Q)tests/build-module '$(KDIR)' '$(BUILD)/module-test/$(RELEASE)' CALLGATE_TEST=y

driver: ## build the drivers that the kernel tests load
	$(call say,DRIVER,$(RELEASE))
	+$(Q)tests/driver/build '$(KDIR)' '$(BUILD)/driver/$(RELEASE)'
	$(Q)tests/fresh '$(KDIR)' '$(BUILD)/stack/$(RELEASE)'
	+$(Q)$(MAKE) $(stack_ko)

daemon: $(daemon_bin) ## build callgated

tools: $(tools_bin) $(locales) ## build callgatectl and the agents

tests: $(unit_bin) $(kself_bin) $(bus_bin) ## build the test programs

setup: ## install what building and testing need (as root)
	$(Q)tests/setup $(if $(KERNEL),--kernel '$(KERNEL)')

demo: setup ## the whole system in a virtual machine, step by step
	$(Q)$(MAKE) all
	$(Q)tests/vm/demo.sh

install: all ## install below DESTDIR
	$(Q)data/install --build '$(BUILD)' --kernel '$(RELEASE)' --destdir '$(DESTDIR)'

deb: ## build the Debian packages into build/deb
	$(Q)data/make-deb '$(BUILD)/deb'

clean: ## remove all outputs
	$(Q)rm -rf -- '$(BUILD)'

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile tests/*/rules.mk | column -t -s '|'
	@echo 'Variables: KERNEL=$(RELEASE) BUILD=$(BUILD) DESTDIR=$(DESTDIR) V=1 (show commands)'

# ---- tests -----------------------------------------------------------------------------------------------------

vm := tests/vm/run --kernel '$(RELEASE)'
lint_cmds := $(wildcard tests/lint/*.sh tests/lint/*.py)
unit_cmds := tests/run_test $(unit_bin) $(wildcard tests/model/run)
desktop_cmds := $(wildcard tests/desktop/*_test.py)
bus_cmds := $(or $(wildcard tests/bus/run-all),$(wildcard tests/bus/*.py) $(bus_bin)) $(wildcard tests/tools/*_test.py)
# What a test needs of its machine, with this kernel: tests/kselftest/rules.mk.
kernel_cmds = $(foreach t,$(kself_bin),$(call kself_run,$(RELEASE),$(t)))
# These wait for the gate's own clock, which no kernel changes; `make check-kernels` runs them everywhere.
newer_bin = $(filter-out %/request_test %/grant_test,$(kself_bin))
newer_cmds = $(if $(newer),$(foreach t,$(newer_bin),$(call kself_run,$(newer),$(t))),$(if $(KERNEL),,"tests/skip no package source has a kernel $(NEWER)x for the kernel tests"))
vm_cmds := $(wildcard tests/vm/*_test tests/desktop/presence_test tests/desktop/desktop_test)
alone_cmds := "tests/vm/demo.sh --tap --kernel '$(RELEASE)'"

check-build: all tests
	$(Q)$(MAKE) module driver
	$(Q)$(if $(newer),$(MAKE) module module-test driver KERNEL='$(newer)')

check-unit: $(unit_bin) ## unit tests with ASan and UBSan, the model of a call
	$(Q)tests/run $(unit_cmds)

check-bus: daemon tools $(bus_bin) ## the daemon and the tools on a private bus
	$(Q)tests/run $(bus_cmds)

check-desktop: tools ## the window of questions, on a display of its own
	$(Q)tests/run $(desktop_cmds)

check-kernel: module driver $(kself_bin) ## the module, one boot for each program
	$(Q)tests/run $(if $(TEST_SECONDS),--timeout $(TEST_SECONDS)) $(kernel_cmds)

check-vm: all ## the rig itself and the whole system
	$(Q)tests/run $(vm_cmds) $(alone_cmds)

# Their programs and recipes: tests/model/rules.mk, tests/sim/rules.mk, tests/fuzz/rules.mk.
check-model: ## the model of a call with two heartbeats each, in minutes and 4 GB
check-sim: ## random schedules of a hostile relay, for SIM_SECONDS=40
check-fuzz: ## every fuzzer, each for FUZZ_SECONDS=60

# tests/soak/rules.mk
soak: ## endurance and fuzzers of the module in full, hours; SOAK=percent KFUZZ_SECONDS=600 KFUZZ_SEED=

# tests/pipewire/rules.mk
check-sound: ## PipeWire in full, half an hour: real devices, restarts, apps, screens; RUNS=3 BROWSERS=1

# Each boots a desktop of its own.
check-session: all deb ## whole desktops from the packages: X11, Wayland, browsers, sandboxes, an hour and more
	$(Q)tests/run --timeout 7200 "$(vm) --count --daemon -- /callgate/tests/desktop/guest/latency.py" \
		'tests/desktop/desktop_test sitting' 'tests/desktop/desktop_test --packages' \
		$(foreach w,wayland chromium firefox sandboxes,'tests/desktop/desktop_test --packages $w')

check-upgrade: all deb ## packages, a kernel's arrival and Secure Boot on a whole machine that runs, most of an hour
	$(Q)$(if $(newer),$(MAKE) module KERNEL='$(newer)')
	$(Q)tests/run --timeout 10800 tests/vm/upgrade tests/vm/machine

debug-kernel: ## build the debug kernel, once (ten minutes and more)
	$(Q)tests/vm/debug-kernel

check-debug: setup ## the kernel tests on the debug kernel, what loses memory, and a minute of each fuzzer
	$(Q)release=$$(tests/vm/debug-kernel) && $(MAKE) check-debug-kernel KERNEL=$$release

# Two at a time: half of it is waiting.
.PHONY: check-debug-kernel
check-debug-kernel: module module-test driver $(kself_bin) $(soak_bin)
	$(Q)tests/run --jobs 2 --timeout 9000 $(kernel_cmds) $(leaks_cmds) $(call fuzz_run,60)

# A scan ends with the machine, so what it covers stands in few programs: loading and unloading, and grants.
leaks_cmds = $(foreach t,unload_test grant_test,"$(vm) --leaks --timeout 6000 -- /callgate/$(BUILD)/tests/kselftest/$t")
check-leaks: module $(kself_bin) ## what loses memory, with KERNEL=<the debug kernel>
	$(Q)tests/run --jobs 2 --timeout 7200 $(leaks_cmds)

check-kernels: setup ## the kernel tests on 6.1, on 6.12 and on the newest in Debian 13's backports
	$(Q)failed=; for k in 6.1. 6.12. 7.; do \
		tests/setup --kernel $$k && $(MAKE) check-kernel KERNEL=$$k || failed="$$failed $${k}x"; done; \
		if [ -n "$$failed" ]; then echo "The kernel tests failed, or could not run, on:$$failed" >&2; exit 1; fi

lint: ## form, include arrows, module with W=1 and -Werror
	$(Q)tests/run $(lint_cmds)

check: setup ## install, build, run every test
	$(Q)$(MAKE) check-build || { echo '0 passed, 1 failed, 0 skipped'; exit 1; }
	$(Q)$(MAKE) check-all

.PHONY: check-all
check-all: check-build
	$(Q)tests/run --jobs 2 $(lint_cmds) $(unit_cmds) $(sim_cmds) $(bus_cmds) $(desktop_cmds) $(kernel_cmds) $(newer_cmds) $(vm_cmds) \
		--alone $(fuzz_cmds) $(alone_cmds)

# ---- rules -----------------------------------------------------------------------------------------------------

# Other flags make other objects.
.PHONY: FORCE
$(BUILD)/flags: FORCE
	$(Q)mkdir -p $(@D) && (echo '$(all_flags)' | cmp -s - $@ || echo '$(all_flags)' >$@)

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(compile) $(CFLAGS) $(hardened) -c -o $@ $<

$(BUILD)/asan/%.o: %.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(compile) $(sanitized) -c -o $@ $<

# Removed first: ar keeps the members of deleted sources.
$(BUILD)/libcallgate.a: $(call obj,$(lib_src))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/asan/libcallgate.a: $(call asan,$(lib_src) $(filter-out tools/callgatectl.c tools/callgate-agent-tty.c,$(tool_src)))
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

$(BUILD)/callgated: $(call obj,daemon/main.c) $(BUILD)/libcallgate.a
$(BUILD)/callgatectl: $(call obj,$(ctl_src) $(shared_src)) $(BUILD)/libcallgate.a
# It runs setgid: only what it needs.
$(BUILD)/callgate-agent-tty: $(call obj,$(agent_src) tools/agent.c tools/agent-auth.c tools/client.c tools/plain.c daemon/util/text.c)
$(BUILD)/callgate-agent: $(call obj,$(broker_src) tools/agent.c tools/agent-auth.c tools/client.c tools/plain.c daemon/util/text.c)
$(BUILD)/callgate-presence: $(call obj,$(presence_src))
$(BUILD)/callgate-indicator: $(call obj,$(indicator_src) tools/client.c tools/plain.c daemon/util/text.c)
$(BUILD)/callgated $(BUILD)/callgatectl $(BUILD)/callgate-agent-tty $(BUILD)/callgate-agent $(BUILD)/callgate-presence \
$(BUILD)/callgate-indicator:
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

$(BUILD)/locale/%/LC_MESSAGES/callgate.mo: po/%.po
	$(call say,MSGFMT,$@)
	$(Q)mkdir -p $(@D) && msgfmt --check-format -o $@ $<

# Loaded when it is needed, so that only its headers are.
secret_src := tools/callgatectl-secret.c
$(call obj,$(secret_src)) $(call asan,$(secret_src)): CPPFLAGS += $(shell pkg-config --cflags libsecret-1 2>/dev/null)
# Only the window knows GTK.
$(call obj,$(window_src)): CPPFLAGS += $(shell pkg-config --cflags gtk4 gtk4-wayland libadwaita-1 wayland-client 2>/dev/null)
$(BUILD)/callgate-prompt: $(call obj,$(window_src))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(hardened_ld) -o $@ $^ $(shell pkg-config --libs gtk4 libadwaita-1 wayland-client)

# Only this program knows PipeWire, whose headers are laxer than this project.
$(call obj,$(sound_src)): CPPFLAGS += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpipewire-0.3 2>/dev/null))
$(BUILD)/callgate-pipewire: $(call obj,$(sound_src) tools/client.c daemon/util/text.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(hardened_ld) -o $@ $^ $(PKG_LIBS) $(shell pkg-config --libs libpipewire-0.3)

$(call asan,$(unit_src)): CPPFLAGS += -Ikmod -Itests/unit
$(unit_bin): %: %.o $(BUILD)/asan/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(sanitized) -Wl,--as-needed -o $@ $^ $(CMOCKA_LIBS) $(PKG_LIBS)

$(kself_bin): %: %.o
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

$(call obj,$(bus_src)): CPPFLAGS += -Itests/bus
$(bus_bin): %: %.o $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(CMOCKA_LIBS) $(PKG_LIBS)

.SECONDARY:

-include $(wildcard tests/*/rules.mk)
-include $(patsubst %.o,%.d,$(call obj,$(daemon_src) $(tool_src) $(presence_src) $(broker_src) $(window_src) $(sound_src) \
	$(indicator_src) \
	$(kself_src) $(bus_src)) \
	$(call asan,$(unit_src) $(lib_src) $(tool_src)))
