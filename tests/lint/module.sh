#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The module builds without a warning at W=1, for the 6.1 kernel and for each other one whose headers are
# installed. On 6.1 sparse reads it too; Debian 12's does not understand newer headers. TAP.

. "$(dirname "$0")/lib/tap.sh"
build=${BUILD:-build}

plan 3
for k in 6.1. 6.12. 7.; do
	if ! release=$(tests/release "$k"); then
		skip "callgate.ko for $k" "no headers; 'tests/setup --kernel $k' installs them"
		continue
	fi
	sparse=()
	if [ "$k" = 6.1. ] && command -v sparse >/dev/null; then
		sparse=(C=2 CF='-Wsparse-error -Wcontext -Wcast-from-as -Wtypesign -Wdecl -Wptr-subtraction-blows')
	fi
	if out=$(env -u MAKEFLAGS -u MAKELEVEL tests/build-module "$(tests/release --kdir "$release")" "$build/lint/$release" \
		-j2 W=1 KCFLAGS=-Werror "${sparse[@]}" 2>&1); then
		ok "callgate.ko for $release${sparse[0]:+, and sparse}"
	else
		not_ok "callgate.ko for $release" "$out"
	fi
done
