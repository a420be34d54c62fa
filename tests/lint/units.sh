#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the units allow: systemd's own judgement of the service stays at 2.0 or below, and each unit can be read. TAP.

. "$(dirname "$0")/lib/tap.sh"

if ! command -v systemd-analyze >/dev/null; then
	plan_skip "systemd-analyze is not installed; run 'make setup'"
fi
plan 3

security()
{
	local out
	out=$(systemd-analyze security --offline=yes --threshold=20 --no-pager data/systemd/callgate.service 2>&1) || echo "$out"
}

# The programs are not installed here.
verify()
{
	local unit
	for unit in data/systemd/*.service; do
		systemd-analyze verify --man=no "$unit" 2>&1 | grep -v 'is not executable: No such file'
	done
}

sysusers()
{
	local out
	out=$(systemd-sysusers --dry-run "$PWD/data/sysusers.d/callgate.conf" 2>&1) || echo "$out"
	grep -q "^u callgate " data/sysusers.d/callgate.conf || echo "no user callgate"
	grep -q "^g callgate-agent " data/sysusers.d/callgate.conf || echo "no group callgate-agent"
}

check "callgate.service: exposure of 2.0 or less" < <(security)
check "systemd understands each unit of the system" < <(verify)
check "systemd-sysusers makes the user and the group" < <(sysusers)
