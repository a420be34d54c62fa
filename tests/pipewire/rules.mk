# SPDX-License-Identifier: LGPL-2.1-or-later
# What wants to capture through PipeWire, for tests/vm/guest/pipewire.py; and parts of callgate-pipewire by themselves.
pipewire_victim := $(addprefix $(BUILD)/tests/pipewire/,victim dies)
pipewire_camera := $(BUILD)/tests/pipewire/usb-camera
# Preloaded into a program of Debian 13.
pipewire_nogpu := $(BUILD)/tests/pipewire/nogpu.so
pipewire_units := $(addprefix $(BUILD)/tests/pipewire/,pulse_test portal_test)
pipewire_obj := $(call obj,$(addprefix tests/pipewire/,victim.c dies.c pulse_test.c portal_test.c))
$(pipewire_obj): CPPFLAGS += -Itools/callgate-pipewire \
	$(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpipewire-0.3 2>/dev/null))
$(pipewire_victim): %: %.o
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(shell pkg-config --libs libpipewire-0.3)

pipewire_nogpu_obj := $(call obj,tests/pipewire/nogpu.c)
$(pipewire_nogpu_obj): hardened += -fPIC
$(pipewire_nogpu): $(pipewire_nogpu_obj)
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-z,now -o $@ $<

pipewire_camera_obj := $(call obj,tests/pipewire/usb-camera.c)
$(pipewire_camera_obj): CPPFLAGS += -Itests/kselftest
$(pipewire_camera): $(pipewire_camera_obj) $(call obj,$(addprefix tests/kselftest/,usbip.c usbip-peer.c usbip-descriptors.c harness.c))
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ -pthread

$(pipewire_units): %: %.o $(BUILD)/libcallgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(hardened_ld) -o $@ $^ $(CMOCKA_LIBS) $(PKG_LIBS)

.PHONY: check-sound
check-sound: all tests
	$(Q)tests/run --timeout 0 'tests/vm/pipewire_test all' \
		'tests/vm/pipewire_test many $(or $(RUNS),3)' tests/vm/servers \
		'tests/pipewire/apps.py --runs $(or $(RUNS),3)' tests/pipewire/screen.py $(if $(BROWSERS),'tests/pipewire/apps.py --browsers')

check-vm check-build tests: $(pipewire_victim) $(pipewire_camera) $(pipewire_nogpu)
check-unit check-build tests: $(pipewire_units)
unit_cmds += $(pipewire_units)

-include $(patsubst %.o,%.d,$(pipewire_obj) $(pipewire_camera_obj) $(pipewire_nogpu_obj))
