package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/seal"
)

// app is a bundle to be made.
type app struct {
	builder
	out      string // path of the .app
	arches   []arch // it is made for
	commits  int
	identity string // to sign with; "-" is ad hoc, and all that is possible off a Mac
	mac      *mac   // the Mac's own tools; nil on another system
}

// make builds the programs, puts the bundle together and checks it. It appears whole or not at all.
func (a app) make(report io.Writer) error {
	if a.mac == nil && a.identity != "-" {
		return errors.New("signing with a certificate needs a Mac")
	}
	work, err := os.MkdirTemp("", "bundle")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, p := range programs {
		for _, arch := range a.arches {
			if err := a.build(p, arch.name, arch.zig, slice(work, p, arch.name)); err != nil {
				return err
			}
		}
	}
	return a.assemble(work, report)
}

// assemble makes the bundle from the programs in work.
func (a app) assemble(work string, report io.Writer) error {
	contents := filepath.Join(work, "Vivarium.app", "Contents")
	info, err := a.furnish(contents)
	if err != nil {
		return err
	}
	entitlements := filepath.Join(a.root, "packaging", "mac", "Vivarium.entitlements")
	if a.mac != nil {
		err = a.mac.finish(work, contents, info.id, a.identity, entitlements, a.arches)
	} else {
		err = a.finish(work, contents, info, entitlements)
	}
	if err != nil {
		return err
	}
	made := filepath.Dir(contents)
	if err := check(made, buildPaths(a.root), a.arches, report); err != nil {
		return err
	}
	return replace(made, a.out)
}

func slice(work string, p program, arch string) string {
	return filepath.Join(work, p.name+"-"+arch)
}

// furnish writes everything but the programs.
func (a app) furnish(contents string) (plists, error) {
	info, err := infoPlists(a.root, a.version, a.commits)
	if err != nil {
		return info, err
	}
	sources := filepath.Join(a.root, "packaging", "mac")
	picture, err := icon(filepath.Join(sources, "Vivarium.png"))
	if err != nil {
		return info, err
	}
	agent, err := os.ReadFile(filepath.Join(sources, "Login.plist"))
	if err != nil {
		return info, err
	}
	files := map[string][]byte{
		"Info.plist": info.app, "PkgInfo": []byte("APPL????"), "Resources/Vivarium.icns": picture,
		keeperBundle + "/Contents/Info.plist":              info.keeper,
		"Library/LaunchAgents/" + info.id + ".login.plist": agent,
	}
	for _, p := range programs {
		files[p.place] = nil // for its folder
	}
	for name, content := range files {
		path := filepath.Join(contents, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return info, err
		}
		if content == nil {
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return info, err
		}
	}
	return info, nil
}

// finish signs, joins and seals without a Mac: the helpers first, then the seal that names them, last the main program, whose
// signature binds the seal.
func (a app) finish(work, contents string, info plists, entitlements string) error {
	list, err := os.ReadFile(entitlements)
	if err != nil {
		return err
	}
	nested := map[string][]seal.Hash{}
	for _, p := range programs {
		s := seal.Signing{ID: info.id + p.id}
		if p.entitled {
			s.Entitlements = list
		}
		inside, place := contents, p.place
		switch {
		case p.bundle != "":
			inside, place = filepath.Join(contents, filepath.FromSlash(p.bundle), "Contents"), "MacOS/"+p.name
			s.InfoPlist = info.keeper
		case p.id == "":
			s.InfoPlist = info.app
		}
		if s.InfoPlist != nil { // the main program of a bundle
			if s.Resources, err = seal.Resources(inside, place, nestedIn(p, nested)); err != nil {
				return err
			}
			if err := writeSeal(inside, s.Resources); err != nil {
				return err
			}
		}
		hashes, err := a.signAndJoin(work, contents, p, s)
		if err != nil {
			return err
		}
		nested[cmp.Or(p.bundle, p.place)] = hashes
	}
	return nil
}

// nestedIn is the signed code that a bundle holds; that of a helper holds none.
func nestedIn(p program, all map[string][]seal.Hash) map[string][]seal.Hash {
	if p.bundle != "" {
		return nil
	}
	return all
}

func writeSeal(contents string, resources []byte) error {
	folder := filepath.Join(contents, "_CodeSignature")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "CodeResources"), resources, 0o644)
}

func (a app) signAndJoin(work, contents string, p program, s seal.Signing) ([]seal.Hash, error) {
	var hashes []seal.Hash
	var files []string
	for _, arch := range a.arches {
		file := slice(work, p, arch.name)
		hash, err := seal.Sign(file, s)
		if err != nil {
			return nil, err
		}
		hashes, files = append(hashes, hash), append(files, file)
	}
	return hashes, seal.Join(filepath.Join(contents, filepath.FromSlash(p.place)), files...)
}

// replace moves a finished bundle to where it is wanted, over an old one.
func replace(made, out string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.Rename(made, out); err == nil {
		return nil
	}
	// Another file system. CopyFS keeps the mode of a file, less the umask.
	if err := os.CopyFS(out, os.DirFS(made)); err != nil {
		return err
	}
	return filepath.WalkDir(made, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(made, path)
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return fmt.Errorf("copying %s: %w", below, err)
		}
		return os.Chmod(filepath.Join(out, below), st.Mode().Perm())
	})
}
