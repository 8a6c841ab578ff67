#!/bin/sh
# A keychain that holds the certificate for as long as a release is made, on a computer that is thrown away afterwards.
#
#   keychain.sh open    makes it and prints the certificate's fingerprint; without a certificate it prints nothing
#   keychain.sh close   removes it
#
# MACOS_CERTIFICATE is a Developer ID Application certificate with its key, as the base64 text of a .p12 file,
# MACOS_CERTIFICATE_PASSWORD that file's password. KEYCHAIN is where the keychain is to be.
set -eu
keychain=${KEYCHAIN:?where is the keychain to be?}

missing=
[ -n "${MACOS_CERTIFICATE:-}" ] || missing=" MACOS_CERTIFICATE"
[ -n "${MACOS_CERTIFICATE_PASSWORD:-}" ] || missing="$missing MACOS_CERTIFICATE_PASSWORD"

# fill makes the keychain with the certificate in it. `security` takes passwords as arguments alone: nothing here may print what it
# runs (set -x). What it says itself goes to standard error, because standard output is the fingerprint's.
fill() {
	printf '%s' "$certificate" | base64 --decode >"$work/certificate.p12"
	password=$(openssl rand -hex 24)
	security create-keychain -p "$password" "$keychain"
	security set-keychain-settings -l -u -t 21600 "$keychain"
	security unlock-keychain -p "$password" "$keychain"
	security import "$work/certificate.p12" -k "$keychain" -f pkcs12 -P "$of_certificate" -T /usr/bin/codesign
	# Without this, codesign would ask a person for leave to use the key, and wait.
	security set-key-partition-list -S apple-tool:,apple:,codesign: -s -k "$password" "$keychain" >/dev/null
	# shellcheck disable=SC2046 # a list of paths; those of such a computer have no spaces
	security list-keychains -d user -s "$keychain" $(security list-keychains -d user | tr -d '"')
}

case ${1:-} in
open)
	if [ -n "$missing" ]; then
		echo "no certificate: there is no secret$missing" >&2
		exit 0
	fi
	certificate=$MACOS_CERTIFICATE of_certificate=$MACOS_CERTIFICATE_PASSWORD
	unset MACOS_CERTIFICATE MACOS_CERTIFICATE_PASSWORD # no tool finds them in its environment
	umask 077
	work=$(mktemp -d)
	done=
	trap 'rm -rf "$work"; [ -n "$done" ] || security delete-keychain "$keychain" >/dev/null 2>&1 || :' EXIT
	trap 'exit 1' HUP INT TERM
	fill >&2
	identity=$(security find-identity -v -p codesigning "$keychain" |
		sed -n 's/^ *[0-9]*) \([0-9A-F]\{40\}\) "Developer ID Application: .*/\1/p' | head -n 1)
	if [ -z "$identity" ]; then
		echo 'MACOS_CERTIFICATE holds no valid “Developer ID Application” certificate with its key' >&2
		exit 1
	fi
	done=yes
	echo "$identity"
	;;
close)
	[ ! -e "$keychain" ] || security delete-keychain "$keychain"
	;;
*)
	echo 'usage: keychain.sh open|close' >&2
	exit 2
	;;
esac
