# SPDX-License-Identifier: LGPL-2.1-or-later
# A module that sits on top of the gate, for tests/kselftest/stack_test.c.
stack_ko := $(BUILD)/stack/$(RELEASE)/stack.ko
$(stack_ko): $(wildcard tests/stack/*.c tests/stack/Kbuild)
	$(call say,MODULE,$@)
	+$(Q)mkdir -p $(@D) && cp $^ $(@D) && tests/kmake '$(KDIR)' '$(abspath $(@D))' modules
$(filter %/stack_test,$(kself_bin)): | $(stack_ko)
