# SPDX-License-Identifier: LGPL-2.1-or-later
# What wants to capture through PipeWire, for tests/vm/guest/pipewire.py.
pipewire_victim := $(BUILD)/tests/pipewire/victim
$(call obj,tests/pipewire/victim.c): CPPFLAGS += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpipewire-0.3 2>/dev/null))
$(pipewire_victim): $(call obj,tests/pipewire/victim.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(shell pkg-config --libs libpipewire-0.3)

check-vm check-build tests: $(pipewire_victim)

-include $(patsubst %.o,%.d,$(call obj,tests/pipewire/victim.c))
