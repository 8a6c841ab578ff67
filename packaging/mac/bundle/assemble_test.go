package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"howett.net/plist"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/seal"
	"github.com/vivarium-app/vivarium/packaging/mac/bundle/verify"
)

const bundleID = "io.github.vivarium-app.vivarium"

// The app's code names itself to launchd, which macOS compares with the bundle.
func TestTheAppAndItsBundleGoByOneName(t *testing.T) {
	out, err := exec.Command("git", "-C", "../../..", "grep", "-h", `const BundleID = "`, "--", "app/*.go", "app/*/*.go").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, `const BundleID = "`+bundleID+`"`, string(bytes.TrimSpace(out)))
}

func TestABundleIsWholeSignedAndSealed(t *testing.T) {
	bundle := sample(t)
	require.NoError(t, verified(bundle))

	text, err := os.ReadFile(filepath.Join(bundle, "Contents", "Info.plist"))
	require.NoError(t, err)
	var info map[string]any
	_, err = plist.Unmarshal(text, &info)
	require.NoError(t, err)
	require.Equal(t, "1.2.3", info["CFBundleShortVersionString"])
	require.Equal(t, "56", info["CFBundleVersion"])
	require.Equal(t, "v1.2.3-4-gabc", info["VivariumVersion"])
	require.Equal(t, bundleID, info["CFBundleIdentifier"])
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	out := filepath.Join(t.TempDir(), "elsewhere", "Vivarium.app")
	a := app{builder: builder{root: "../../..", version: "v1.2.3-4-gabc"}, out: out, arches: arches, commits: 56, identity: "-"}
	require.NoError(t, a.assemble(slicesOf(t), io.Discard))
	require.Equal(t, tree(t, sample(t)), tree(t, out))
}

// tree is every file of a bundle with its mode.
func tree(t *testing.T, bundle string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(bundle, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		st, err := d.Info()
		below, _ := filepath.Rel(bundle, path)
		all[below] = st.Mode().String() + string(content)
		return err
	}))
	return all
}

func TestANewBundleReplacesAnOldOne(t *testing.T) {
	old, made := sample(t), sample(t)
	require.NoError(t, os.WriteFile(filepath.Join(old, "Contents", "stray"), nil, 0o600))
	want := tree(t, made)
	require.NoError(t, replace(made, old))
	require.Equal(t, want, tree(t, old))
	require.NoDirExists(t, made)
}

func TestABundleThatFailsItsCheckDoesNotAppear(t *testing.T) {
	work := slicesOf(t)
	other, err := os.ReadFile(slice(work, programs[0], "arm64"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(slice(work, programs[0], "amd64"), other, 0o755))
	out := filepath.Join(t.TempDir(), "Vivarium.app")
	a := app{builder: builder{root: "../../..", version: "dev"}, out: out, arches: arches, identity: "-"}
	require.ErrorContains(t, a.assemble(work, io.Discard), "duplicate architecture")
	require.NoDirExists(t, out)

	a.identity = "Developer ID Application: Somebody"
	require.ErrorContains(t, a.make(io.Discard), "signing with a certificate needs a Mac")
}

// edit changes a file of a bundle.
func edit(t *testing.T, bundle, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(bundle, "Contents", filepath.FromSlash(name))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, change(content), 0o644))
}

func flip(at func([]byte) int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at(b)] ^= 1
		return b
	}
}

// inSlice is a place in an architecture of a universal file.
func inSlice(arch int, at func(*macho.FatArch) int) func([]byte) int {
	return func(b []byte) int {
		fat, err := macho.NewFatFile(bytes.NewReader(b))
		if err != nil {
			panic(err)
		}
		a := fat.Arches[arch]
		return int(a.Offset) + at(&a)
	}
}

// signature is the offset of the signature, from the load command of it.
func signature(a *macho.FatArch) int {
	for _, l := range a.Loads {
		if binary.LittleEndian.Uint32(l.Raw()) == 0x1d {
			return int(binary.LittleEndian.Uint32(l.Raw()[8:]))
		}
	}
	panic("no signature")
}

