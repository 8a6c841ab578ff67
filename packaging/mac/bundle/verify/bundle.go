package verify

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"howett.net/plist"
)

// What may be published, in bytes.
const (
	MaxApp = 75_000_000
	MaxZip = 30_000_000
)

// Signed is how a bundle should be signed.
type Signed uint8

const (
	Own   Signed = iota // ad hoc, by package seal: every hash is compared
	Apple               // by codesign, which verifies itself: it may use more than package seal does, as certificates
)

// Want is what a bundle should be.
type Want struct {
	MinOS        string   // oldest macOS it runs on, as "12.0"
	Arches       []string // as Go calls them, in their order
	Paths        []string // folders of the building computer, which no program may name
	Entitlements []string // of the app and of its keeper, in any order
	Usages       []string // keys of the texts that both must have
	Signed       Signed
}

// files are all that a bundle holds below Contents; a program has true.
var files = map[string]bool{
	"Helpers/vivarium":                    true,
	keeperProgram:                         true,
	keeperBundle + "/Contents/Info.plist": false,
	keeperBundle + "/Contents/_CodeSignature/CodeResources": false,
	"Info.plist": false,
	"Library/LaunchAgents/io.github.vivarium-app.vivarium.login.plist": false,
	"MacOS/Vivarium":               true,
	"PkgInfo":                      false,
	"Resources/Vivarium.icns":      false,
	"_CodeSignature/CodeResources": false,
}

const (
	mainProgram   = "MacOS/Vivarium"
	keeperBundle  = "Helpers/Vivarium Keeper.app"
	keeperProgram = keeperBundle + "/Contents/MacOS/vivarium-keeper"
)

// App checks a bundle and tells what is in it. The error holds everything that is wrong, a line each.
func App(bundle string, want Want) (string, error) {
	contents := filepath.Join(bundle, "Contents")
	var report strings.Builder
	wrong := []error{layout(contents, &report)}
	lists := map[string][]byte{}
	for program, folder := range map[string]string{mainProgram: contents, keeperProgram: filepath.Join(contents, keeperBundle, "Contents")} {
		info, err := os.ReadFile(filepath.Join(folder, "Info.plist"))
		if err == nil {
			err = infoPlist(program, info, want)
		}
		wrong = append(wrong, err)
		lists[program] = info
	}
	wrong = append(wrong, oneIdentity(lists), loginAgent(contents, identifier(lists[mainProgram])), pkgInfo(contents),
		Icon(filepath.Join(contents, "Resources", "Vivarium.icns")))
	hashes, err := programs(contents, lists, want, &report)
	wrong = append(wrong, err)
	if want.Signed == Own {
		nested := map[string][][20]byte{"Helpers/vivarium": hashes["Helpers/vivarium"], keeperBundle: hashes[keeperProgram]}
		wrong = append(wrong, resources(contents, mainProgram, nested),
			resources(filepath.Join(contents, keeperBundle, "Contents"), "MacOS/vivarium-keeper", nil))
	}
	return report.String(), errors.Join(wrong...)
}

// layout: the files that belong there, no other, with their modes, and not too large.
func layout(contents string, report *strings.Builder) error {
	var wrong []error
	seen, size := map[string]bool{}, int64(0)
	err := filepath.WalkDir(contents, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(contents, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		runs, known := files[name]
		st, err := d.Info()
		switch {
		case err != nil:
			return err
		case !known || !st.Mode().IsRegular():
			wrong = append(wrong, fmt.Errorf("%s does not belong there", name))
		case runs != (st.Mode().Perm()&0o111 == 0o111):
			wrong = append(wrong, fmt.Errorf("%s has mode %v", name, st.Mode()))
		}
		seen[name] = true
		size += st.Size()
		return nil
	})
	for name := range files {
		if !seen[name] {
			wrong = append(wrong, fmt.Errorf("%s is missing", name))
		}
	}
	if size > MaxApp {
		wrong = append(wrong, fmt.Errorf("%.1f MB, %d are allowed", float64(size)/1e6, MaxApp/1_000_000))
	}
	fmt.Fprintf(report, "%s  %.1f MB\n", filepath.Base(filepath.Dir(contents)), float64(size)/1e6)
	return errors.Join(append(wrong, err)...)
}

