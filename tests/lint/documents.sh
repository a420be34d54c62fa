#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Manual pages: each program, file and interface has one, and mandoc finds nothing wrong. AppStream metadata. TAP.

. "$(dirname "$0")/lib/tap.sh"

for tool in mandoc appstreamcli; do
	if ! command -v $tool >/dev/null; then
		plan_skip "$tool is not installed; run 'make setup'"
	fi
done
plan 5
tree=$(mktemp -d)
trap 'rm -rf -- "$tree"' EXIT
for page in doc/man/*.[1-8]; do
	install -D -m 644 "$page" "$tree/man${page##*.}/${page##*/}"
done

# What data/install puts into place.
programs=$(sed -n 's/^for agent in \(.*\); do$/\1/p; s/^[^#]*"$build\/\([a-z][a-z-]*\)".*/\1/p' data/install | tr ' ' '\n' | sort -u)
check "each program has a manual page" < <(
	[ "$(echo "$programs" | wc -l)" -ge 6 ] || echo "only these programs were found in data/install: $programs"
	for p in $programs; do
		compgen -G "doc/man/$p.[18]" >/dev/null || echo "doc/man/$p.1 is missing"
	done)
check "mandoc finds nothing wrong" < <(
	cd "$tree" && for page in man?/*; do
		# Two programs of one package share a page, as man(1) has it on Debian.
		mandoc -T lint -W warning "$page" 2>&1 | grep -v '\.so is fragile'
	done)
check "each file and unit is on a page" < <(
	for f in /etc/callgate/callgate.conf /etc/callgate/strict /var/lib/callgate callgate.service callgate-module.service; do
		grep -q -- "$f" doc/man/*.[58] || echo "no page names $f"
	done
	for interface in Manager Session Peer Device History Sound Agent; do
		grep -q "org.callgate1.$interface" doc/man/org.callgate1.5 || echo "org.callgate1(5) has no $interface"
	done)
names=$(grep -ohE '(METHOD|NO_RESULT|NO_ARGS|NOTHING|SD_BUS_PROPERTY)\("[A-Za-z]+"' daemon/bus*.c | cut -d '"' -f 2 | sort -u)
check "each method and property is in dbus.md and on the page" < <(
	[ "$(echo "$names" | wc -l)" -gt 30 ] || echo "only these were found in daemon/bus*.c: $names"
	for name in $names; do
		for where in doc/dbus.md doc/man/org.callgate1.5; do
			grep -qw -- "$name" $where || echo "$where does not have $name"
		done
	done)
check "the AppStream metadata is valid" < <(
	appstreamcli validate --no-net data/*.metainfo.xml >"$tree/said" 2>&1 || cat "$tree/said")
