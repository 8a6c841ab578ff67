#!/bin/sh
# Prints what CHANGELOG.md says of a version: notes.sh TAG. That of a preview (v1.2.0-rc1) still stands under "Unreleased".
set -eu
tag=${1:?which tag?}
here=$(cd "$(dirname "$0")" && pwd)
changelog=${CHANGELOG:-$here/../../../CHANGELOG.md}
section=${tag#v}
case $section in
*-*) section=Unreleased ;;
esac
text=$(awk -v section="$section" '
	/^## / { name = $2; gsub(/[][]/, "", name); inside = name == section; next }
	inside' "$changelog" | sed '/./,$!d')
if [ -z "$text" ]; then
	echo "notes.sh: CHANGELOG.md has nothing under '## $section'" >&2
	exit 1
fi
printf '%s\n' "$text"
