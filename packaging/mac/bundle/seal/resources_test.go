package seal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"
)

func TestTheStrongestRuleDecides(t *testing.T) {
	for path, kind := range map[string]string{
		"Info.plist":                              "omit",
		"PkgInfo":                                 "omit",
		"Helpers/vivarium":                        "nested",
		"MacOS/Vivarium":                          "nested",
		"Frameworks/a.framework/a":                "nested",
		"anything":                                "nested",
		"version.plist":                           "",
		"embedded.provisionprofile":               "",
		"Resources/Vivarium.icns":                 "",
		"Resources/.DS_Store":                     "omit",
		"Resources/de.lproj/a.strings":            "optional",
		"Resources/de.lproj/locversion.plist":     "omit",
		"Resources/Base.lproj/a.nib":              "",
		"MacOS/Vivarium.dSYM/Contents/Info.plist": "",
		"deep/down/file":                          "",
	} {
		require.Equal(t, kind, decides(rules2, path).kind, path)
	}
	require.Nil(t, decides(rules, "Helpers/vivarium"), "the first version seals resources alone")
	require.Equal(t, "", decides(rules, "Resources/Vivarium.icns").kind)
}

// contents makes the files of a bundle from a table.
func contents(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func TestASealNamesEveryResourceAndTheCodeBesideTheMainProgram(t *testing.T) {
	dir := contents(t, map[string]string{
		"Info.plist": "info", "PkgInfo": "APPL????", "MacOS/Main": "main", "Helpers/one": "one",
		"Resources/a": "hello", "Resources/deep/b": "", "_CodeSignature/CodeResources": "an older seal",
	})
	text, err := Resources(dir, "MacOS/Main", map[string][]Hash{"Helpers/one": {{1}, {2}}})
	require.NoError(t, err)
	var got map[string]map[string]any
	_, err = plist.Unmarshal(text, &got)
	require.NoError(t, err)

	sha1 := []byte("\xaa\xf4\xc6\x1d\xdc\xc5\xe8\xa2\xda\xbe\xde\x0f\x3b\x48\x2c\xd9\xae\xa9\x43\x4d") // of "hello"
	sha256 := []byte("\x2c\xf2\x4d\xba\x5f\xb0\xa3\x0e\x26\xe8\x3b\x2a\xc5\xb9\xe2\x9e\x1b\x16\x1e\x5c\x1f\xa7\x42\x5e\x73\x04\x33\x62\x93\x8b\x98\x24")
	require.ElementsMatch(t, []string{"Resources/a", "Resources/deep/b"}, keys(got["files"]))
	require.Equal(t, sha1, got["files"]["Resources/a"])
	require.ElementsMatch(t, []string{"Resources/a", "Resources/deep/b", "Helpers/one"}, keys(got["files2"]))
	require.Equal(t, map[string]any{"hash2": sha256}, got["files2"]["Resources/a"])
	require.Equal(t, map[string]any{
		"cdhash":      append([]byte{1}, make([]byte, 19)...),
		"requirement": `cdhash H"0100000000000000000000000000000000000000" or cdhash H"0200000000000000000000000000000000000000"`,
	}, got["files2"]["Helpers/one"])
	require.Equal(t, map[string]any{"omit": true, "weight": 20.0}, got["rules2"][`^Info\.plist$`])
	require.Equal(t, true, got["rules2"]["^.*"])
	require.Len(t, got["rules2"], len(rules2))
	require.Len(t, got["rules"], len(rules))

	again, err := Resources(dir, "MacOS/Main", map[string][]Hash{"Helpers/one": {{1}, {2}}})
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
}

func keys(m map[string]any) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestWhatCannotBeSealedIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, says string }{
		"code nobody signed":    {"Helpers/stranger", "Helpers/stranger stands where only signed code may stand"},
		"a file in Contents":    {"stray", "stray stands where only signed code may stand"},
		"a translated resource": {"Resources/de.lproj/a.strings", "localised resources are not sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Resources(contents(t, map[string]string{c.file: "x"}), "MacOS/Main", nil)
			require.ErrorContains(t, err, c.says)
		})
	}
	dir := contents(t, map[string]string{"Resources/a": "x"})
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "Resources", "b")))
	_, err := Resources(dir, "MacOS/Main", nil)
	require.ErrorContains(t, err, "neither a file nor a folder")
	_, err = Resources(filepath.Join(dir, "none"), "MacOS/Main", nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestANestedBundleIsSealedAsOnePieceOfCode(t *testing.T) {
	dir := contents(t, map[string]string{
		"Info.plist": "info", "MacOS/Main": "main",
		"Helpers/A B.app/Contents/Info.plist": "its own", "Helpers/A B.app/Contents/MacOS/b": "its program",
	})
	text, err := Resources(dir, "MacOS/Main", map[string][]Hash{"Helpers/A B.app": {{1}}})
	require.NoError(t, err)
	var got map[string]map[string]any
	_, err = plist.Unmarshal(text, &got)
	require.NoError(t, err)
	require.Equal(t, []string{"Helpers/A B.app"}, keys(got["files2"]))
	require.Equal(t, `cdhash H"0100000000000000000000000000000000000000"`, got["files2"]["Helpers/A B.app"].(map[string]any)["requirement"])

	_, err = Resources(dir, "MacOS/Main", nil)
	require.ErrorContains(t, err, "stands where only signed code may stand", "one that is not signed")
	inside, err := Resources(filepath.Join(dir, "Helpers", "A B.app", "Contents"), "MacOS/b", nil)
	require.NoError(t, err)
	require.Contains(t, string(inside), "rules2", "a seal over nothing but the program is still a seal")
}
