#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the units allow: systemd's own judgement of the service stays at 2.0 or below, and each unit can be read. TAP.

cd "$(dirname "$0")/../.." || exit 1
n=0

result()
{
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

echo "TAP version 13"
if ! command -v systemd-analyze >/dev/null; then
	echo "1..0 # SKIP systemd-analyze is not installed; run 'make setup'"
	exit 0
fi
echo "1..4"
out=$(systemd-analyze security --offline=yes --threshold=20 --no-pager data/systemd/callgate.service 2>&1 &&
	echo good)
case $out in
*good) result "callgate.service: exposure of 2.0 or less" '' ;;
*) result "callgate.service: exposure of 2.0 or less" "$out" ;;
esac
# The programs are not installed here.
result "systemd understands callgate.service" \
	"$(systemd-analyze verify --man=no data/systemd/callgate.service 2>&1 | grep -v 'is not executable: No such file')"
result "systemd understands callgate-module.service" \
	"$(systemd-analyze verify --man=no data/systemd/callgate-module.service 2>&1 | grep -v 'is not executable: No such file')"
result "systemd-sysusers makes the user and the group" "$(
	out=$(systemd-sysusers --dry-run "$PWD/data/sysusers.d/callgate.conf" 2>&1) || echo "$out"
	grep -q "^u callgate " data/sysusers.d/callgate.conf || echo "no user callgate"
	grep -q "^g callgate-agent " data/sysusers.d/callgate.conf || echo "no group callgate-agent")"
