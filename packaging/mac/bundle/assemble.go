package main

import (
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
		for _, arch := range arches {
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
	info, id, err := a.furnish(contents)
	if err != nil {
		return err
	}
	if a.mac != nil {
		err = a.mac.finish(work, contents, id, a.identity, filepath.Join(a.root, "packaging", "mac", "Vivarium.entitlements"))
	} else {
		err = finish(work, contents, id, info)
	}
	if err != nil {
		return err
	}
	made := filepath.Dir(contents)
	if err := check(made, buildPaths(a.root), report); err != nil {
		return err
	}
	return replace(made, a.out)
}

func slice(work string, p program, arch string) string {
	return filepath.Join(work, p.name+"-"+arch)
}

// furnish writes everything but the programs.
func (a app) furnish(contents string) (info []byte, id string, err error) {
	info, id, err = infoPlist(a.root, a.version, a.commits)
	if err != nil {
		return nil, "", err
	}
	picture, err := icon(filepath.Join(a.root, "packaging", "mac", "Vivarium.png"))
	if err != nil {
		return nil, "", err
	}
	files := map[string][]byte{"Info.plist": info, "PkgInfo": []byte("APPL????"), "Resources/Vivarium.icns": picture}
	for _, p := range programs {
		files[p.place] = nil // for its folder
	}
	for name, content := range files {
		path := filepath.Join(contents, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, "", err
		}
		if content == nil {
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return nil, "", err
		}
	}
	return info, id, nil
}

// finish signs, joins and seals without a Mac: the helpers first, then the seal that names them, last the main program, whose
// signature binds the seal.
func finish(work, contents, id string, info []byte) error {
	nested := map[string][]seal.Hash{}
	var main program
	for _, p := range programs {
		if p.id == "" {
			main = p
			continue
		}
		hashes, err := signAndJoin(work, contents, p, seal.Signing{ID: id + p.id})
		if err != nil {
			return err
		}
		nested[p.place] = hashes
	}
	resources, err := seal.Resources(contents, main.place, nested)
	if err != nil {
		return err
	}
	folder := filepath.Join(contents, "_CodeSignature")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "CodeResources"), resources, 0o644); err != nil {
		return err
	}
	_, err = signAndJoin(work, contents, main, seal.Signing{ID: id, InfoPlist: info, Resources: resources})
	return err
}

func signAndJoin(work, contents string, p program, s seal.Signing) ([]seal.Hash, error) {
	var hashes []seal.Hash
	var files []string
	for _, arch := range arches {
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
