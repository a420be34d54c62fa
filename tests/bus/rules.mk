# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon with a fake gate in place of gate.c, with ASan and UBSan; and once more without the commitment.
fake_obj := $(call asan,tests/bus/fake/fake-gate.c $(filter-out daemon/gate.c,$(daemon_src)))
fake_bin := $(BUILD)/tests/callgated-fake
careless_obj := $(call asan,tests/bus/fake/careless.c)
careless_bin := $(BUILD)/tests/callgated-careless

$(fake_bin): $(fake_obj)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(sanitized) -Wl,--as-needed -o $@ $^ $(PKG_LIBS)

$(careless_bin): $(fake_obj) $(careless_obj)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(sanitized) -Wl,--as-needed -Wl,--wrap=wire_commitment -o $@ $^ $(PKG_LIBS)

# What secrets.py puts into the daemon, so that its memory can be dumped at all.
dumpable_so := $(BUILD)/tests/dumpable.so
$(dumpable_so): tests/bus/fake/dumpable.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(compile) $(CFLAGS) -fPIC -shared -o $@ $<


check-bus check-build tests: $(fake_bin) $(careless_bin) $(dumpable_so)

-include $(patsubst %.o,%.d,$(fake_obj) $(careless_obj))
