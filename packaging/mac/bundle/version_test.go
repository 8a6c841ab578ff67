package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"
)

func TestAppleGetsThreeNumbers(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":                 "1.2.3",
		"1.2.3":                  "1.2.3",
		"v1.2.3-rc1":             "1.2.3",
		"v0.10.0-4-gabc-dirty":   "0.10.0",
		"44fff45":                "0.0.0",
		"44fff45-dirty":          "0.0.0",
		"dev":                    "0.0.0",
		"":                       "0.0.0",
		"v1.2":                   "0.0.0",
		"v1.2.3.4":               "0.0.0",
		"v1.2.3</string><true/>": "0.0.0",
	} {
		require.Equal(t, want, short(version), version)
	}
}

func TestTheTemplateIsAPropertyListOfItsOwn(t *testing.T) {
	info, err := readInfo("../Info.plist")
	require.NoError(t, err)
	require.Equal(t, bundleID, info["CFBundleIdentifier"])
	require.Regexp(t, `^[A-Za-z0-9.-]+$`, info["CFBundleIdentifier"], "Apple allows no other characters")
	require.Equal(t, minMacOS, info["LSMinimumSystemVersion"])
	for _, key := range []string{"CFBundleShortVersionString", "CFBundleVersion", "VivariumVersion", "LSEnvironment"} {
		require.NotContains(t, info, key)
	}
	for _, key := range []string{"NSDocumentsFolderUsageDescription", "NSDesktopFolderUsageDescription", "NSDownloadsFolderUsageDescription"} {
		require.Regexp(t, `^[A-Z].*\.$`, info[key], "a sentence for a person")
	}
}

func TestAVersionIsEscaped(t *testing.T) {
	text, id, err := infoPlist("../../..", `<&">`, 7)
	require.NoError(t, err)
	require.Equal(t, bundleID, id)
	var info map[string]any
	_, err = plist.Unmarshal(text, &info)
	require.NoError(t, err)
	require.Equal(t, `<&">`, info["VivariumVersion"])

	again, _, err := infoPlist("../../..", `<&">`, 7)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))

	_, _, err = infoPlist(t.TempDir(), "dev", 0)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The reasons for each that is not there stand at signingOptions.
func TestThereAreNoEntitlements(t *testing.T) {
	text, err := os.ReadFile("../Vivarium.entitlements")
	require.NoError(t, err)
	var wanted map[string]any
	_, err = plist.Unmarshal(text, &wanted)
	require.NoError(t, err)
	require.Empty(t, wanted)
	require.NotContains(t, string(text), "<!--", "the kernel's reader of entitlements takes no comments")

	code, err := os.ReadFile("mac.go")
	require.NoError(t, err)
	for _, left := range []string{"allow-dyld-environment-variables", "disable-library-validation", "allow-jit", "automation.apple-events", "app-sandbox"} {
		require.True(t, strings.Contains(string(code), left), "%s is left out without a reason", left)
	}
}
