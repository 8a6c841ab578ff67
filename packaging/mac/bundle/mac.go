package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// mac is a Mac with its command line tools. Nothing of it was tried on a Mac yet; the tests see only that the right commands
// are given in the right order.
type mac struct {
	run   func(name string, args ...string) error
	pause func(time.Duration)
}

func newMac() *mac {
	return &mac{pause: time.Sleep, run: func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}}
}

// finish joins, signs and seals with the system's tools, from the inside to the outside.
func (m *mac) finish(work, contents, id, identity, entitlements string, arches []arch) error {
	for _, p := range programs {
		args := []string{"-create", "-output", filepath.Join(contents, filepath.FromSlash(p.place))}
		for _, arch := range arches {
			args = append(args, slice(work, p, arch.name))
		}
		if err := m.run("lipo", args...); err != nil {
			return err
		}
	}
	bundle := filepath.Dir(contents)
	for _, p := range programs {
		args := signingOptions(identity)
		if p.entitled {
			args = append(args, "--entitlements", entitlements)
		}
		switch {
		case p.bundle != "":
			args = append(args, filepath.Join(contents, filepath.FromSlash(p.bundle)))
		case p.id != "":
			args = append(args, "--identifier", id+p.id, filepath.Join(contents, filepath.FromSlash(p.place)))
		default:
			args = append(args, bundle)
		}
		if err := m.run("codesign", args...); err != nil {
			return err
		}
	}
	return m.run("codesign", "--verify", "--strict", "--deep", "--verbose=2", bundle)
}

// signingOptions asks for the hardened runtime always, and for Apple's timestamp where there is a certificate.
func signingOptions(identity string) []string {
	options := []string{"--force", "--sign", identity, "--options", "runtime"}
	if identity != "-" {
		options = append(options, "--timestamp")
	}
	return options
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
	// On build machines it often fails with "Resource busy" while macOS looks at the volume that it has just filled, and then does not.
	for tries := 1; ; tries++ {
		err = m.run("hdiutil", "create", "-volname", "Vivarium", "-srcfolder", stage, "-fs", "HFS+", "-format", "UDZO", "-ov", out)
		if err == nil || tries == dmgTries {
			return err
		}
		m.pause(dmgPause)
	}
}

const (
	dmgTries = 6
	dmgPause = 10 * time.Second
)
