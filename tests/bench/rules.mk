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

-include $(BUILD)/tests/bench/channel.d
