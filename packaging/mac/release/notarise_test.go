package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const who = " --key TMP/key.p8 --key-id KEYID --issuer ISSUER"

func notary(t *testing.T) *rig {
	r := newRig(t)
	r.env["NOTARY_KEY"], r.env["NOTARY_KEY_ID"], r.env["NOTARY_ISSUER"] = notaryKey, "KEYID", "ISSUER"
	return r
}

func TestAnAppIsZippedSubmittedAndStapled(t *testing.T) {
	r := notary(t)
	require.Zero(t, r.run("notarise.sh", app), r.err)
	require.Equal(t, []string{
		"ditto -c -k --keepParent dist/Vivarium.app TMP/Vivarium.zip",
		"xcrun notarytool submit TMP/Vivarium.zip --wait --timeout 45m --output-format json" + who,
		"sleep 0",
		"xcrun stapler staple dist/Vivarium.app",
		"xcrun stapler validate dist/Vivarium.app",
		"spctl --assess --type execute --verbose=2 dist/Vivarium.app",
		"spctl --assess --type execute --verbose=2 dist/Vivarium.app/Contents/Helpers/Vivarium Keeper.app",
	}, r.calls())
	require.Equal(t, notaryKey+"\n", r.read("record.key"))
	require.Regexp(t, `^-rw------- `, r.read("record.mode"))
	r.leftNothing()
	r.keptSecrets()
}

func TestADiskImageIsSubmittedAsItIs(t *testing.T) {
	r := notary(t)
	r.write("dist/Vivarium-1.2.0.dmg", "", 0o644)
	require.Zero(t, r.run("notarise.sh", "dist/Vivarium-1.2.0.dmg"), r.err)
	require.Equal(t, []string{
		"xcrun notarytool submit dist/Vivarium-1.2.0.dmg --wait --timeout 45m --output-format json" + who,
		"sleep 0",
		"xcrun stapler staple dist/Vivarium-1.2.0.dmg",
		"xcrun stapler validate dist/Vivarium-1.2.0.dmg",
		"spctl --assess --type open --context context:primary-signature --verbose=2 dist/Vivarium-1.2.0.dmg",
	}, r.calls())
}

func TestWhatAppleRefusesIsNotStapledAndItsReasonsAreShown(t *testing.T) {
	for name, c := range map[string]struct {
		variable, value string
		log             bool
	}{
		"refused, and yet an exit status of 0": {"ANSWER", `{"message":"Processing complete","id":"2efe2717","status":"Invalid"}`, true},
		"still looked at after the patience":   {"ANSWER", "{\n  \"status\" : \"In Progress\",\n  \"id\" : \"2efe2717\"\n}", true},
		"no answer":                            {"ANSWER", "", false},
		"no network":                           {"FAIL", "xcrun notarytool submit*", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := notary(t)
			r.env[c.variable] = c.value
			require.Equal(t, 1, r.run("notarise.sh", app))
			require.Contains(t, r.err, "was not accepted")
			calls := strings.Join(r.calls(), "\n")
			require.NotContains(t, calls, "stapler")
			require.Equal(t, c.log, strings.Contains(calls, "xcrun notarytool log 2efe2717"+who))
			require.Equal(t, c.log, strings.Contains(r.err, "secure timestamp"))
			r.leftNothing()
			r.keptSecrets()
		})
	}
}

func TestATicketMayComeLate(t *testing.T) {
	r := notary(t)
	r.env["FAIL"], r.env["FAILURES"] = "xcrun stapler staple*", "2"
	require.Zero(t, r.run("notarise.sh", app), r.err)
	staple := "xcrun stapler staple dist/Vivarium.app"
	require.Equal(t, []string{"sleep 0", staple, "sleep 15", staple, "sleep 30", staple, "xcrun stapler validate dist/Vivarium.app"}, r.calls()[2:9])
}

func TestATicketThatNeverComesIsAFailure(t *testing.T) {
	r := notary(t)
	r.env["FAIL"] = "xcrun stapler staple*"
	require.Equal(t, 1, r.run("notarise.sh", app))
	require.Contains(t, r.err, "no ticket")
	require.NotContains(t, strings.Join(r.calls(), "\n"), "spctl")
}

func TestWhatGatekeeperRefusesIsAFailure(t *testing.T) {
	for _, tool := range []string{"spctl*", "spctl*Keeper.app", "xcrun stapler validate*", "ditto*"} {
		r := notary(t)
		r.env["FAIL"] = tool
		require.NotZero(t, r.run("notarise.sh", app), tool)
		r.leftNothing()
	}
}

func TestNothingIsSubmittedWithoutTheWholeKey(t *testing.T) {
	for _, name := range []string{"NOTARY_KEY", "NOTARY_KEY_ID", "NOTARY_ISSUER"} {
		r := notary(t)
		r.env[name] = ""
		require.NotZero(t, r.run("notarise.sh", app))
		require.Contains(t, r.err, name)
		require.Empty(t, r.calls())
	}
}
