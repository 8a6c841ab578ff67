package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"howett.net/plist"
)

// mac is a Mac with its command line tools. Nothing of it was tried on a Mac yet; the tests see only that the right commands
// are given in the right order.
type mac struct {
	run func(name string, args ...string) error
}

func newMac() *mac {
	return &mac{run: func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}}
}

// finish joins, signs and seals with the system's tools, from the inside to the outside.
func (m *mac) finish(work, contents, id, identity, entitlements string) error {
	for _, p := range programs {
		args := []string{"-create", "-output", filepath.Join(contents, filepath.FromSlash(p.place))}
		for _, arch := range arches {
			args = append(args, slice(work, p, arch.name))
		}
		if err := m.run("lipo", args...); err != nil {
			return err
		}
	}
	options, err := signingOptions(identity, entitlements)
	if err != nil {
		return err
	}
	for _, p := range programs {
		if p.id == "" {
			continue
		}
		args := append(options, "--identifier", id+p.id, filepath.Join(contents, filepath.FromSlash(p.place)))
		if err := m.run("codesign", args...); err != nil {
			return err
		}
	}
	bundle := filepath.Dir(contents)
	if err := m.run("codesign", append(options, bundle)...); err != nil {
		return err
	}
	return m.run("codesign", "--verify", "--strict", "--deep", "--verbose=2", bundle)
}

// signingOptions asks for the hardened runtime always, for Apple's timestamp where there is a certificate, and for entitlements
// only if there are any: an empty list is none.
//
// There are none, and what one might expect is left out for a reason.
//   - cs.allow-dyld-environment-variables: DYLD_INSERT_LIBRARIES is set for Python alone, another program with its own signature.
//   - cs.disable-library-validation, cs.allow-jit, cs.allow-unsigned-executable-memory: no library of others is loaded, and Go
//     makes no code while it runs.
//   - automation.apple-events: the dialogs and notices of osascript are its own; no other app is told to do anything.
//   - app-sandbox: a supervisor starts, signals and ends programs that are not its own.
//   - device.audio-input, device.camera and the like: Vivarium uses none.
//
// They are named here and not in the file: the kernel's reader of entitlements takes no comments.
func signingOptions(identity, entitlements string) ([]string, error) {
	options := []string{"--force", "--sign", identity, "--options", "runtime"}
	if identity != "-" {
		options = append(options, "--timestamp")
	}
	text, err := os.ReadFile(entitlements)
	if err != nil {
		return nil, err
	}
	var wanted map[string]any
	if _, err := plist.Unmarshal(text, &wanted); err != nil {
		return nil, fmt.Errorf("%s: %w", entitlements, err)
	}
	if len(wanted) > 0 {
		options = append(options, "--entitlements", entitlements)
	}
	return options[:len(options):len(options)], nil
}

// dmg makes a disk image with the app and a link to where it belongs.
func (m *mac) dmg(bundle, out string) error {
	stage, err := os.MkdirTemp("", "dmg")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	if err := m.run("ditto", bundle, filepath.Join(stage, filepath.Base(bundle))); err != nil {
		return err
	}
	if err := os.Symlink("/Applications", filepath.Join(stage, "Applications")); err != nil {
		return err
	}
	return m.run("hdiutil", "create", "-volname", "Vivarium", "-srcfolder", stage, "-fs", "HFS+", "-format", "UDZO", "-ov", out)
}
