#!/bin/sh
# Has a Mac's own tools read an app: check.sh APP [CHIP…]. The chips, in lipo's words, are x86_64 and arm64 if none is named.
set -eu
app=${1:?check which app?}
shift
[ $# -gt 0 ] || set -- x86_64 arm64
keeper="$app/Contents/Helpers/Vivarium Keeper.app"
codesign --verify --strict --deep --verbose=2 "$app"
for list in "$app/Contents/Info.plist" "$keeper/Contents/Info.plist" "$app"/Contents/Library/LaunchAgents/*.plist \
	"$app/Contents/_CodeSignature/CodeResources" "$keeper/Contents/_CodeSignature/CodeResources"; do
	plutil -lint "$list"
done
for program in "$app"/Contents/MacOS/* "$app/Contents/Helpers/vivarium" "$keeper/Contents/MacOS/vivarium-keeper"; do
	codesign --verify --strict --verbose=2 "$program"
	lipo "$program" -verify_arch "$@"
done
# What a launcher needs for its children, and no more, is in the signature itself.
for code in "$app" "$keeper"; do
	for entitlement in automation.apple-events device.audio-input device.camera; do
		codesign --display --entitlements - --xml "$code" | grep -q "com.apple.security.$entitlement" || {
			echo "check.sh: $code is not entitled to $entitlement" >&2
			exit 1
		}
	done
done
"$app/Contents/MacOS/Vivarium" --version
"$app/Contents/Helpers/vivarium" version
"$keeper/Contents/MacOS/vivarium-keeper" --version