func TestEveryChangeAfterSigningIsFound(t *testing.T) {
	text := func(a *macho.FatArch) int { return int(a.Section("__text").Offset) + 64 }
	const amd64, arm64 = 0, 1
	for name, c := range map[string]struct {
		change func(t *testing.T, bundle string)
		says   string
	}{
		"a byte of a helper, amd64": {func(t *testing.T, b string) { edit(t, b, programs[0].place, flip(inSlice(amd64, text))) }, "was changed after it was signed"},
		"a byte of a helper, arm64": {func(t *testing.T, b string) { edit(t, b, "Helpers/vivarium", flip(inSlice(arm64, text))) }, "was changed after it was signed"},
		"a byte of the main program": {func(t *testing.T, b string) {
			edit(t, b, "MacOS/Vivarium", flip(inSlice(arm64, func(a *macho.FatArch) int { return signature(a) - 1 })))
		}, "was changed after it was signed"},
		"a flag of a signature": {func(t *testing.T, b string) {
			edit(t, b, "MacOS/Vivarium", flip(inSlice(amd64, func(a *macho.FatArch) int { return signature(a) + 12 + 5*8 + 13 })))
		}, "not ad hoc with the hardened runtime"},
		"Info.plist": {func(t *testing.T, b string) {
			edit(t, b, "Info.plist", func(c []byte) []byte { return bytes.Replace(c, []byte("1.2.3"), []byte("1.2.4"), 1) })
		}, "MacOS/Vivarium: what it binds in slot 1 was changed"},
		"Info.plist of the keeper": {func(t *testing.T, b string) {
			edit(t, b, keeperBundle+"/Contents/Info.plist", func(c []byte) []byte { return append(c, '\n') })
		}, programs[0].place + ": what it binds in slot 1 was changed"},
		"the login agent": {func(t *testing.T, b string) {
			edit(t, b, "Library/LaunchAgents/"+bundleID+".login.plist", func(c []byte) []byte { return append(c, '\n') })
		}, "login.plist was changed after it was sealed"},
		"the seal": {func(t *testing.T, b string) {
			edit(t, b, "_CodeSignature/CodeResources", func(c []byte) []byte { return append(c, '\n') })
		}, "what it binds in slot 3 was changed"},
		"the icon": {func(t *testing.T, b string) {
			edit(t, b, "Resources/Vivarium.icns", flip(func(c []byte) int { return len(c) - 8 }))
		}, "Resources/Vivarium.icns was changed after it was sealed"},
		"PkgInfo": {func(t *testing.T, b string) { edit(t, b, "PkgInfo", func([]byte) []byte { return []byte("APPLviva") }) }, `PkgInfo is "APPLviva"`},
		"a file too many": {func(t *testing.T, b string) {
			require.NoError(t, os.WriteFile(filepath.Join(b, "Contents", "Resources", "more"), nil, 0o644))
		}, "Resources/more was changed after it was sealed, or never sealed"},
		"a file too few": {func(t *testing.T, b string) {
			require.NoError(t, os.Remove(filepath.Join(b, "Contents", "Resources", "Vivarium.icns")))
		}, "Resources/Vivarium.icns is sealed and missing"},
		"a link": {func(t *testing.T, b string) {
			require.NoError(t, os.Symlink("PkgInfo", filepath.Join(b, "Contents", "Resources", "link")))
		}, "Resources/link does not belong there"},
		"a helper that may not run": {func(t *testing.T, b string) {
			require.NoError(t, os.Chmod(filepath.Join(b, "Contents", "Helpers", "vivarium"), 0o644))
		}, "Helpers/vivarium has mode -rw-r--r--"},
		"another keeper, well signed": {replaceKeeper, keeperBundle + " is not the code that was sealed"},
		"a keeper for one chip alone": {thinKeeper, programs[0].place + ": "},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := sample(t)
			c.change(t, bundle)
			require.ErrorContains(t, verified(bundle), c.says)
		})
	}
}

