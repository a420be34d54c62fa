# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The relay simulator. It sees what is sealed by standing in for a few functions of daemon/crypto.h, and is no ASan build: it
# is to play many schedules. SIM_SECONDS says for how long (default 40).

sim_src := $(wildcard tests/sim/*.c)
sim_bin := $(BUILD)/tests/sim/relay
sim_cmds := $(sim_bin)
sim_wraps := crypto_aead_get crypto_x25519 crypto_x25519_public crypto_secret_new crypto_secret_free

.PHONY: check-sim
check-sim: $(sim_bin)
	$(Q)tests/run --timeout 0 $(sim_cmds)

check-build: $(sim_bin)

$(sim_bin): $(call obj,$(sim_src)) $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) $(sim_wraps:%=-Wl,--wrap=%) -o $@ $^ $(PKG_LIBS)

-include $(patsubst %.o,%.d,$(call obj,$(sim_src)))