func pkgInfo(contents string) error {
	text, err := os.ReadFile(filepath.Join(contents, "PkgInfo"))
	if err == nil && string(text) != "APPL????" {
		err = fmt.Errorf("its PkgInfo is %q", text)
	}
	return err
}

// programs checks each slice of each program, and returns the hashes of the signed code.
func programs(contents string, lists map[string][]byte, want Want, report *strings.Builder) (map[string][][20]byte, error) {
	allowed, err := readList(list)
	if err != nil {
		return nil, err
	}
	bundleID := identifier(lists[mainProgram])
	hashes := map[string][][20]byte{}
	var wrong []error
	for _, name := range slices.Sorted(programNames) {
		slicesOf, err := Program(filepath.Join(contents, name))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		var arches []string
		for _, s := range slicesOf {
			arches = append(arches, s.Arch)
			fmt.Fprintf(report, "%-62s %-6s macOS %s  %5.1f MB  %d libraries  %d imports\n",
				name, s.Arch, s.MinOS, float64(len(s.content))/1e6, len(s.Libraries), len(s.Imports))
			for _, err := range append(s.check(want), allowed.check(name, s, want.Signed)...) {
				wrong = append(wrong, fmt.Errorf("%s, %s: %w", name, s.Arch, err))
			}
			if want.Signed != Own {
				continue
			}
			hash, err := s.bound(name, bundleID, contents, lists[name], want)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			}
			hashes[name] = append(hashes[name], hash)
		}
		if !slices.Equal(arches, want.Arches) {
			wrong = append(wrong, fmt.Errorf("%s is for %v, not for %v", name, arches, want.Arches))
		}
	}
	return hashes, errors.Join(wrong...)
}

func programNames(yield func(string) bool) {
	for name, runs := range files {
		if runs && !yield(name) {
			return
		}
	}
}

func identifier(info []byte) string {
	var keys struct {
		ID string `plist:"CFBundleIdentifier"`
	}
	plist.Unmarshal(info, &keys) // what is wrong with it is told elsewhere
	return keys.ID
}

func (s Slice) check(want Want) []error {
	var wrong []error
	if s.MinOS != want.MinOS {
		wrong = append(wrong, fmt.Errorf("made for macOS %s, not %s", s.MinOS, want.MinOS))
	}
	if !s.PIE {
		wrong = append(wrong, errors.New("not position independent"))
	}
	if s.Rpaths > 0 {
		wrong = append(wrong, errors.New("has a path of its own to look for libraries in"))
	}
	if path, found := s.Contains(want.Paths...); found {
		wrong = append(wrong, fmt.Errorf("names %s, a folder of the computer it was built on", path))
	}
	return wrong
}

// bound checks a signature and what it binds: the identifier, the entitlements and, for the main program of a bundle, its Info.plist
// and its seal.
func (s Slice) bound(name, bundleID, contents string, info []byte, want Want) ([20]byte, error) {
	got, err := s.Signature()
	if err != nil {
		return got.Hash, err
	}
	ids := map[string]string{mainProgram: "", "Helpers/vivarium": ".command", keeperProgram: ".keeper"}
	if want := bundleID + ids[name]; got.ID != want {
		return got.Hash, fmt.Errorf("signed as %q, not %q", got.ID, want)
	}
	bind := map[int][]byte{slotRequirements: got.Requires}
	if info != nil {
		folder := filepath.Dir(filepath.Dir(filepath.Join(contents, name)))
		if bind[slotResources], err = os.ReadFile(filepath.Join(folder, "_CodeSignature", "CodeResources")); err != nil {
			return got.Hash, err
		}
		bind[slotInfoPlist] = info
		if err := entitled(got, want.Entitlements); err != nil {
			return got.Hash, err
		}
		bind[slotEntitlements], bind[slotEntitlementsDER] = got.Entitlements, got.EntitlementsDER
	}
	if len(got.Special) != len(bind) {
		return got.Hash, fmt.Errorf("its signature binds %d things, not %d", len(got.Special), len(bind))
	}
	for slot, content := range bind {
		if sum := sha256.Sum256(content); !bytes.Equal(sum[:], got.Special[slot]) {
			return got.Hash, fmt.Errorf("what it binds in slot %d was changed after it was signed", slot)
		}
	}
	return got.Hash, nil
}
