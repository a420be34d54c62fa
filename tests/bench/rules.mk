# SPDX-License-Identifier: LGPL-2.1-or-later
# Measurements: run by hand, on a machine that does nothing else.
bench_channel := $(BUILD)/tests/bench/channel

$(bench_channel): $(BUILD)/tests/bench/channel.o $(BUILD)/libcallgate.a $(call obj,tools/sframe.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

.PHONY: bench-channel
bench-channel: $(bench_channel) ## what the channel and sealed media cost
	$(Q)$(bench_channel)

check-build tests: $(bench_channel)

-include $(BUILD)/tests/bench/channel.d
