package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"
)

func keysOf(list []reason) []string {
	var keys []string
	for _, r := range list {
		keys = append(keys, r.key)
	}
	slices.Sort(keys)
	return keys
}

func TestEveryEntitlementHasAReasonAndNothingIsBeyondThem(t *testing.T) {
	text, err := os.ReadFile("../Vivarium.entitlements")
	require.NoError(t, err)
	var has map[string]any
	_, err = plist.Unmarshal(text, &has)
	require.NoError(t, err)
	require.Equal(t, keysOf(entitlements), slices.Sorted(maps.Keys(has)))
	for key, value := range has {
		require.Equal(t, true, value, key)
	}
	require.NotContains(t, string(text), "<!--", "the kernel's reader of entitlements takes no comments")
	for _, r := range slices.Concat(entitlements, usages) {
		require.Greater(t, len(r.why), 10, r.key)
	}

	code, err := os.ReadFile("reasons.go")
	require.NoError(t, err)
	for _, left := range []string{"allow-dyld-environment-variables", "disable-library-validation", "allow-jit", "app-sandbox", "personal-information"} {
		require.NotContains(t, string(text), left)
		require.Contains(t, string(code), left, "it is left out without a reason")
	}
}

func TestEveryTextForAPersonIsASentenceAndNoneIsWithoutAReason(t *testing.T) {
	info, err := readInfo("../Info.plist")
	require.NoError(t, err)
	var texts []string
	for key, value := range info {
		if strings.HasSuffix(key, "UsageDescription") {
			texts = append(texts, key)
			require.Regexp(t, `^A backend that you added [^.]*\.$`, value, "it names who wants it, and why")
		}
	}
	slices.Sort(texts)
	require.Equal(t, keysOf(usages), texts)
}

// What the hardened runtime gates and what a person is asked for go together: the one without the other is a silent refusal, or an end.
func TestAnEntitlementForADeviceHasItsText(t *testing.T) {
	for entitlement, usage := range map[string]string{
		"com.apple.security.device.audio-input":      "NSMicrophoneUsageDescription",
		"com.apple.security.device.camera":           "NSCameraUsageDescription",
		"com.apple.security.automation.apple-events": "NSAppleEventsUsageDescription",
	} {
		require.Contains(t, keysOf(entitlements), entitlement)
		require.Contains(t, keysOf(usages), usage)
	}
	require.Len(t, entitlements, 3)
}

func TestTheKeeperAsksWithTheWordsOfTheApp(t *testing.T) {
	app, err := readInfo("../Info.plist")
	require.NoError(t, err)
	keeper, err := keeperPlist("../../..", app)
	require.NoError(t, err)
	for _, u := range usages {
		require.Equal(t, app[u.key], keeper[u.key])
	}
	require.Equal(t, app["LSMinimumSystemVersion"], keeper["LSMinimumSystemVersion"])
	delete(app, usages[0].key)
	_, err = keeperPlist("../../..", app)
	require.ErrorContains(t, err, usages[0].key)
	_, err = keeperPlist(t.TempDir(), app)
	require.ErrorIs(t, err, os.ErrNotExist)
}
