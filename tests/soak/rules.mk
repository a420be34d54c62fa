# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Endurance and fuzzers of the module, in the virtual machine. `make check` plays a small part of them; `make soak` all.
# SOAK is a percentage of the full numbers, KFUZZ_SECONDS how long each fuzzer runs, KFUZZ_SEED where it begins.

SOAK ?= 100
KFUZZ_SECONDS ?= 600
KFUZZ_SEED ?=

soak_src := $(wildcard tests/soak/*.c)
soak_bin := $(patsubst %,$(BUILD)/tests/soak/%,soak_test fuzz_syscall watcher drain)
soak_shared := $(call obj,tests/soak/watch.c tests/soak/fuzz_ops.c tests/soak/old_map.c $(kself_helpers))

# $(1) percent, $(2) seconds
soak_run = "$(vm) --serial --timeout 40000 -- env SOAK=$(1) /callgate/$(BUILD)/tests/soak/soak_test"
fuzz_run = "$(vm) --timeout 40000 -- /callgate/$(BUILD)/tests/soak/fuzz_syscall $(1) $(KFUZZ_SEED)"
netlink_run = "$(vm) --timeout 40000 -- env BUILD=$(BUILD) /callgate/tests/soak/fuzz_netlink.py $(1) $(KFUZZ_SEED)"
# On the debug kernel fifty loads, and of the rest as much.
kernel_cmds += $(call soak_run,$(if $(filter %-dbg,$(RELEASE)),5,1)) $(call netlink_run,60)
# What it has to be let in for comes by chance, and less often on a busy machine.
alone_cmds += $(call fuzz_run,60)

.PHONY: soak
soak: setup
	$(Q)$(MAKE) module module-test $(soak_bin)
	$(Q)tests/run --verbose --timeout 45000 $(call soak_run,$(SOAK)) $(call fuzz_run,$(KFUZZ_SECONDS)) \
		$(call netlink_run,$(KFUZZ_SECONDS))

check-kernel check-vm: module-test $(soak_bin)
check-build: module-test $(soak_bin)

# Not the daemon: it has a gate.h of its own.
$(call obj,$(soak_src)): CPPFLAGS := -D_GNU_SOURCE -Itests/kselftest -Ikmod/uapi
$(soak_bin): %: %.o $(soak_shared)
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

-include $(patsubst %.o,%.d,$(call obj,$(soak_src)))
