package release

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// short is the first words of each call, which is enough to see an order.
func short(calls []string) []string {
	var out []string
	for _, c := range calls {
		words := strings.Fields(c)
		switch {
		case words[0] == "git" || words[0] == "sleep":
			continue
		case words[0] == "codesign" && words[1] == "--force":
			out = append(out, "sign "+brief(c[strings.Index(c, "dist/"):]))
		case words[0] == "xcrun":
			out = append(out, words[2]+" "+brief(words[3]))
		case words[0] == "go":
			out = append(out, "pack")
		}
	}
	return out
}

// brief is the name of a file, with that of the folder for one kind of Mac.
func brief(path string) string {
	name := filepath.Base(path)
	if strings.HasPrefix(path, "dist/arm64/") {
		name = "arm64/" + name
	}
	return name
}

// signedApps are the calls that sign both apps.
var signedApps = []string{
	"sign Vivarium Keeper.app", "sign vivarium", "sign Vivarium.app",
	"sign arm64/Vivarium Keeper.app", "sign arm64/vivarium", "sign arm64/Vivarium.app",
}

func requireChecksums(t *testing.T, r *rig) {
	t.Helper()
	var want strings.Builder
	for _, name := range []string{"-arm64.dmg", "-arm64.zip", ".cdx.json", ".dmg", ".zip"} {
		name = "Vivarium-1.2.0" + name
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256([]byte(r.read("dist/"+name))), name)
	}
	require.Equal(t, want.String(), r.read("dist/SHA256SUMS"))
}

func TestAReleaseIsSignedNotarisedStapledAndThenPacked(t *testing.T) {
	r := notary(t)
	r.env["IDENTITY"] = fingerprint
	require.Zero(t, r.run("release.sh", "v1.2.0"), r.err)
	require.Equal(t, append(slices.Clone(signedApps),
		"submit Vivarium.zip", "staple Vivarium.app", "validate Vivarium.app",
		"submit Vivarium.zip", "staple arm64/Vivarium.app", "validate arm64/Vivarium.app",
		"pack",
		"sign Vivarium-1.2.0.dmg",
		"submit Vivarium-1.2.0.dmg", "staple Vivarium-1.2.0.dmg", "validate Vivarium-1.2.0.dmg",
		"sign Vivarium-1.2.0-arm64.dmg",
		"submit Vivarium-1.2.0-arm64.dmg", "staple Vivarium-1.2.0-arm64.dmg", "validate Vivarium-1.2.0-arm64.dmg",
	), short(r.calls()))
	require.Contains(t, r.calls(), "go run ./packaging/mac/bundle pack -o dist -version v1.2.0 -date 1780000000")
	require.Equal(t, "dmg\nsigned\nstapled\n", r.read("dist/Vivarium-1.2.0.dmg"))
	requireChecksums(t, r)
	require.Empty(t, r.read("dist/skipped.txt"))
	r.keptSecrets()
	r.leftNothing()
}

func TestWhatIsMissingIsLeftOutAloud(t *testing.T) {
	for name, c := range map[string]struct {
		missing []string
		order   []string
		says    []string
	}{
		"everything": {
			[]string{"IDENTITY", "NOTARY_KEY", "NOTARY_KEY_ID", "NOTARY_ISSUER"}, []string{"pack"},
			[]string{"not signed", "MACOS_CERTIFICATE, MACOS_CERTIFICATE_PASSWORD", "not notarised: only what is signed"},
		},
		"the certificate": {[]string{"IDENTITY"}, []string{"pack"}, []string{"not signed", "not notarised: only what is signed"}},
		"the whole key": {
			[]string{"NOTARY_KEY", "NOTARY_KEY_ID", "NOTARY_ISSUER"},
			append(slices.Clone(signedApps), "pack", "sign Vivarium-1.2.0.dmg", "sign Vivarium-1.2.0-arm64.dmg"),
			[]string{"not notarised: there is no secret NOTARY_KEY NOTARY_KEY_ID NOTARY_ISSUER"},
		},
		"a part of the key": {
			[]string{"NOTARY_ISSUER"},
			append(slices.Clone(signedApps), "pack", "sign Vivarium-1.2.0.dmg", "sign Vivarium-1.2.0-arm64.dmg"),
			[]string{"not notarised: there is no secret NOTARY_ISSUER."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := notary(t)
			r.env["IDENTITY"] = fingerprint
			for _, m := range c.missing {
				r.env[m] = ""
			}
			require.Zero(t, r.run("release.sh", "v1.2.0"), r.err)
			require.Equal(t, c.order, short(r.calls()))
			for _, s := range c.says {
				require.Contains(t, r.out, s)
				require.Contains(t, r.read("dist/skipped.txt"), s)
			}
			require.Contains(t, r.out, "skipped: ")
			requireChecksums(t, r)

			r.env["GITHUB_ACTIONS"] = "true"
			require.Zero(t, r.run("release.sh", "v1.2.0"), r.err)
			require.Contains(t, r.out, "::warning title=Skipped::")
		})
	}
}

