#!/bin/sh
# Has Apple look at a signed app or disk image, and staples its ticket to it: notarise.sh PATH
#
# NOTARY_KEY is an App Store Connect API key, the text of its .p8 file; NOTARY_KEY_ID and NOTARY_ISSUER say which one it is. The key
# goes to notarytool in a file that nobody else can read: what stands on a command line, every process can see.
set -eu
path=${1:?notarise which app or disk image?}
: "${NOTARY_KEY:?}" "${NOTARY_KEY_ID:?}" "${NOTARY_ISSUER:?}"
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
printf '%s\n' "$NOTARY_KEY" >"$work/key.p8"
unset NOTARY_KEY

notary() {
	action=$1
	shift
	xcrun notarytool "$action" "$@" --key "$work/key.p8" --key-id "$NOTARY_KEY_ID" --issuer "$NOTARY_ISSUER"
}

answer() { sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' "$work/answer" | head -n 1; }

case $path in
*.app)
	upload=$work/$(basename "$path" .app).zip
	ditto -c -k --keepParent "$path" "$upload"
	;;
*) upload=$path ;;
esac

# The exit status does not tell a refusal: older versions of notarytool end well with "Invalid".
if ! notary submit "$upload" --wait --timeout 45m --output-format json >"$work/answer" || [ "$(answer status)" != Accepted ]; then
	cat "$work/answer" >&2
	id=$(answer id)
	[ -z "$id" ] || notary log "$id" >&2 || :
	echo "notarise.sh: $path was not accepted" >&2
	exit 1
fi

# The ticket can take a while from the one server of Apple's to the other.
stapled=
for pause in 0 15 30 60; do
	sleep "$pause"
	if xcrun stapler staple "$path"; then
		stapled=yes
		break
	fi
done
if [ -z "$stapled" ]; then
	echo "notarise.sh: $path was accepted, but there is no ticket for it yet: try again later" >&2
	exit 1
fi
xcrun stapler validate "$path"
case $path in
*.app)
	# One ticket is for all programs inside: the keeper is copied out of the app, and has to be known by itself.
	for code in "$path" "$path"/Contents/Helpers/*.app; do
		spctl --assess --type execute --verbose=2 "$code"
	done
	;;
*) spctl --assess --type open --context context:primary-signature --verbose=2 "$path" ;;
esac
