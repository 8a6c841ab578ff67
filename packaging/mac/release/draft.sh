#!/bin/sh
# Puts what release.sh made into a draft on GitHub, for a person to look at and to publish: draft.sh TAG
# A draft of the same tag is filled anew; a published release is never touched. GH_TOKEN must be allowed to write contents.
set -eu
tag=${1:?which tag?}
here=$(cd "$(dirname "$0")" && pwd)
cd "${DIST:-dist}"
shasum -a 256 --check SHA256SUMS
# shellcheck disable=SC2046 # names without spaces
set -- $(awk '{ print $2 }' SHA256SUMS) SHA256SUMS
[ ! -e vivarium.rb ] || set -- "$@" vivarium.rb # a preview has no cask

notes=$(mktemp)
trap 'rm -f "$notes"' EXIT
trap 'exit 1' HUP INT TERM
text=$("$here/notes.sh" "$tag")
{
	if [ -s skipped.txt ]; then
		echo '> [!WARNING]'
		sed 's/^/> /' skipped.txt
		echo
	fi
	printf '%s\n' "$text"
} >"$notes"

case $(gh release view "$tag" --json isDraft --jq .isDraft 2>/dev/null || echo none) in
none)
	preview=
	case $tag in
	*-*) preview=--prerelease ;;
	esac
	gh release create "$tag" --draft --verify-tag ${preview:+"$preview"} --title "Vivarium ${tag#v}" --notes-file "$notes" "$@"
	;;
true)
	gh release upload "$tag" --clobber "$@"
	gh release edit "$tag" --draft --notes-file "$notes"
	;;
*)
	echo "draft.sh: $tag is published already: make a new version" >&2
	exit 1
	;;
esac