// replaceKeeper puts another program in the keeper's place, signed by the same name.
func replaceKeeper(t *testing.T, bundle string) {
	work := slicesOf(t)
	for _, arch := range arches {
		content, err := os.ReadFile(slice(work, programs[1], arch.name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(slice(work, programs[0], arch.name), content, 0o755))
	}
	contents := filepath.Join(bundle, "Contents")
	info, err := os.ReadFile(filepath.Join(contents, keeperBundle, "Contents", "Info.plist"))
	require.NoError(t, err)
	sealed, err := os.ReadFile(filepath.Join(contents, keeperBundle, "Contents", "_CodeSignature", "CodeResources"))
	require.NoError(t, err)
	list, err := os.ReadFile("../Vivarium.entitlements")
	require.NoError(t, err)
	a := app{arches: arches}
	_, err = a.signAndJoin(work, contents, programs[0], seal.Signing{ID: bundleID + programs[0].id, InfoPlist: info, Resources: sealed, Entitlements: list})
	require.NoError(t, err)
}

func thinKeeper(t *testing.T, bundle string) {
	work := slicesOf(t)
	content, err := os.ReadFile(slice(work, programs[0], "arm64"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(bundle, "Contents", programs[0].place), content, 0o755))
}

func TestABundleForOneChipIsWhole(t *testing.T) {
	out := filepath.Join(t.TempDir(), "Vivarium.app")
	chips, err := archesOf("arm64")
	require.NoError(t, err)
	a := app{builder: builder{root: "../../..", version: "v1.2.3"}, out: out, arches: chips, identity: "-"}
	require.NoError(t, a.assemble(slicesOf(t), io.Discard))
	require.NoError(t, check(out, nil, chips, io.Discard))
	require.ErrorContains(t, check(out, nil, arches, io.Discard), "is for [arm64], not for [amd64 arm64]")
	require.ErrorContains(t, check(sample(t), nil, chips, io.Discard), "is for [amd64 arm64], not for [arm64]")
	_, err = archesOf("riscv64")
	require.ErrorContains(t, err, "universal, amd64 or arm64?")
}

func TestWhatACodeIsEntitledToIsChecked(t *testing.T) {
	w := want(nil, arches)
	w.Entitlements = append(w.Entitlements, "com.apple.security.get-task-allow")
	_, err := verify.App(sample(t), w)
	require.ErrorContains(t, err, "MacOS/Vivarium: it is entitled to")
	require.ErrorContains(t, err, programs[0].place+": it is entitled to")
	w = want(nil, arches)
	w.Usages = append(w.Usages, "NSCalendarsUsageDescription")
	_, err = verify.App(sample(t), w)
	require.ErrorContains(t, err, "NSCalendarsUsageDescription is missing")
}

func TestAFolderOfTheBuildingComputerIsFound(t *testing.T) {
	bundle := sample(t)
	_, err := verify.App(bundle, want([]string{"/nowhere/", secret}, arches))
	require.ErrorContains(t, err, "names "+secret)
	older := want(nil, arches)
	older.MinOS = "11.0"
	_, err = verify.App(bundle, older)
	require.ErrorContains(t, err, "made for macOS 12.0, not 11.0")
	require.ErrorContains(t, err, "LSMinimumSystemVersion is 12.0, not 11.0")

	paths := buildPaths("/somewhere/else")
	require.Contains(t, paths, "/somewhere/else/")
	for _, p := range paths {
		require.Regexp(t, `^/.+/$`, p)
	}
}

// The seal is read by Python, too, which knows nothing of this code or its libraries.
func TestAnIndependentReaderAgreesWithTheSeal(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the seal is checked by package verify alone")
	}
	bundle := sample(t)
	const script = `
import hashlib, pathlib, plistlib, sys
contents = pathlib.Path(sys.argv[1]) / "Contents"
seal = plistlib.loads((contents / "_CodeSignature/CodeResources").read_bytes())
assert sorted(seal) == ["files", "files2", "rules", "rules2"], sorted(seal)
for name, sha1 in seal["files"].items():
    assert hashlib.sha1((contents / name).read_bytes()).digest() == sha1, name
for name, entry in seal["files2"].items():
    if "hash2" in entry:
        assert hashlib.sha256((contents / name).read_bytes()).digest() == entry["hash2"], name
    else:
        assert "cdhash H\"%s\"" % entry["cdhash"].hex() in entry["requirement"], name
info = plistlib.loads((contents / "Info.plist").read_bytes())
print(len(seal["files"]), len(seal["files2"]), info["CFBundleIdentifier"])
`
	out, err := exec.Command(python, "-c", script, bundle).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "1 4 "+bundleID+"\n", string(out))
}
