#!/bin/sh
# Makes of dist/Vivarium.app and dist/arm64/Vivarium.app, built on a Mac from a tag, what is published: release.sh TAG
#
# It is signed if there is an IDENTITY, notarised if there are NOTARY_KEY, NOTARY_KEY_ID and NOTARY_ISSUER as well. What had to be left out
# is said, and stands in dist/skipped.txt, which draft.sh puts on top of the release.
set -eu
tag=${1:?which tag?}
here=$(cd "$(dirname "$0")" && pwd)
dist=${DIST:-dist}
if [ "$(git describe --tags --always --dirty)" != "$tag" ]; then
	echo "release.sh: what is checked out is $(git describe --tags --always --dirty), not $tag" >&2
	exit 1
fi
: >"$dist/skipped.txt"

skip() {
	echo "$1" >>"$dist/skipped.txt"
	if [ -n "${GITHUB_ACTIONS:-}" ]; then
		echo "::warning title=Skipped::$1"
	else
		echo "skipped: $1"
	fi
}

for app in "$dist/Vivarium.app" "$dist/arm64/Vivarium.app"; do
	if [ ! -d "$app" ]; then
		echo "release.sh: there is no $app: make app, make app arch=arm64" >&2
		exit 1
	fi
done

signed='' notarised='' missing=''
for name in NOTARY_KEY NOTARY_KEY_ID NOTARY_ISSUER; do
	eval "value=\${$name:-}"
	[ -n "$value" ] || missing="$missing $name"
done
# One script needs the key. The others, and the tools that they run, are not told.
key=${NOTARY_KEY:-}
unset NOTARY_KEY
notarise() { NOTARY_KEY=$key "$here/notarise.sh" "$1"; }

if [ -z "${IDENTITY:-}" ]; then
	skip 'It is not signed with a Developer ID: there is no certificate (secrets MACOS_CERTIFICATE, MACOS_CERTIFICATE_PASSWORD).'
	skip 'It is not notarised: only what is signed can be.'
else
	for app in "$dist/Vivarium.app" "$dist/arm64/Vivarium.app"; do "$here/sign.sh" "$app"; done
	signed=yes
	if [ -n "$missing" ]; then
		skip "It is not notarised: there is no secret$missing."
	else
		for app in "$dist/Vivarium.app" "$dist/arm64/Vivarium.app"; do notarise "$app"; done
		notarised=yes
	fi
fi

# Only now: the ticket is a file in the app.
go run ./packaging/mac/bundle pack -o "$dist" -version "$tag" -date "$(git log -1 --format=%ct)"
for image in "$dist/Vivarium-${tag#v}.dmg" "$dist/Vivarium-${tag#v}-arm64.dmg"; do
	if [ -n "$signed" ]; then "$here/sign.sh" "$image"; fi
	if [ -n "$notarised" ]; then notarise "$image"; fi
done
# The disk images are others now.
cd "$dist"
names=$(awk '{ print $2 }' SHA256SUMS)
# shellcheck disable=SC2086 # names without spaces
shasum -a 256 $names >SHA256SUMS.new
mv SHA256SUMS.new SHA256SUMS
cat SHA256SUMS
