# SPDX-License-Identifier: LGPL-2.1-or-later
# Implementations that are not ours against our channel; each test builds or fetches its own peer.
peers_bin := $(BUILD)/tests/peers/endpoint

$(peers_bin): $(BUILD)/tests/peers/endpoint.o $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

unit_cmds += $(wildcard tests/peers/*_test)
check-unit check-build tests: $(peers_bin)

.PHONY: check-peers
check-peers: $(peers_bin) ## independent implementations of the channel
	$(Q)tests/run $(wildcard tests/peers/*_test)

-include $(BUILD)/tests/peers/endpoint.d
