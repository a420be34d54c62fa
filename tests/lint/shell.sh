#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every shell and Python script parses, and shellcheck finds nothing to warn about. TAP.

. "$(dirname "$0")/lib/tap.sh"

scripts()
{
	find . -path ./build -prune -o -path ./.git -prune -o -type f -size -200k -print | sort | while read -r f; do
		read -r first <"$f" 2>/dev/null || continue
		case $first in
		'#!'*"$1"*) echo "${f#./}" ;;
		esac
	done 2>/dev/null
}

mapfile -t shell < <(scripts bash; scripts 'bin/sh')
mapfile -t python < <(scripts python3)

plan $((${#shell[@]} + ${#python[@]}))
for f in "${shell[@]}"; do
	if ! command -v shellcheck >/dev/null; then
		skip "$f" "shellcheck is not installed; run 'make setup'"
		continue
	fi
	out=$(bash -n "$f" 2>&1 && shellcheck -S warning -f gcc -e SC1090,SC1091 "$f" 2>&1)
	result $? "$f" "$out"
done
for f in "${python[@]}"; do
	out=$(/usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$f" 2>&1)
	result $? "$f" "$out"
done
