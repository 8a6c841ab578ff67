package seal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func list(entries string) []byte {
	return []byte(`<plist version="1.0"><dict>` + entries + `</dict></plist>`)
}

func TestEntitlementsAreWrittenInTheOrderOfTheirKeys(t *testing.T) {
	der, err := entitlementsDER(list("<key>b</key><true/><key>a</key><true/>"))
	require.NoError(t, err)
	require.Equal(t, "\x70\x15\x02\x01\x01\xb0\x10\x30\x06\x0c\x01a\x01\x01\xff\x30\x06\x0c\x01b\x01\x01\xff", string(der))
}

func TestAnEntitlementThatIsMoreThanAYesIsRefused(t *testing.T) {
	for entries, says := range map[string]string{
		"<key>a</key><false/>":           "the entitlement a is false",
		"<key>a</key><string>x</string>": "the entitlement a is x",
		"<key>a</key><array/>":           "the entitlement a is []",
	} {
		_, err := entitlementsDER(list(entries))
		require.ErrorContains(t, err, says)
	}
	_, err := entitlementsDER([]byte("<plist"))
	require.ErrorContains(t, err, "reading entitlements")
	_, err = entitlementsDER(list("<key>a\xff</key><true/>"))
	require.Error(t, err)
}

func TestOtherEntitlementsAreAnotherCode(t *testing.T) {
	path := compiled(t, "arm64")
	without, err := Sign(path, Signing{ID: "a.small.program"})
	require.NoError(t, err)
	with, err := Sign(path, Signing{ID: "a.small.program", Entitlements: list("<key>a</key><true/>")})
	require.NoError(t, err)
	other, err := Sign(path, Signing{ID: "a.small.program", Entitlements: list("<key>b</key><true/>")})
	require.NoError(t, err)
	require.NotEqual(t, without, with)
	require.NotEqual(t, with, other)
	_, err = Sign(path, Signing{ID: "a.small.program", Entitlements: list("<key>b</key><array/>")})
	require.Error(t, err)
}
