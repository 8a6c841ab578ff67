package release

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const app = "dist/Vivarium.app"

func TestHelpersAreSignedBeforeTheAppThatSealsThem(t *testing.T) {
	r := newRig(t)
	r.env["IDENTITY"], r.env["KEYCHAIN"], r.env["ENTITLEMENTS"] = fingerprint, "ours.keychain-db", "a list"
	require.Zero(t, r.run("sign.sh", app), r.err)
	sign := "codesign --force --sign " + fingerprint + " --keychain ours.keychain-db --timestamp --options runtime "
	require.Equal(t, []string{
		sign + "--entitlements a list dist/Vivarium.app/Contents/Helpers/Vivarium Keeper.app",
		sign + "--preserve-metadata=identifier dist/Vivarium.app/Contents/Helpers/vivarium",
		sign + "--entitlements a list dist/Vivarium.app",
		"codesign --verify --strict --deep --verbose=2 dist/Vivarium.app",
	}, r.calls())
}

func TestADiskImageIsSignedWithoutARuntime(t *testing.T) {
	r := newRig(t)
	r.env["IDENTITY"] = "Developer ID Application: A (TEAM)"
	r.write("my disk/Vivarium.dmg", "", 0o644)
	require.Zero(t, r.run("sign.sh", "my disk/Vivarium.dmg"), r.err)
	require.Equal(t, []string{
		"codesign --force --sign Developer ID Application: A (TEAM) --timestamp my disk/Vivarium.dmg",
		"codesign --verify --strict --verbose=2 my disk/Vivarium.dmg",
	}, r.calls())
}

func TestSigningStopsAtWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rig)
		says   string
		calls  int
	}{
		"no certificate named": {func(r *rig) { delete(r.env, "IDENTITY") }, "which certificate?", 0},
		"ad hoc":               {func(r *rig) { r.env["IDENTITY"] = "-" }, "ad hoc", 0},
		"a program elsewhere":  {func(r *rig) { r.write(app+"/Contents/Resources/tool", "", 0o755) }, "Resources/tool", 0},
		"no main program":      {func(r *rig) { require.NoError(r.t, os.Remove(filepath.Join(r.dir, app, "Contents/MacOS/Vivarium"))) }, "programs are expected", 0},
		"the second helper":    {func(r *rig) { r.env["FAIL"] = "*Helpers/vivarium" }, "", 2},
		"the verification":     {func(r *rig) { r.env["FAIL"] = "codesign --verify*" }, "", 4},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.env["IDENTITY"] = fingerprint
			c.change(r)
			require.NotZero(t, r.run("sign.sh", app))
			require.Contains(t, r.err, c.says)
			require.Len(t, r.calls(), c.calls)
		})
	}
}

func certified(t *testing.T) *rig {
	r := newRig(t)
	r.env["KEYCHAIN"] = filepath.Join(r.dir, "ours.keychain-db")
	r.env["MACOS_CERTIFICATE"] = base64.StdEncoding.EncodeToString([]byte("certificate and key"))
	r.env["MACOS_CERTIFICATE_PASSWORD"] = `pass "word" $HOME`
	return r
}

func TestAKeychainPrintsTheFingerprintAndNothingElse(t *testing.T) {
	r := certified(t)
	require.Zero(t, r.run("keychain.sh", "open"), r.err)
	require.Equal(t, fingerprint+"\n", r.out)
	require.Equal(t, []string{
		"openssl rand -hex 24",
		"security create-keychain -p throwaway ours.keychain-db",
		"security set-keychain-settings -l -u -t 21600 ours.keychain-db",
		"security unlock-keychain -p throwaway ours.keychain-db",
		`security import TMP/certificate.p12 -k ours.keychain-db -f pkcs12 -P pass "word" $HOME -T /usr/bin/codesign`,
		"security set-key-partition-list -S apple-tool:,apple:,codesign: -s -k throwaway ours.keychain-db",
		"security list-keychains -d user",
		"security list-keychains -d user -s ours.keychain-db /Users/runner/Library/Keychains/login.keychain-db",
		"security find-identity -v -p codesigning ours.keychain-db",
	}, r.calls())
	require.Equal(t, "certificate and key", r.read("record.p12"))
	require.Regexp(t, `^-rw------- `, r.read("record.mode"))
	r.leftNothing()
	r.keptSecrets()

	require.Zero(t, r.run("keychain.sh", "close"), r.err)
	require.NoFileExists(t, r.env["KEYCHAIN"])
	require.Zero(t, r.run("keychain.sh", "close"), "one that was never made is no error")
}

func TestAKeychainThatCannotBeFilledIsRemoved(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, says string }{
		"the password is wrong":         {"FAIL", "security import*", ""},
		"the key may not be used":       {"FAIL", "security set-key-partition-list*", ""},
		"a certificate of another kind": {"IDENTITIES", `  1) ` + fingerprint + ` "Apple Distribution: A (TEAM)"`, "no valid “Developer ID Application” certificate"},
		"not base64":                    {"MACOS_CERTIFICATE", "%%%", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := certified(t)
			r.env[c.variable] = c.value
			require.NotZero(t, r.run("keychain.sh", "open"))
			require.Empty(t, r.out)
			require.Contains(t, r.err, c.says)
			require.NoFileExists(t, r.env["KEYCHAIN"])
			r.leftNothing()
			r.keptSecrets()
		})
	}
}

func TestWithoutACertificateThereIsNoKeychainAndItIsSaidWhy(t *testing.T) {
	for _, gone := range [][]string{{"MACOS_CERTIFICATE"}, {"MACOS_CERTIFICATE_PASSWORD"}, {"MACOS_CERTIFICATE", "MACOS_CERTIFICATE_PASSWORD"}} {
		r := certified(t)
		for _, name := range gone {
			r.env[name] = "" // as GitHub gives a secret that is not there
		}
		require.Zero(t, r.run("keychain.sh", "open"))
		require.Empty(t, r.out)
		for _, name := range gone {
			require.Contains(t, r.err, " "+name)
		}
		require.Empty(t, r.calls())
	}
}
