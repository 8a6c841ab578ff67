package setup

import "strings"

// startMark is how a ./start of ours is recognised, also one of another version.
const startMark = "# Written by `vivarium init`."

// startScript is the ./start of a backend: POSIX sh, because it must run before anything is installed. It resolves links by hand:
// macOS 12 has no readlink -f.
const startScript = `#!/bin/sh
# The one way to start this backend: Vivarium runs it in the environment in which Python does not crash, and watches it.
` + startMark + `
self=$0
while [ -L "$self" ]; do
	to=$(readlink -- "$self")
	case $to in
	/*) self=$to ;;
	*) self=$(dirname -- "$self")/$to ;;
	esac
done
dir=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd -P) || exit 1
app=Applications/Vivarium.app/Contents/Helpers/vivarium
for vivarium in "$(command -v vivarium)" "/$app" "${HOME:-}/$app"; do
	if [ -f "$vivarium" ] && [ -x "$vivarium" ]; then
		exec "$vivarium" run "$@" "$dir"
	fi
done
echo "Vivarium is not installed. How to get it: https://github.com/vivarium-app/vivarium#install" >&2
exit 127
`

// isOurStart: it was written by init, or starts Vivarium all the same.
func isOurStart(text string) bool {
	if strings.Contains(text, startMark) {
		return true
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "exec vivarium run") {
			return true
		}
	}
	return false
}
