package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyAReleaseHasACask(t *testing.T) {
	dist, said := packed(t, "v1.2.3-4-gabc")
	require.Contains(t, said, "no cask: only a released version")
	require.NoFileExists(t, filepath.Join(dist, "vivarium.rb"))

	require.NoError(t, os.RemoveAll(filepath.Join(dist, "arm64")))
	var out strings.Builder
	require.NoError(t, pack("../../..", dist, "v1.2.3", released2026, nil, &out))
	require.Contains(t, out.String(), "no cask: it needs the download for Apple's chips")
	require.NoFileExists(t, filepath.Join(dist, "vivarium.rb"))
}

// recipe is the cask of a released version.
func recipe(t *testing.T) (text, dist string) {
	t.Helper()
	dist, _ = packed(t, "v1.2.3")
	content, err := os.ReadFile(filepath.Join(dist, "vivarium.rb"))
	require.NoError(t, err)
	return string(content), dist
}

func TestACaskNamesItsDownloadsAndTheirSums(t *testing.T) {
	text, dist := recipe(t)
	for arch, name := range map[string]string{"arm:  ": "Vivarium-1.2.3-arm64.zip", "intel:": "Vivarium-1.2.3.zip"} {
		zipped, err := os.ReadFile(filepath.Join(dist, name))
		require.NoError(t, err)
		require.Contains(t, text, fmt.Sprintf(`%s "%x"`, arch, sha256.Sum256(zipped)))
	}
	require.Contains(t, text, `version "1.2.3"`)
	require.Contains(t, text, `arch arm: "-arm64"`)
	require.Contains(t, text, `/v#{version}/Vivarium-#{version}#{arch}.zip"`)
	require.Contains(t, text, `binary "#{appdir}/Vivarium.app/Contents/`+programs[1].place+`"`)
	require.NotContains(t, text, "{{")
}

// stanzas are the parts of a cask at its top level, in order, each from its name to the next.
func stanzas(text string) (names []string, bodies map[string]string) {
	bodies = map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^  (?:#.*\n  )*([a-z0-9_]+)\b(?:.*\n(?:   .*\n|  [\]}e].*\n)*)`).FindAllStringSubmatch(text, -1) {
		names = append(names, part[1])
		bodies[part[1]] = part[0]
	}
	return names, bodies
}

// Homebrew runs every uninstall directive at an upgrade, too: `launchctl` would remove the login item, and a script would stop servers
// that a person wants.
func TestAnUpgradeTakesNothingAwayThatAPersonSetUp(t *testing.T) {
	text, _ := recipe(t)
	_, parts := stanzas(text)
	require.Equal(t, []string{"quit", "on_upgrade"}, directives(parts["uninstall"]))
	require.Contains(t, parts["uninstall"], `quit:       "`+bundleID+`"`)
	require.Contains(t, parts["uninstall"], "on_upgrade: :quit")
	for _, block := range []string{"preflight", "postflight", "uninstall_preflight", "uninstall_postflight", "early_script", "login_item"} {
		require.NotContains(t, text, block)
	}
}

// directives are the keys of a stanza's own hash.
func directives(body string) []string {
	body = regexp.MustCompile(`(?m)^ *#.*$`).ReplaceAllString(body, "")
	var keys []string
	depth := 0
	for _, m := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|([a-z_]+):\s`).FindAllStringSubmatch(body, -1) {
		switch m[0] {
		case "[", "{":
			depth++
		case "]", "}":
			depth--
		default:
			if m[1] != "" && depth == 0 {
				keys = append(keys, m[1])
			}
		}
	}
	return keys
}

func TestAZapLeavesNothingBehind(t *testing.T) {
	text, _ := recipe(t)
	_, parts := stanzas(text)
	require.Equal(t, []string{"launchctl", "script", "trash"}, directives(parts["zap"]), "in the order in which Homebrew runs them")
	for _, gone := range []string{
		"~/Library/Application Support/Vivarium", "~/Library/LaunchAgents/" + bundleID + ".plist", "~/Library/Preferences/" + bundleID + ".plist",
		"~/Library/Preferences/" + bundleID + ".keeper.plist", "~/Library/Caches/" + bundleID, "~/Library/HTTPStorages/" + bundleID,
		"~/Library/Saved Application State/" + bundleID + ".savedState",
	} {
		require.Contains(t, parts["zap"], `"`+gone+`"`)
	}
	for _, label := range []string{bundleID, bundleID + ".login"} {
		require.Contains(t, parts["zap"], "        \""+label+"\",\n")
	}
	paths := regexp.MustCompile(`"(~/[^"]+)"`).FindAllString(parts["zap"], -1)
	require.True(t, slices.IsSorted(paths), "RuboCop's Cask/ArrayAlphabetization")
}

