# SPDX-License-Identifier: LGPL-2.1-or-later
# The unit tests check a small configuration, of some seconds.
.PHONY: check-model
check-model:
	$(Q)tests/run --timeout 0 'tests/model/run --beats 2 --queue 2'
