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
	MaxApp = 45_000_000
	MaxZip = 18_000_000
)

// Signed is how a bundle should be signed.
type Signed uint8

const (
	Own   Signed = iota // ad hoc, by package seal: every hash is compared
	Apple               // by codesign, which verifies itself: it may use more than package seal does, as certificates
)

// Want is what a bundle should be.
type Want struct {
	MinOS  string   // oldest macOS it runs on, as "12.0"
	Paths  []string // folders of the building computer, which no program may name
	Signed Signed
}

// files are all that a bundle holds below Contents; a program has true.
var files = map[string]bool{
	"Helpers/vivarium":             true,
	"Helpers/vivarium-keeper":      true,
	"Info.plist":                   false,
	"MacOS/Vivarium":               true,
	"PkgInfo":                      false,
	"Resources/Vivarium.icns":      false,
	"_CodeSignature/CodeResources": false,
}

const mainProgram = "MacOS/Vivarium"

// App checks a bundle and tells what is in it. The error holds everything that is wrong, a line each.
func App(bundle string, want Want) (string, error) {
	contents := filepath.Join(bundle, "Contents")
	var report strings.Builder
	wrong := []error{layout(contents, &report)}
	info, err := os.ReadFile(filepath.Join(contents, "Info.plist"))
	if err == nil {
		err = infoPlist(info, want.MinOS)
	}
	wrong = append(wrong, err, pkgInfo(contents), Icon(filepath.Join(contents, "Resources", "Vivarium.icns")))
	hashes, err := programs(contents, info, want, &report)
	wrong = append(wrong, err)
	if want.Signed == Own {
		wrong = append(wrong, resources(contents, mainProgram, hashes))
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

func infoPlist(text []byte, minOS string) error {
	var info map[string]any
	if _, err := plist.Unmarshal(text, &info); err != nil {
		return fmt.Errorf("in Info.plist: %w", err)
	}
	var wrong []error
	for key, value := range map[string]any{
		"CFBundleExecutable": "Vivarium", "CFBundleIconFile": "Vivarium", "CFBundlePackageType": "APPL", "CFBundleInfoDictionaryVersion": "6.0",
		"CFBundleName": "Vivarium", "CFBundleDisplayName": "Vivarium", "LSMinimumSystemVersion": minOS,
		"LSUIElement": true, "LSMultipleInstancesProhibited": true, "LSAppNapIsDisabled": true, "NSHighResolutionCapable": true,
		"NSSupportsAutomaticTermination": false, "NSSupportsSuddenTermination": false,
	} {
		if info[key] != value {
			wrong = append(wrong, fmt.Errorf("in Info.plist: %s is %v, not %v", key, info[key], value))
		}
	}
	for _, key := range []string{"CFBundleIdentifier", "CFBundleShortVersionString", "CFBundleVersion",
		"NSDocumentsFolderUsageDescription", "NSDesktopFolderUsageDescription", "NSDownloadsFolderUsageDescription"} {
		if said, _ := info[key].(string); said == "" {
			wrong = append(wrong, fmt.Errorf("in Info.plist: %s is missing", key))
		}
	}
	if _, set := info["LSEnvironment"]; set {
		wrong = append(wrong, errors.New("in Info.plist: LSEnvironment is not obeyed for login items and must not be relied on"))
	}
	return errors.Join(wrong...)
}

func pkgInfo(contents string) error {
	text, err := os.ReadFile(filepath.Join(contents, "PkgInfo"))
	if err == nil && string(text) != "APPL????" {
		err = fmt.Errorf("its PkgInfo is %q", text)
	}
	return err
}

// programs checks each slice of each program, and returns the hashes of the signed code.
func programs(contents string, info []byte, want Want, report *strings.Builder) (map[string][][20]byte, error) {
	allowed, err := readList(list)
	if err != nil {
		return nil, err
	}
	bundleID := identifier(info)
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
			fmt.Fprintf(report, "%-24s %-6s macOS %s  %5.1f MB  %d libraries  %d imports\n",
				name, s.Arch, s.MinOS, float64(len(s.content))/1e6, len(s.Libraries), len(s.Imports))
			for _, err := range append(s.check(want), allowed.check(name, s, want.Signed)...) {
				wrong = append(wrong, fmt.Errorf("%s, %s: %w", name, s.Arch, err))
			}
			if want.Signed != Own {
				continue
			}
			hash, err := s.bound(name, bundleID, contents, info)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			}
			hashes[name] = append(hashes[name], hash)
		}
		if !slices.Equal(arches, []string{"amd64", "arm64"}) {
			wrong = append(wrong, fmt.Errorf("%s is for %v, not for amd64 and arm64", name, arches))
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

// bound checks a signature and what it binds: the identifier and, for the main program, Info.plist and the seal.
func (s Slice) bound(name, bundleID, contents string, info []byte) ([20]byte, error) {
	got, err := s.Signature()
	if err != nil {
		return got.Hash, err
	}
	ids := map[string]string{mainProgram: "", "Helpers/vivarium": ".command", "Helpers/vivarium-keeper": ".keeper"}
	if want := bundleID + ids[name]; got.ID != want {
		return got.Hash, fmt.Errorf("signed as %q, not %q", got.ID, want)
	}
	bind := map[int][]byte{slotRequirements: got.Requires}
	if name == mainProgram {
		if bind[slotResources], err = os.ReadFile(filepath.Join(contents, "_CodeSignature", "CodeResources")); err != nil {
			return got.Hash, err
		}
		bind[slotInfoPlist] = info
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
