# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon with a fake gate in place of gate.c and its commands, with ASan and UBSan; and once more without the commitment.
fake_obj := $(call asan,tests/bus/fake/fake-gate.c $(filter-out daemon/gate%.c,$(daemon_src)))
fake_bin := $(BUILD)/tests/callgated-fake
careless_obj := $(call asan,tests/bus/fake/careless.c)
careless_bin := $(BUILD)/tests/callgated-careless

# Denied attempts are on the disk after seconds.
$(call asan,daemon/history.c): CPPFLAGS += -DBOUND_COUNT_SECONDS=2

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


# Fills a journal, for report.py.
make_journal := $(BUILD)/tests/make-journal
$(make_journal): $(BUILD)/tests/bus/fake/make-journal.o $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

# Many sessions at once: a daemon that allows as many of one user, as it is built otherwise, because its memory is measured.
crowd_obj := $(call obj,tests/bus/fake/crowd.c tests/bus/fake/yes.c) $(BUILD)/tests/bus/many-call-open.o
crowd_bin := $(BUILD)/tests/bus/crowd $(BUILD)/tests/callgated-many

$(BUILD)/tests/bus/many-call-open.o: daemon/call-open.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(compile) $(CFLAGS) $(hardened) -DBOUND_SESSIONS_UID=BOUND_SESSIONS -c -o $@ $<

$(BUILD)/tests/bus/crowd: $(call obj,tests/bus/fake/crowd.c tests/bus/fake/yes.c) $(BUILD)/libcallgate.a
$(BUILD)/tests/callgated-many: $(call obj,daemon/main.c) $(BUILD)/tests/bus/many-call-open.o $(BUILD)/libcallgate.a
$(crowd_bin):
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

# What app developers read is built as they would, and run by examples.py.
example_bin := $(BUILD)/doc/examples/call
$(example_bin): $(BUILD)/doc/examples/call.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

check-bus check-build tests: $(example_bin) $(fake_bin) $(careless_bin) $(crowd_bin) $(dumpable_so) \
	$(make_journal)

-include $(patsubst %.o,%.d,$(fake_obj) $(careless_obj) $(crowd_obj) $(BUILD)/doc/examples/call.o)
