package verify

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"
)

var wanted = Want{MinOS: "12.0", Arches: []string{"amd64", "arm64"}, Entitlements: []string{"b", "a"}, Usages: []string{"NSMicrophoneUsageDescription"}}

func goodInfo(program string) map[string]any {
	info := map[string]any{
		"CFBundlePackageType": "APPL", "CFBundleInfoDictionaryVersion": "6.0", "CFBundleIdentifier": "an.id", "CFBundleShortVersionString": "1.2.3",
		"CFBundleVersion": "4", "LSMinimumSystemVersion": "12.0", "LSUIElement": true, "NSMicrophoneUsageDescription": "Why.",
	}
	maps.Copy(info, infoKeys[program])
	return info
}

func TestEveryKeyOfAnInfoPlistMatters(t *testing.T) {
	for program := range infoKeys {
		check := func(info map[string]any) error {
			text, err := plist.Marshal(info, plist.XMLFormat)
			require.NoError(t, err)
			return infoPlist(program, text, wanted)
		}
		require.NoError(t, check(goodInfo(program)))
		for key, value := range goodInfo(program) {
			without := goodInfo(program)
			delete(without, key)
			require.ErrorContains(t, check(without), key)
			if on, ok := value.(bool); ok {
				other := goodInfo(program)
				other[key] = !on
				require.ErrorContains(t, check(other), key)
			}
		}
		for key := range forbidden {
			more := goodInfo(program)
			more[key] = true
			require.ErrorContains(t, check(more), key)
		}
		require.ErrorContains(t, infoPlist(program, []byte("<plist"), wanted), "in the Info.plist of "+program)
	}
}

func TestTheKeeperIsNamedBelowTheAppAndOfItsVersion(t *testing.T) {
	list := func(id, version string) []byte {
		text, err := plist.Marshal(map[string]any{"CFBundleIdentifier": id, "CFBundleVersion": version}, plist.XMLFormat)
		require.NoError(t, err)
		return text
	}
	app := list("an.id", "4")
	require.NoError(t, oneIdentity(map[string][]byte{mainProgram: app, keeperProgram: list("an.id.keeper", "4")}))
	for _, other := range [][]byte{list("an.id", "4"), list("an.id.keeper", "3"), []byte("garbage"), nil} {
		require.ErrorContains(t, oneIdentity(map[string][]byte{mainProgram: app, keeperProgram: other}), "the keeper's bundle is")
	}
}

func TestTheLoginAgentStartsTheAppAtLoginAndAfterACrash(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{
			"Label": "an.id.login", "BundleProgram": "Contents/MacOS/Vivarium", "ProgramArguments": []string{"Vivarium", "--login"}, "RunAtLoad": true,
			"KeepAlive": map[string]any{"SuccessfulExit": false}, "LimitLoadToSessionType": "Aqua", "ProcessType": "Interactive",
			"AssociatedBundleIdentifiers": []string{"an.id"},
		}
	}
	contents := t.TempDir()
	path := filepath.Join(contents, "Library", "LaunchAgents", "an.id.login.plist")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check := func(agent map[string]any) error {
		text, err := plist.Marshal(agent, plist.XMLFormat)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return loginAgent(contents, "an.id")
	}
	require.NoError(t, check(good()))
	for key := range good() {
		without := good()
		delete(without, key)
		require.ErrorContains(t, check(without), "in the login agent", key)
	}
	for key, value := range map[string]any{
		"Label": "an.id", "BundleProgram": "Contents/Helpers/vivarium", "ProgramArguments": []string{"Vivarium"},
		"KeepAlive": map[string]any{"SuccessfulExit": true}, "RunAtLoad": false,
	} {
		other := good()
		other[key] = value
		require.ErrorContains(t, check(other), "in the login agent", key)
	}
	require.NoError(t, os.WriteFile(path, []byte("<plist"), 0o600))
	require.ErrorContains(t, loginAgent(contents, "an.id"), "in the login agent")
	require.ErrorIs(t, loginAgent(contents, "other"), os.ErrNotExist)
}

// blob is a part of a signature: eight bytes of header and its content.
func blob(content string) []byte { return append(make([]byte, 8), content...) }

const listOfTwo = `<plist version="1.0"><dict><key>a</key><true/><key>b</key><true/></dict></plist>`

// Written by hand: [APPLICATION 16] { 1, [16] { { "a", TRUE }, { "b", TRUE } } }.
const derOfTwo = "\x70\x15\x02\x01\x01\xb0\x10\x30\x06\x0c\x01a\x01\x01\xff\x30\x06\x0c\x01b\x01\x01\xff"