// Homebrew's own rules for the order of stanzas and for what is deprecated.
func TestACaskIsWrittenByTodaysRules(t *testing.T) {
	text, _ := recipe(t)
	names, parts := stanzas(text)
	require.Equal(t, []string{"arch", "version", "sha256", "url", "name", "desc", "homepage", "livecheck", "depends_on", "app", "binary", "uninstall", "zap"}, names)
	require.Contains(t, parts["depends_on"], "depends_on macos: :monterey", "a comparison in a text is deprecated")
	require.NotContains(t, text, `">=`)
	desc := regexp.MustCompile(`desc "([^"]*)"`).FindStringSubmatch(text)[1]
	require.Less(t, len(desc), 80)
	require.NotRegexp(t, `(?i)^(a|an|the) |vivarium|mac ?os|\.$`, desc)
	require.NotContains(t, text, "\t")
	require.NotRegexp(t, `(?m) +$`, text)
	require.Regexp(t, `\nend\n$`, text)
}

// The script that ends keepers is run for real: with a stand-in for lsof, in a home with a space, against processes of this test.
func TestTheScriptOfAZapEndsWhoHoldsALockAndNobodyElse(t *testing.T) {
	text, _ := recipe(t)
	script := regexp.MustCompile(`\["-c", "(.*)"\]`).FindStringSubmatch(text)[1]
	require.NotContains(t, script, "#")
	require.NotContains(t, script, `\`)
	home := filepath.Join(t.TempDir(), "a home")
	holder := exec.Command("sleep", "1000")
	other := exec.Command("sleep", "1000")
	require.NoError(t, holder.Start())
	require.NoError(t, other.Start())
	defer other.Process.Kill()
	defer holder.Process.Kill()
	lock := filepath.Join(home, "Library/Application Support/Vivarium/b/0123/lock")
	require.NoError(t, os.MkdirAll(filepath.Dir(lock), 0o755))
	require.NoError(t, os.WriteFile(lock, nil, 0o600))
	lsof := filepath.Join(home, "lsof")
	require.NoError(t, os.WriteFile(lsof, fmt.Appendf(nil, "#!/bin/sh\n[ \"$*\" = '-t 0123/lock' ] && echo %d\n", holder.Process.Pid), 0o755))
	cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(script, "/usr/sbin/lsof", `"$HOME"/lsof`))
	cmd.Env = append(os.Environ(), "HOME="+home)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Error(t, holder.Wait())
	require.Equal(t, "signal: terminated", holder.ProcessState.String())
	require.NoError(t, other.Process.Signal(syscall.Signal(0)), "it lives")

	require.NoError(t, os.RemoveAll(filepath.Join(home, "Library")))
	cmd = exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), "HOME="+home)
	require.Error(t, cmd.Run(), "without a state folder nobody is asked: the cask allows it to fail")
}

func TestTheCaskIsRuby(t *testing.T) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		t.Skip("ruby is not installed: the cask's grammar was not checked")
	}
	_, dist := recipe(t)
	out, err := exec.Command(ruby, "-c", filepath.Join(dist, "vivarium.rb")).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestTheCaskIsLaidOutAsHomebrewsAre(t *testing.T) {
	rubocop, err := exec.LookPath("rubocop")
	if err != nil {
		t.Skip("rubocop is not installed: the cask's layout was not checked")
	}
	config, err := filepath.Abs("../cask/rubocop.yml")
	require.NoError(t, err)
	look := func(file string) (string, error) {
		out, err := exec.Command(rubocop, "--cache", "false", "--config", config, "--format", "emacs", file).CombinedOutput()
		return string(out), err
	}
	text, dist := recipe(t)
	out, err := look(filepath.Join(dist, "vivarium.rb"))
	require.NoError(t, err, out)

	askew := filepath.Join(dist, "askew.rb")
	require.NoError(t, os.WriteFile(askew, []byte(strings.Replace(text, "uninstall quit:       ", "uninstall quit: ", 1)), 0o600))
	out, err = look(askew)
	require.Error(t, err, "it sees what is wrong")
	require.Contains(t, out, "Layout/HashAlignment")
}
