# SPDX-License-Identifier: LGPL-2.1-or-later
# Every test program of this folder is linked with all of its helpers.
kself_helpers := $(filter-out %_test.c,$(wildcard tests/kselftest/*.c))
$(kself_bin): $(call obj,$(kself_helpers))
-include $(patsubst %.o,%.d,$(call obj,$(kself_helpers)))

kernel_cmds += tests/kselftest/spec_test.py

# A card whose driver starts a whole linked group at once.
vm_alsa_life_test := --qemu '-device intel-hda -device hda-duplex'

# They suspend the machine, after which a newer kernel's virtio ports take no more output.
vm_alsa_paths_test := --serial
vm_driver_test := --serial

# What a hostile user preloads into a trusted program.
kself_preload := $(BUILD)/tests/kselftest/preload.so
$(kself_preload): tests/kselftest/preload/ride.c tests/kselftest/frame.c tests/kselftest/frame.h
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(common) $(CFLAGS) -fPIC -shared -o $@ $(filter %.c,$^)
$(filter %/subject_test %/cgroup_test,$(kself_bin)): | $(kself_preload)

# Two cameras, the first with a screen to overlay, the second multi-planar. In newer kernels vivid's screen is an oops.
vm_v4l2_paths_test := --vivid 'n_devs=2 multiplanar=1,2 node_types=0xf1d3d,0xe1d3d'
vm_v4l2_nodes_test := $(vm_v4l2_paths_test)

# Sweeps over every allocation, where the kernel injects faults.
kself_fault := fault_test fault_arrival_test
vm_fault_test := --timeout 7000
vm_fault_arrival_test := --timeout 7000 --qemu '-device qemu-xhci -audiodev none,id=none -device usb-audio,audiodev=none'

# vm_for RELEASE PROGRAM
vm_for = $(if $(filter 6.1.%,$1),$(vm_$(notdir $2)),$(subst 0xf1d3d,0xe1d3d,$(vm_$(notdir $2))))
# kself_run RELEASE PROGRAM: the command. A kernel that cannot do it is not even booted.
kself_run = $(if $(and $(filter $(kself_fault),$(notdir $2)),$(filter-out %-dbg,$1)),"tests/skip $(notdir $2) is for the debug kernel: make check-debug",\
	"tests/vm/run --kernel '$1' $(call vm_for,$1,$2) -- /callgate/$2")