func TestEntitlementsAreComparedInBothForms(t *testing.T) {
	require.NoError(t, entitled(Signature{Entitlements: blob(listOfTwo), EntitlementsDER: blob(derOfTwo)}, []string{"b", "a"}))
	require.NoError(t, entitled(Signature{}, nil))
	for name, c := range map[string]struct {
		list, der, says string
	}{
		"one too few":   {strings.Replace(listOfTwo, "<key>b</key><true/>", "", 1), derOfTwo, "entitled to [\"a\"]"},
		"one too many":  {strings.Replace(listOfTwo, "<dict>", "<dict><key>c</key><true/>", 1), derOfTwo, "entitled to"},
		"not true":      {strings.Replace(listOfTwo, "true", "false", 1), derOfTwo, "is false"},
		"no list":       {"<plist", derOfTwo, "its entitlements"},
		"another order": {listOfTwo, "\x70\x15\x02\x01\x01\xb0\x10\x30\x06\x0c\x01b\x01\x01\xff\x30\x06\x0c\x01a\x01\x01\xff", "in this order"},
		"false in DER":  {listOfTwo, strings.Replace(derOfTwo, "\xff", "\x00", 1), "a is not true"},
		"version 2":     {listOfTwo, strings.Replace(derOfTwo, "\x01\x01", "\x01\x02", 1), "version 1"},
		"cut":           {listOfTwo, derOfTwo[:10], "in DER"},
		"more":          {listOfTwo, derOfTwo + "x", "in DER"},
		"no dictionary": {listOfTwo, strings.Replace(derOfTwo, "\xb0", "\x30", 1), "no dictionary"},
	} {
		err := entitled(Signature{Entitlements: blob(c.list), EntitlementsDER: blob(c.der)}, []string{"a", "b"})
		require.ErrorContains(t, err, c.says, name)
	}
	require.ErrorContains(t, entitled(Signature{Entitlements: blob(listOfTwo)}, []string{"a", "b"}), "missing")
	require.ErrorContains(t, entitled(Signature{}, []string{"a"}), "missing")
}

func TestALayoutIsExact(t *testing.T) {
	contents := filepath.Join(t.TempDir(), "Vivarium.app", "Contents")
	for name, runs := range files {
		path := filepath.Join(contents, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if runs {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(path, []byte("x"), mode))
	}
	var report strings.Builder
	require.NoError(t, layout(contents, &report))
	require.Equal(t, "Vivarium.app  0.0 MB\n", report.String())

	require.NoError(t, os.Truncate(filepath.Join(contents, "Resources", "Vivarium.icns"), MaxApp))
	require.ErrorContains(t, layout(contents, &report), "75.0 MB, 75 are allowed")

	require.NoError(t, os.Chmod(filepath.Join(contents, "PkgInfo"), 0o755))
	require.NoError(t, os.Remove(filepath.Join(contents, "Info.plist")))
	require.NoError(t, os.WriteFile(filepath.Join(contents, "MacOS", "stranger"), nil, 0o755))
	err := layout(contents, &report)
	for _, says := range []string{"PkgInfo has mode", "Info.plist is missing", "MacOS/stranger does not belong there"} {
		require.ErrorContains(t, err, says)
	}
}

func TestNothingIsNoBundle(t *testing.T) {
	_, err := App(filepath.Join(t.TempDir(), "Vivarium.app"), wanted)
	require.Error(t, err)
	for name := range files {
		require.ErrorContains(t, err, filepath.Base(name))
	}
}

func TestASliceIsToldWhatIsWrongWithIt(t *testing.T) {
	good := Slice{Arch: "arm64", MinOS: "12.0", PIE: true, content: []byte("…/builder/secret/…")}
	require.Empty(t, good.check(Want{MinOS: "12.0", Paths: []string{"/elsewhere/"}}))
	for says, change := range map[string]func(*Slice, *Want){
		"made for macOS 12.0, not 13.0": func(_ *Slice, w *Want) { w.MinOS = "13.0" },
		"not position independent":      func(s *Slice, _ *Want) { s.PIE = false },
		"to look for libraries in":      func(s *Slice, _ *Want) { s.Rpaths = 1 },
		"names /builder/secret/":        func(_ *Slice, w *Want) { w.Paths = []string{"/a/", "/builder/secret/"} },
	} {
		s, w := good, Want{MinOS: "12.0"}
		change(&s, &w)
		wrong := s.check(w)
		require.Len(t, wrong, 1)
		require.ErrorContains(t, wrong[0], says)
	}
}