func TestAReleaseStopsAtTheFirstFailure(t *testing.T) {
	for fail, last := range map[string]string{
		"codesign --force*":                   "sign Vivarium Keeper.app",
		"xcrun notarytool submit*":            "submit Vivarium.zip",
		"xcrun stapler validate*":             "validate Vivarium.app",
		"go run*":                             "pack",
		"codesign --force*.dmg":               "sign Vivarium-1.2.0.dmg",
		"xcrun notarytool submit *1.2.0.dmg*": "submit Vivarium-1.2.0.dmg",
	} {
		t.Run(fail, func(t *testing.T) {
			r := notary(t)
			r.env["IDENTITY"], r.env["FAIL"] = fingerprint, fail
			require.NotZero(t, r.run("release.sh", "v1.2.0"))
			calls := short(r.calls())
			require.Equal(t, last, calls[len(calls)-1])
			r.leftNothing()
			r.keptSecrets()
		})
	}
}

func TestBothAppsHaveToBeThere(t *testing.T) {
	for _, app := range []string{"dist/Vivarium.app", "dist/arm64/Vivarium.app"} {
		r := newRig(t)
		require.NoError(t, os.RemoveAll(filepath.Join(r.dir, app)))
		require.Equal(t, 1, r.run("release.sh", "v1.2.0"))
		require.Contains(t, r.err, "there is no "+app)
		require.Empty(t, short(r.calls()))
	}
}

func TestOnlyTheTagItselfIsReleased(t *testing.T) {
	for _, described := range []string{"v1.2.0-3-gabcdef0", "v1.2.0-dirty", "v1.1.0", "abcdef0"} {
		r := newRig(t)
		r.env["DESCRIBED"] = described
		require.Equal(t, 1, r.run("release.sh", "v1.2.0"))
		require.Contains(t, r.err, "not v1.2.0")
		require.Empty(t, short(r.calls()))
	}
}

const changelog = `# Changelog

## Unreleased

### Added
- Something that is to come.

## [1.2.0] - 2026-12-01

### Fixed
- A mistake.

## 1.1.0 - 2026-11-01
- The first.

## 1.0.0
`

func TestNotesAreTheVersionsSectionOfTheChangelog(t *testing.T) {
	r := newRig(t)
	r.write("CHANGELOG.md", changelog, 0o644)
	r.env["CHANGELOG"] = "CHANGELOG.md"
	for tag, want := range map[string]string{
		"v1.2.0":     "### Fixed\n- A mistake.\n",
		"v1.1.0":     "- The first.\n",
		"v1.3.0-rc1": "### Added\n- Something that is to come.\n",
	} {
		require.Zero(t, r.run("notes.sh", tag), r.err)
		require.Equal(t, want, r.out, tag)
	}
	for _, tag := range []string{"v1.0.0", "v1.2", "v2.0.0", "vUnreleased2"} {
		require.Equal(t, 1, r.run("notes.sh", tag), tag)
		require.Contains(t, r.err, "has nothing under '## "+tag[1:]+"'")
	}
}

