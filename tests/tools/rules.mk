# SPDX-License-Identifier: LGPL-2.1-or-later
# callgatectl and the terminal agent against a fake daemon on a private bus.
bus_cmds += tests/tools/ctl_test.py tests/tools/agent_test.py
