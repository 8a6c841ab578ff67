// Package release holds the scripts that make a release, and their tests: Apple's tools and GitHub's are played by a stand-in that
// writes down how it was called.
package release

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIn plays every tool. A line of the record is the name and the arguments, with a tab before each.
const standIn = `#!/bin/sh
name=${0##*/}
{
	printf '%s' "$name"
	for a; do printf '\t%s' "$a"; done
	[ -z "$NOTARY_KEY$MACOS_CERTIFICATE$MACOS_CERTIFICATE_PASSWORD" ] || [ "$name" = git ] || printf '\t(knows a secret)'
	printf '\n'
} >>"$RECORD"
call="$name $*"
if [ -n "$FAIL" ]; then
	case $call in
	$FAIL)
		echo x >>"$RECORD.failed"
		[ "$(wc -l <"$RECORD.failed")" -gt "${FAILURES:-99}" ] || exit 1 ;;
	esac
fi
case $call in
'security list-keychains -d user') echo '    "/Users/runner/Library/Keychains/login.keychain-db"' ;;
'security create-keychain '*) : >"$KEYCHAIN" ;;
'security delete-keychain '*) rm -f "$KEYCHAIN" ;;
'security import '*) cp "$2" "$RECORD.p12"; ls -l "$2" >"$RECORD.mode"; echo '1 identity imported.' ;;
'security find-identity '*) printf '%s\n' "$IDENTITIES" ;;
'openssl rand '*) echo throwaway ;;
'ditto -c '*) for last; do :; done; echo zip >"$last" ;;
'xcrun notarytool submit '*)
	while [ "$1" != --key ]; do shift; done
	cp "$2" "$RECORD.key"
	ls -l "$2" >"$RECORD.mode"
	printf '%s\n' "$ANSWER" ;;
'xcrun notarytool log '*) echo 'The signature does not include a secure timestamp.' ;;
'git describe '*) echo "$DESCRIBED" ;;
'git log '*) echo 1780000000 ;;
'go run '*)
	for end in .zip .dmg -arm64.zip -arm64.dmg .cdx.json; do echo "${end##*.}" >"dist/Vivarium-1.2.0$end"; done
	(cd dist && shasum -a 256 Vivarium-* >SHA256SUMS) ;;
'codesign --display --entitlements '*) echo "$ENTITLED" ;;
'codesign '*.dmg) for last; do :; done; [ "$1" = --verify ] || echo signed >>"$last" ;;
'xcrun stapler staple '*.dmg) echo stapled >>"$3" ;;
'gh release view '*) [ -n "$RELEASE" ] || exit 1; echo "$RELEASE" ;;
'gh release '*)
	while [ $# -gt 0 ]; do
		[ "$1" != --notes-file ] || cp "$2" "$RECORD.notes"
		shift
	done ;;
'open '*) "$2/Contents/MacOS/Vivarium" --demo >/dev/null 2>&1 & ;;
esac
exit 0
`

const keeper = "Helpers/Vivarium Keeper.app"

const (
	fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567"
	identities  = `  1) 89ABCDEF0123456789ABCDEF0123456789ABCDEF "Apple Development: A (TEAM)"
  2) ` + fingerprint + ` "Developer ID Application: A (TEAM)"
     2 valid identities found`
	notaryKey = "-----BEGIN PRIVATE KEY-----\nTmVpbg==\n-----END PRIVATE KEY-----"
)

// rig is a folder to release from, and what the tools in it were asked.
type rig struct {
	t        *testing.T
	dir      string
	env      map[string]string
	out, err string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	r := &rig{t: t, dir: dir, env: map[string]string{
		"RECORD": filepath.Join(dir, "record"), "IDENTITIES": identities, "DESCRIBED": "v1.2.0",
		"ENTITLED": "<key>com.apple.security.automation.apple-events</key><key>com.apple.security.device.audio-input</key><key>com.apple.security.device.camera</key>",
		"ANSWER":   `{"id":"2efe2717","status":"Accepted","message":"Processing complete"}`,
		"TMPDIR":   filepath.Join(dir, "tmp"), "HOME": dir,
		"PATH": filepath.Join(dir, "bin") + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
	}}
	r.write("bin/stand-in", standIn, 0o755)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o755))
	for _, tool := range []string{"codesign", "xcrun", "ditto", "security", "spctl", "openssl", "git", "go", "gh", "sleep", "plutil", "lipo", "open"} {
		require.NoError(t, os.Symlink("stand-in", filepath.Join(dir, "bin", tool)))
	}
	for _, app := range []string{"dist/", "dist/arm64/"} {
		for _, program := range []string{"MacOS/Vivarium", "Helpers/vivarium", keeper + "/Contents/MacOS/vivarium-keeper"} {
			r.write(app+"Vivarium.app/Contents/"+program, "#!/bin/sh\n", 0o755)
		}
		for _, list := range []string{"Info.plist", keeper + "/Contents/Info.plist", "Library/LaunchAgents/an.id.login.plist"} {
			r.write(app+"Vivarium.app/Contents/"+list, "", 0o644)
		}
	}
	return r
}

func (r *rig) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r.t, os.WriteFile(path, []byte(text), mode))
}

func (r *rig) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(r.t, err)
	return string(text)
}

// run runs a script and returns its exit code. Nothing of the caller's environment reaches it.
func (r *rig) run(script string, args ...string) int {
	r.t.Helper()
	path, err := filepath.Abs(script)
	require.NoError(r.t, err)
	cmd := exec.Command(path, args...)
	cmd.Dir = r.dir
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err = cmd.Run()
	r.out, r.err = out.String(), complaint.String()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(r.t, err, &exit)
	}
	return cmd.ProcessState.ExitCode()
}

// calls are the tools that were run, in order, with "." for the folder and "TMP" for what is temporary.
func (r *rig) calls() []string {
	r.t.Helper()
	text, err := os.ReadFile(r.env["RECORD"])
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(r.t, err)
	var calls []string
	for line := range strings.Lines(string(text)) {
		words := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, w := range words {
			if below, ok := strings.CutPrefix(w, r.env["TMPDIR"]+"/"); ok {
				_, below, _ = strings.Cut(below, "/")
				w = "TMP/" + below
			}
			words[i] = strings.Replace(w, r.dir+"/", "", 1)
		}
		calls = append(calls, strings.Join(words, " "))
	}
	return calls
}

// leftNothing: what was temporary is gone.
func (r *rig) leftNothing() {
	r.t.Helper()
	left, err := os.ReadDir(r.env["TMPDIR"])
	require.NoError(r.t, err)
	require.Empty(r.t, left)
}

// keptSecrets: neither the output nor, but for the one tool that has no other way, a command line has a secret in it.
func (r *rig) keptSecrets() {
	r.t.Helper()
	said := r.out + r.err
	for _, c := range r.calls() {
		require.NotContains(r.t, c, "(knows a secret)")
		if !strings.HasPrefix(c, "security ") {
			said += c + "\n"
		}
	}
	for _, name := range []string{"MACOS_CERTIFICATE", "MACOS_CERTIFICATE_PASSWORD", "NOTARY_KEY"} {
		for line := range strings.Lines(r.env[name]) {
			require.NotContains(r.t, said, strings.TrimSpace(line))
		}
	}
	require.NotContains(r.t, said, "throwaway")
}
