#!/bin/sh
# Renders the icons from their SVG sources: FOLDER/template (black and alpha, for macOS) and FOLDER/colour (for Linux), 48 px
# each, which is 3 × the 16 pt of a menu bar, and FOLDER/vivarium.png, the app's own icon. Without FOLDER: where they are embedded.
set -eu
cd "$(dirname "$0")"
to=${1:-.}
command -v rsvg-convert >/dev/null || { echo "render.sh: rsvg-convert is missing: apt-get install librsvg2-bin, or brew install librsvg" >&2; exit 1; }
mkdir -p "$to/template" "$to/colour"
for name in stopped starting healthy unhealthy crashed; do
	rsvg-convert --width 48 --height 48 "$name.svg" --output "$to/template/$name.png"
	rsvg-convert --width 48 --height 48 --stylesheet colour.css "$name.svg" --output "$to/colour/$name.png"
done
rsvg-convert --width 256 --height 256 vivarium.svg --output "$to/vivarium.png"
