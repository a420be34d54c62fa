#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The outer form of every C file: clang-format, length, licence line, nothing left undone. TAP.

. "$(dirname "$0")/lib/tap.sh"

mapfile -t c < <(find kmod daemon tools tests -name '*.[ch]' | sort)
mapfile -t others < <(find kmod daemon tools tests data doc -name '*.sh' -o -name '*.py' -o -name '*.yaml' | sort)

plan 6

form()
{
	clang-format --dry-run -Werror "${c[@]}" 2>&1 |
		sed -n 's/^\(.*\):[0-9]*:[0-9]*: error:.*/\1: run clang-format -i on it/p' | sort -u
}

length()
{
	wc -l "${c[@]}" | awk '$2 != "total" && $1 > 1000 { print $2 ": " $1 " lines; a file ends at 1000: find its second noun" }'
}

licence()
{
	local f
	for f in "${c[@]}" "${others[@]}"; do
		head -n 3 "$f" | grep -q SPDX-License-Identifier || echo "$f: no SPDX-License-Identifier in its first lines"
	done
}

sides()
{
	{
		grep -rL --include='*.[ch]' 'GPL-2.0-only' kmod
		grep -rl --include='*.[ch]' 'SPDX-License-Identifier: GPL-2.0-only' daemon tools
	} | sed 's/$/: the module is GPL-2.0-only, user space is LGPL-2.1-or-later/'
}

# The marks are put together here so that this file does not find itself.
undone()
{
	local marks="TO""DO|FIX""ME|XX""X|not ""implemented"
	grep -nE "\\b($marks)\\b" "${c[@]}"
}

built()
{
	git ls-files 2>/dev/null | grep -E '\.(pyc|o|ko|so)$' | sed 's/$/: is built, and holds paths of this machine/'
}

if command -v clang-format >/dev/null; then
	check "every C file is as clang-format leaves it" < <(form)
else
	ok "every C file is as clang-format leaves it # SKIP clang-format is not installed; run 'make setup'"
fi
check "no C file is longer than 1000 lines" < <(length)
check "every file names its licence" < <(licence)
check "each side has its own licence" < <(sides)
check "nothing is left undone" < <(undone)
check "nothing that is built is kept" < <(built)
