package main

import (
	"os"
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
	for _, key := range []string{"CFBundleShortVersionString", "CFBundleVersion", "VivariumVersion", "LSEnvironment", "LSMultipleInstancesProhibited"} {
		require.NotContains(t, info, key)
	}
}

func TestAVersionIsEscaped(t *testing.T) {
	lists, err := infoPlists("../../..", `<&">`, 7)
	require.NoError(t, err)
	require.Equal(t, bundleID, lists.id)
	require.Equal(t, bundleID+".keeper", lists.keeperID)
	var info map[string]any
	_, err = plist.Unmarshal(lists.app, &info)
	require.NoError(t, err)
	require.Equal(t, `<&">`, info["VivariumVersion"])

	again, err := infoPlists("../../..", `<&">`, 7)
	require.NoError(t, err)
	require.Equal(t, lists, again)

	_, err = infoPlists(t.TempDir(), "dev", 0)
	require.ErrorIs(t, err, os.ErrNotExist)
}
