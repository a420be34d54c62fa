# SPDX-License-Identifier: LGPL-2.1-or-later
# What is measured here has a limit, which the unit tests check too.
bench_channel := $(BUILD)/tests/bench/channel

$(bench_channel): $(BUILD)/tests/bench/channel.o $(BUILD)/libcallgate.a $(call obj,tools/sframe.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

.PHONY: bench-channel
bench-channel: $(bench_channel) ## what the channel and sealed media cost
	$(Q)$(bench_channel)

check-unit check-build tests: $(bench_channel)
unit_cmds += $(bench_channel)

# What runs in the virtual machine. Not the daemon's headers: it has a gate.h of its own.
bench_guest := $(patsubst %,$(BUILD)/tests/bench/%,stream ask revoke deny)
bench_shared := $(call obj,$(patsubst %,tests/bench/%.c,btf grants recorder sample) $(patsubst %,tests/kselftest/%.c,gate harness passing))
$(call obj,$(filter-out tests/bench/channel.c tests/bench/call.c tests/bench/lock.c,$(wildcard tests/bench/*.c))): CPPFLAGS := -D_GNU_SOURCE -Itests/kselftest -Ikmod/uapi
$(call obj,tests/bench/call.c): CPPFLAGS += -Itests/bus/fake
$(BUILD)/tests/bench/revoke: $(call obj,tests/bench/call.c tests/bus/fake/yes.c)
$(bench_guest): %: %.o $(bench_shared) $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)

# A daemon that allows ten times as many sessions, so that the growth beyond the cap is seen too.
many_objects := $(patsubst %.c,$(BUILD)/tests/bench/many/%.o,$(daemon_src) tests/bench/lock.c)
$(many_objects): $(BUILD)/tests/bench/many/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(compile) $(CFLAGS) $(hardened) -DBOUND_SESSIONS=16384 -DBOUND_SESSIONS_UID=16384 -c -o $@ $<

$(BUILD)/tests/bench/callgated-10000: $(many_objects)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

.PHONY: bench
bench: ## measure what Callgate costs, against nothing and against the alternatives
	$(Q)tests/setup --bench $(if $(KERNEL),--kernel '$(KERNEL)')
	$(Q)$(MAKE) all $(bench_guest) $(bench_channel) $(crowd_bin) $(make_journal) $(BUILD)/tests/bench/callgated-10000
	$(Q)tests/bench/run --kernel '$(RELEASE)' --json '$(BUILD)/bench/bench.json' $(BENCH)

.PHONY: bench-check
bench-check: module module-test $(bench_guest) ## compare instruction counts with tests/bench/baseline.json
	$(Q)tests/bench/check --kernel '$(RELEASE)'

# What a debug kernel counts says nothing.
kernel_cmds += $(if $(filter %-dbg,$(RELEASE)),,"tests/bench/check --kernel '$(RELEASE)'")
check-kernel check-build: $(bench_guest)

-include $(patsubst %.o,%.d,$(call obj,$(wildcard tests/bench/*.c)) $(many_objects))
