#!/bin/sh
# Signs Vivarium.app, or a disk image with it, for the world outside this computer: sign.sh PATH
#
# IDENTITY is the fingerprint or the name of a Developer ID Application certificate, KEYCHAIN, if set, the keychain it is in.
set -eu
path=${1:?sign which app or disk image?}
: "${IDENTITY:?which certificate?}"
here=$(cd "$(dirname "$0")" && pwd)
entitlements=${ENTITLEMENTS:-$here/../Vivarium.entitlements}
if [ "$IDENTITY" = - ]; then
	echo 'sign.sh: Apple notarises nothing that is signed ad hoc' >&2
	exit 2
fi

sign() { codesign --force --sign "$IDENTITY" ${KEYCHAIN:+--keychain "$KEYCHAIN"} --timestamp "$@"; }

case $path in
*.dmg)
	sign "$path"
	codesign --verify --strict --verbose=2 "$path"
	exit
	;;
esac

# Notarisation fails, half an hour from now, for one program that was forgotten.
contents=$path/Contents
stray=$(find "$contents" -type f -perm -u=x ! -path "$contents/Helpers/*" ! -path "$contents/MacOS/*")
if [ -n "$stray" ] || [ ! -x "$contents/MacOS/Vivarium" ]; then
	echo "sign.sh: programs are expected in Helpers and in MacOS: $stray" >&2
	exit 1
fi

# From the inside to the outside: the app's signature seals those of its helpers. A plain program keeps the name that the build gave it. The
# keeper is a bundle of its own and may do what the app may: once the app has quit it is the keeper whom macOS holds to account for a server.
for helper in "$contents"/Helpers/*; do
	case $helper in
	*.app) sign --options runtime --entitlements "$entitlements" "$helper" ;;
	*) sign --options runtime --preserve-metadata=identifier "$helper" ;;
	esac
done
sign --options runtime --entitlements "$entitlements" "$path"
codesign --verify --strict --deep --verbose=2 "$path"
