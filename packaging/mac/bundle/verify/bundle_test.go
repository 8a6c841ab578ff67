package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"
)

func goodInfo() map[string]any {
	return map[string]any{
		"CFBundleExecutable": "Vivarium", "CFBundleIconFile": "Vivarium", "CFBundlePackageType": "APPL", "CFBundleInfoDictionaryVersion": "6.0",
		"CFBundleName": "Vivarium", "CFBundleDisplayName": "Vivarium", "CFBundleIdentifier": "an.id",
		"CFBundleShortVersionString": "1.2.3", "CFBundleVersion": "4", "LSMinimumSystemVersion": "12.0",
		"LSUIElement": true, "LSMultipleInstancesProhibited": true, "LSAppNapIsDisabled": true, "NSHighResolutionCapable": true,
		"NSSupportsAutomaticTermination": false, "NSSupportsSuddenTermination": false,
		"NSDocumentsFolderUsageDescription": "Why.", "NSDesktopFolderUsageDescription": "Why.", "NSDownloadsFolderUsageDescription": "Why.",
	}
}

func TestEveryKeyOfInfoPlistMatters(t *testing.T) {
	check := func(info map[string]any) error {
		text, err := plist.Marshal(info, plist.XMLFormat)
		require.NoError(t, err)
		return infoPlist(text, "12.0")
	}
	require.NoError(t, check(goodInfo()))
	for key, value := range goodInfo() {
		without := goodInfo()
		delete(without, key)
		require.ErrorContains(t, check(without), key)
		if on, ok := value.(bool); ok {
			other := goodInfo()
			other[key] = !on
			require.ErrorContains(t, check(other), key)
		}
	}
	more := goodInfo()
	more["LSEnvironment"] = map[string]any{"PATH": "/opt/homebrew/bin"}
	require.ErrorContains(t, check(more), "LSEnvironment")
	require.ErrorContains(t, infoPlist([]byte("<plist"), "12.0"), "in Info.plist: ")
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
	require.ErrorContains(t, layout(contents, &report), "45.0 MB, 45 are allowed")

	require.NoError(t, os.Chmod(filepath.Join(contents, "PkgInfo"), 0o755))
	require.NoError(t, os.Remove(filepath.Join(contents, "Info.plist")))
	require.NoError(t, os.WriteFile(filepath.Join(contents, "MacOS", "stranger"), nil, 0o755))
	err := layout(contents, &report)
	for _, says := range []string{"PkgInfo has mode", "Info.plist is missing", "MacOS/stranger does not belong there"} {
		require.ErrorContains(t, err, says)
	}
}

func TestNothingIsNoBundle(t *testing.T) {
	_, err := App(filepath.Join(t.TempDir(), "Vivarium.app"), Want{MinOS: "12.0"})
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
