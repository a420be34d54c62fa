# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Published vectors are JSON; jansson reads them. A program that looks at locked memory cannot be an ASan build, whose mlock()
# does nothing, so test-crypto runs lock-probe.

$(unit_bin): CMOCKA_LIBS += $(shell pkg-config --libs jansson 2>/dev/null)
$(BUILD)/asan/tests/unit/test-mitm: CMOCKA_LIBS += -lm

$(BUILD)/tests/unit/lock-probe: $(BUILD)/tests/unit/lock-probe.o $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(PKG_LIBS)

$(BUILD)/asan/tests/unit/test-crypto.o: CPPFLAGS += -DLOCK_PROBE='"$(BUILD)/tests/unit/lock-probe"'
$(BUILD)/asan/tests/unit/test-crypto: | $(BUILD)/tests/unit/lock-probe

# test-aead takes the cipher away, to see that nothing is sealed without it.
$(BUILD)/asan/tests/unit/test-aead: CMOCKA_LIBS += -Wl,--wrap=crypto_aead_get

# test-journal stands between the journal and the disk.
$(BUILD)/asan/tests/unit/test-journal: CMOCKA_LIBS += $(foreach f,pwrite write fsync fdatasync renameat unlinkat ftruncate,-Wl,--wrap=$(f))
