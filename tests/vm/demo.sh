#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job in the VM, step by step: tests/vm/demo.sh [--tap] [--kernel VERSION]
# Leaves the picture, the sound, the relay's dumps and the result in build/demo.
set -euo pipefail
top=$(dirname "$(realpath "$0")")/../..
top=$(realpath "$top")
out=$top/build/demo
rig=()
demo=(--out /share)

while [ $# -gt 0 ]; do
	case $1 in
	--tap) demo+=(--tap) ;;
	--kernel)
		rig+=(--kernel "${2:?--kernel wants a version}")
		shift
		;;
	*)
		echo "usage: ${0##*/} [--tap] [--kernel VERSION]" >&2
		exit 2
		;;
	esac
	shift
done

rm -rf "$out"
mkdir -p "$out"
exec "$top/tests/vm/run" "${rig[@]}" --share "$out" --timeout 1200 -- /callgate/tests/vm/guest/demo.py "${demo[@]}"
