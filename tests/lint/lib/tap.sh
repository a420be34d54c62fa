# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# TAP for the scripts beside this folder. Sourced; goes to the top of the tree, where they work.

cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 1
tap_count=0

# How many results there will be.
plan()
{
	echo "TAP version 13"
	echo "1..$1"
}

# Instead of a plan.
plan_skip()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	exit 0
}

ok()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# A name, and what there is to see.
not_ok()
{
	tap_count=$((tap_count + 1))
	echo "not ok $tap_count - $1"
	echo "$2" | sed 's/^/# /'
}

# A name, and why.
skip()
{
	ok "$1 # SKIP $2"
}

# Takes the complaints on standard input; none means good.
check()
{
	local out
	out=$(cat)
	if [ -z "$out" ]; then ok "$1"; else not_ok "$1" "$out"; fi
}

# A command's status, a name, and what it said.
result()
{
	if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2" "$3"; fi
}