// drafted is a rig with what release.sh leaves.
func drafted(t *testing.T) *rig {
	r := newRig(t)
	r.write("CHANGELOG.md", changelog, 0o644)
	r.env["CHANGELOG"] = filepath.Join(r.dir, "CHANGELOG.md")
	require.Zero(t, r.run("release.sh", "v1.2.0"), r.err)
	r.write("dist/vivarium.rb", "cask", 0o644)
	r.write("dist/skipped.txt", "", 0o644)
	r.write("dist/Vivarium-1.1.0.zip", "of an earlier build", 0o644)
	require.NoError(t, os.Remove(r.env["RECORD"]))
	return r
}

const published = " Vivarium-1.2.0-arm64.dmg Vivarium-1.2.0-arm64.zip Vivarium-1.2.0.cdx.json Vivarium-1.2.0.dmg Vivarium-1.2.0.zip SHA256SUMS vivarium.rb"

func TestADraftHoldsWhatTheChecksumsName(t *testing.T) {
	r := drafted(t)
	require.Zero(t, r.run("draft.sh", "v1.2.0"), r.err)
	require.Equal(t, []string{
		"gh release view v1.2.0 --json isDraft --jq .isDraft",
		"gh release create v1.2.0 --draft --verify-tag --title Vivarium 1.2.0 --notes-file NOTES" + published,
	}, withoutNotesFile(r.calls()))
	require.Equal(t, "### Fixed\n- A mistake.\n", r.read("record.notes"))
	r.leftNothing()
}

func withoutNotesFile(calls []string) []string {
	for i, c := range calls {
		if before, after, ok := strings.Cut(c, "--notes-file "); ok {
			_, after, _ = strings.Cut(after, " Vivarium")
			if after != "" {
				after = " Vivarium" + after
			}
			calls[i] = before + "--notes-file NOTES" + after
		}
	}
	return calls
}

func TestADraftIsFilledAnewAndAPublishedReleaseIsNotTouched(t *testing.T) {
	r := drafted(t)
	r.env["RELEASE"] = "true"
	require.Zero(t, r.run("draft.sh", "v1.2.0"), r.err)
	require.Equal(t, []string{
		"gh release view v1.2.0 --json isDraft --jq .isDraft",
		"gh release upload v1.2.0 --clobber" + published,
		"gh release edit v1.2.0 --draft --notes-file NOTES",
	}, withoutNotesFile(r.calls()))

	r = drafted(t)
	r.env["RELEASE"] = "false"
	require.Equal(t, 1, r.run("draft.sh", "v1.2.0"))
	require.Contains(t, r.err, "published already")
	require.Equal(t, []string{"gh release view v1.2.0 --json isDraft --jq .isDraft"}, r.calls())
}

func TestAPreviewIsMarkedAsOne(t *testing.T) {
	r := drafted(t)
	require.NoError(t, os.Remove(filepath.Join(r.dir, "dist/vivarium.rb")))
	require.Zero(t, r.run("draft.sh", "v1.3.0-rc1"), r.err)
	require.Contains(t, r.calls()[1], "--draft --verify-tag --prerelease --title Vivarium 1.3.0-rc1")
	require.NotContains(t, r.calls()[1], "vivarium.rb")
	require.Contains(t, r.read("record.notes"), "to come")
}

func TestADraftBeginsWithWhatWasLeftOut(t *testing.T) {
	r := drafted(t)
	r.write("dist/skipped.txt", "It is not signed.\nIt is not notarised.\n", 0o644)
	require.Zero(t, r.run("draft.sh", "v1.2.0"), r.err)
	require.Equal(t, "> [!WARNING]\n> It is not signed.\n> It is not notarised.\n\n### Fixed\n- A mistake.\n", r.read("record.notes"))
}

func TestNothingIsDraftedThatIsNotWhatWasChecked(t *testing.T) {
	r := drafted(t)
	r.write("dist/Vivarium-1.2.0.zip", "another", 0o644)
	require.NotZero(t, r.run("draft.sh", "v1.2.0"))
	require.Empty(t, r.calls())

	r = drafted(t)
	require.NotZero(t, r.run("draft.sh", "v9.9.9"), "a version without notes")
	require.Empty(t, r.calls())
}
