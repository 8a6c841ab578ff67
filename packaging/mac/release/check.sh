#!/bin/sh
# Has a Mac's own tools read an app: check.sh APP
set -eu
app=${1:?check which app?}
codesign --verify --strict --deep --verbose=2 "$app"
for list in "$app/Contents/Info.plist" "$app/Contents/_CodeSignature/CodeResources"; do
	plutil -lint "$list"
done
for program in "$app"/Contents/MacOS/* "$app"/Contents/Helpers/*; do
	codesign --verify --strict --verbose=2 "$program"
	lipo "$program" -verify_arch x86_64 arm64
done
"$app/Contents/MacOS/Vivarium" --version
"$app/Contents/Helpers/vivarium" version
