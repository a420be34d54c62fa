# SPDX-License-Identifier: LGPL-2.1-or-later
#
# libFuzzer needs clang; the code under test is built once more for it, with its coverage, ASan and UBSan. FUZZ_SECONDS says for
# how long each runs (default 60), FUZZ_JOBS how many run at a time (default: one for each processor).

FUZZ_CC ?= clang
fuzz_lib_src := $(wildcard daemon/channel*.c daemon/noise.c daemon/crypto*.c daemon/identity*.c daemon/record*.c daemon/policy*.c daemon/config.c \
	daemon/util/*.c tools/sframe.c tools/carriage.c tools/plain.c)
fuzz_src := $(wildcard tests/fuzz/fuzz-*.c)
fuzz_bin := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(fuzz_src))
fuzz_cmds := "tests/fuzz/run $(fuzz_bin)"
fuzz_obj = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(1))
fuzz_shared := $(call fuzz_obj,tests/fuzz/alloc.c tests/fuzz/pair.c) $(BUILD)/fuzz/libcallgate.a
fuzz_flags := -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all
fuzz_wraps := malloc calloc realloc strdup crypto_secret_new crypto_secret_free crypto_x25519
fuzz_ld := $(fuzz_wraps:%=-Wl,--wrap=%)

.PHONY: check-fuzz fuzz-corpus
check-fuzz: $(fuzz_bin)
	$(Q)tests/run --timeout 0 $(fuzz_cmds)

check-build: $(fuzz_bin)

# Writes the seeds anew, after a format changed.
fuzz-corpus: $(BUILD)/fuzz/make-corpus
	$(Q)$< tests/fuzz/corpus

$(BUILD)/fuzz/%.o: %.c
	$(call say,FUZZ-CC,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(CPPFLAGS) $(PKG_CFLAGS) $(common) -MMD -MP $(fuzz_flags) \
		-fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<

$(BUILD)/fuzz/libcallgate.a: $(call fuzz_obj,$(fuzz_lib_src))
	$(Q)rm -f $@ && ar rcs $@ $^

$(fuzz_bin): $(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(fuzz_shared)
	$(call say,FUZZ-LD,$@)
	$(Q)$(FUZZ_CC) $(fuzz_flags) -fsanitize=fuzzer,address,undefined $(fuzz_ld) -o $@ $^ $(PKG_LIBS)

$(BUILD)/fuzz/make-corpus: $(BUILD)/fuzz/tests/fuzz/make-corpus.o $(fuzz_shared)
	$(call say,FUZZ-LD,$@)
	$(Q)$(FUZZ_CC) $(fuzz_flags) -fsanitize=address,undefined $(fuzz_ld) -o $@ $^ $(PKG_LIBS)

-include $(patsubst %.o,%.d,$(call fuzz_obj,$(fuzz_lib_src) $(fuzz_src) tests/fuzz/alloc.c tests/fuzz/pair.c \
	tests/fuzz/make-corpus.c))
