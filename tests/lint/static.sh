#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the kernel's own tools find in kmod/: checkpatch, kernel-doc, the kernel's coccinelle rules and ours. TAP.
# The scripts are those of the distribution's kernel source; what is needed of it is unpacked once, beside the virtual
# machine's parts. sparse runs in module.sh, where the module is compiled.

. "$(dirname "$0")/lib/tap.sh"

# Prints the folder that holds scripts/ of the kernel source.
scripts_of_source()
{
	local tar=/usr/src/linux-source-6.1.tar.xz cache key dir
	[ -e "$tar" ] || return 1
	cache=${CALLGATE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/callgate}
	key=$(dpkg-query -W -f '${Version}' linux-source-6.1 2>/dev/null || stat -c %Y "$tar")
	dir=$cache/scripts-$key
	mkdir -p "$cache"
	(
		flock 9
		if [ ! -e "$dir" ]; then
			work=$(mktemp -d "$cache/.work.XXXXXX") &&
				tar -xf "$tar" -C "$work" --strip-components=1 --wildcards '*/scripts/checkpatch.pl' \
					'*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch' '*/scripts/coccinelle' &&
				chmod 755 "$work" && mv "$work" "$dir"
		fi
	) 9>"$cache/scripts.lock" || return 1
	echo "$dir/scripts"
}

# Findings that stay, and why:
leave=(
	LONG_LINE_COMMENT      # a thought in one line stays in one line; the length of code is clang-format's
	OPEN_ENDED_LINE        # clang-format breaks there, and form.sh holds every file to it
	PARENTHESIS_ALIGNMENT  # the same, and TRACE_EVENT, which the kernel itself indents by tabs
	UNCOMMENTED_DEFINITION # a lock in a struct is explained in its kernel-doc, where checkpatch does not look
	CONST_STRUCT           # our copy of a driver's snd_pcm_ops is filled at run time; only the copies are not const
	CAMELCASE              # fields of USB descriptors, named by the USB standard
	MACRO_ARG_REUSE        # names of functions, which have no side effect
)

form()
{
	local f
	for f in kmod/*.[ch] kmod/uapi/*.h; do
		perl "$source/checkpatch.pl" --no-tree --strict -q -f --terse --show-types --max-line-length=100 \
			--ignore "$(IFS=, && echo "${leave[*]}")" "$f"
	done 2>&1 | grep -v '^total:'
}

kernel_doc()
{
	"$1" -none -v kmod/*.[ch] kmod/uapi/*.h 2>&1 | grep -vE 'info: Scanning|^[0-9]+ warnings$'
}

# Of the kernel's rules those about mistakes that this module could make; not those about matters of taste or about
# parts of the kernel that it does not touch. Of the folders named here stay out: mini_lock, which does not know that
# enter() in netlink.c returns with the lock, as its comment says; badzero, which needs an OCaml compiler.
kernel_rules()
{
	(cd "$source/coccinelle" && find "$PWD/locks" "$PWD/null" "$PWD/tests" "$PWD/iterators" "$PWD/free/kfree.cocci" \
		"$PWD/free/put_device.cocci" "$PWD/free/kfreeaddr.cocci" "$PWD/api/err_cast.cocci" \
		"$PWD/api/kfree_mismatch.cocci" "$PWD/api/atomic_as_refcounter.cocci" "$PWD/misc/noderef.cocci" \
		"$PWD/misc/newline_in_nl_msg.cocci" "$PWD/misc/cond_no_effect.cocci" -name '*.cocci' \
		! -name mini_lock.cocci ! -name badzero.cocci ! -name '*_child.cocci' ! -name 'device_node*')
}

# spatch RULE FOLDER: what it reports, without what it says about the rule itself.
rule()
{
	timeout 120 spatch -D report --very-quiet --no-includes --include-headers --cocci-file "$1" "$2" 2>&1 |
		grep -E '^[^ ]+\.[ch]:[0-9]+' | sed "s|\$| [${1##*/}]|"
}
export -f rule

every_fault()
{
	local f found word
	found=$(for f in tests/lint/cocci/*.cocci; do rule "$f" tests/lint/cocci/faults.c; done)
	sed -n 's|.*/\* \([a-z_]*\) \*/.*|\1|p' tests/lint/cocci/faults.c | while read -r word; do
		grep -q "$word()" <<<"$found" || echo "no rule finds the fault with $word()"
	done
}

plan 5
hint="run 'make setup'"
if source=$(scripts_of_source); then
	check "checkpatch --strict" < <(form)
else
	skip "checkpatch --strict" "no linux-source-6.1; $hint"
fi
doc=$(ls /usr/lib/linux-kbuild-6.1/scripts/kernel-doc 2>/dev/null)
if [ -n "$doc" ]; then
	check "kernel-doc" < <(kernel_doc "$doc")
else
	skip "kernel-doc" "no linux-kbuild-6.1; $hint"
fi
if ! command -v spatch >/dev/null; then
	for i in "own rules" "own rules find what they look for" "the kernel's rules"; do
		skip "coccinelle: $i" "no coccinelle; $hint"
	done
	exit
fi
check "coccinelle: own rules" < <(for f in tests/lint/cocci/*.cocci; do rule "$f" kmod; done)
check "coccinelle: own rules find what they look for" < <(every_fault)
if [ -n "$source" ]; then
	check "coccinelle: the kernel's rules" < <(kernel_rules | xargs -P "$(nproc)" -I {} bash -c 'rule {} kmod')
else
	skip "coccinelle: the kernel's rules" "no linux-source-6.1; $hint"
fi
