package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"
)

var (
	helloSHA1   = sum1("hello")
	helloSHA256 = sum256("hello")
	code        = [20]byte{0xab, 0xcd}
)

func sum1(text string) []byte   { s := sha1.Sum([]byte(text)); return s[:] }
func sum256(text string) []byte { s := sha256.Sum256([]byte(text)); return s[:] }

// sound is a seal with few rules over the files of sealedFolder, made by hand.
func sound() map[string]map[string]any {
	return map[string]map[string]any{
		"files": {"Resources/a": helloSHA1},
		"files2": {
			"Resources/a": map[string]any{"hash2": helloSHA256},
			"Helpers/one": map[string]any{"cdhash": code[:], "requirement": `cdhash H"0000000000000000000000000000000000000000" or cdhash H"abcd000000000000000000000000000000000000"`},
		},
		"rules": {"^Resources/": true},
		"rules2": {
			"^.*":            true,
			"^Info\\.plist$": map[string]any{"omit": true, "weight": 20.0},
			"^Helpers/":      map[string]any{"nested": true, "weight": 10.0},
		},
	}
}

func sealedFolder(t *testing.T, s map[string]map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	text, err := plist.Marshal(s, plist.XMLFormat)
	require.NoError(t, err)
	for name, content := range map[string]string{
		"Info.plist": "info", "MacOS/Main": "main", "Helpers/one": "one", "Resources/a": "hello", "_CodeSignature/CodeResources": string(text),
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func TestASealIsComparedInBothDirections(t *testing.T) {
	type all = map[string]map[string]any
	for name, c := range map[string]struct {
		change func(all)
		says   string
	}{
		"well":                     {func(all) {}, ""},
		"another sum":              {func(s all) { s["files2"]["Resources/a"] = map[string]any{"hash2": sum256("other")} }, "Resources/a was changed"},
		"another old sum":          {func(s all) { s["files"]["Resources/a"] = sum1("other") }, "Resources/a was changed"},
		"no sum":                   {func(s all) { delete(s["files2"], "Resources/a") }, "or never sealed"},
		"no old sum":               {func(s all) { delete(s["files"], "Resources/a") }, "sealed: false"},
		"a sum that is no bytes":   {func(s all) { s["files2"]["Resources/a"] = "hello" }, "or never sealed"},
		"what is not there":        {func(s all) { s["files2"]["Resources/b"] = map[string]any{"hash2": helloSHA256} }, "Resources/b is sealed and missing"},
		"what is to be left out":   {func(s all) { s["files2"]["Info.plist"] = map[string]any{"hash2": sum256("info")} }, "to be left out"},
		"code by its sum":          {func(s all) { s["files2"]["Helpers/one"] = map[string]any{"hash2": sum256("one")} }, "is not the code that was sealed"},
		"other code":               {func(s all) { s["files2"]["Helpers/one"].(map[string]any)["cdhash"] = make([]byte, 20) }, "is not the code that was sealed"},
		"a requirement of others":  {func(s all) { s["files2"]["Helpers/one"].(map[string]any)["requirement"] = `identifier "one"` }, "does not fulfil its requirement"},
		"optional":                 {func(s all) { s["rules2"]["^Resources/"] = map[string]any{"optional": true, "weight": 99.0} }, "Resources/a: no rule"},
		"no rule for it":           {func(s all) { delete(s["rules2"], "^.*") }, "Resources/a: no rule"},
		"no rules":                 {func(s all) { delete(s, "rules2") }, "seals nothing"},
		"nothing sealed":           {func(s all) { s["files2"] = map[string]any{} }, "or never sealed"},
		"a rule that is no rule":   {func(s all) { s["rules2"]["^("] = true }, "missing closing"},
		"an old rule that is none": {func(s all) { s["rules"]["^("] = true }, "missing closing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.change(s)
			err := resources(sealedFolder(t, s), "MacOS/Main", map[string][][20]byte{"Helpers/one": {code}})
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestEveryArchitectureOfAHelperMustBeTheSealedOne(t *testing.T) {
	dir := sealedFolder(t, sound())
	require.NoError(t, resources(dir, "MacOS/Main", map[string][][20]byte{"Helpers/one": {code, {}}}), "both stand in the requirement")
	err := resources(dir, "MacOS/Main", map[string][][20]byte{"Helpers/one": {code, {0xff}}})
	require.ErrorContains(t, err, "does not fulfil its requirement")
	require.ErrorContains(t, resources(dir, "MacOS/Main", nil), "is not the code that was sealed")
}

func TestANestedBundleIsCodeAndNothingInItIsLookedAt(t *testing.T) {
	s := sound()
	s["files2"]["Helpers/A B.app"] = map[string]any{"cdhash": code[:], "requirement": `cdhash H"abcd000000000000000000000000000000000000"`}
	dir := sealedFolder(t, s)
	hashes := map[string][][20]byte{"Helpers/one": {code}, "Helpers/A B.app": {code}}
	require.ErrorContains(t, resources(dir, "MacOS/Main", hashes), "Helpers/A B.app is sealed and missing")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "Helpers", "A B.app", "Contents"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Helpers", "A B.app", "Contents", "Info.plist"), nil, 0o644))
	require.NoError(t, resources(dir, "MacOS/Main", hashes))
	hashes["Helpers/A B.app"] = [][20]byte{{1}}
	require.ErrorContains(t, resources(dir, "MacOS/Main", hashes), "Helpers/A B.app is not the code that was sealed")
}

func TestASealThatCannotBeReadIsTold(t *testing.T) {
	dir := sealedFolder(t, sound())
	seal := filepath.Join(dir, "_CodeSignature", "CodeResources")
	require.NoError(t, os.WriteFile(seal, []byte("<plist><dict><key>"), 0o600))
	require.ErrorContains(t, resources(dir, "MacOS/Main", nil), "CodeResources: ")
	require.NoError(t, os.Remove(seal))
	require.ErrorIs(t, resources(dir, "MacOS/Main", nil), os.ErrNotExist)
}
