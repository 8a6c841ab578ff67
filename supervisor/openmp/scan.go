package openmp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Scan walks an environment: its site-packages folders whole, and the libraries beside them in root. progress, which may be nil, is
// told how many files were seen, from any goroutine. An error means that there is no environment, or that ctx ended; what cannot be
// read inside of it is counted in Skipped and told in Problems.
func Scan(ctx context.Context, root string, sites []string, progress func(done int)) (Environment, error) {
	env := Environment{Root: root, Sites: sites}
	if _, err := os.Stat(root); err != nil {
		return env, fmt.Errorf("scanning the environment: %w", err)
	}
	for _, site := range append(slices.Clone(sites), filepath.Join(root, "lib")) {
		err := filepath.WalkDir(site, func(path string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || d.IsDir() {
				return nil
			}
			env.Files++
			if progress != nil && env.Files%1024 == 0 {
				progress(env.Files)
			}
			if flavor := flavorOf(d.Name()); flavor != "" && !slices.ContainsFunc(env.Runtimes, func(r Runtime) bool { return r.Path == path }) {
				if r, err := describe(path, flavor); err == nil {
					env.Runtimes = append(env.Runtimes, r)
				} else {
					env.Skipped++
				}
			}
			return nil
		})
		if err != nil {
			return env, err
		}
	}
	return env, nil
}

// flavorOf tells a runtime by its name.
func flavorOf(name string) Flavor {
	if !strings.HasSuffix(name, ".dylib") && !strings.HasSuffix(name, ".so") && !strings.Contains(name, ".so.") {
		return ""
	}
	for prefix, flavor := range map[string]Flavor{"libomp": LLVM, "libiomp5": Intel, "libgomp": GNU} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && strings.ContainsAny(rest[:1], ".-") {
			return flavor
		}
	}
	return ""
}

func describe(path string, flavor Flavor) (Runtime, error) {
	r := Runtime{Path: path, Flavor: flavor}
	st, err := os.Lstat(path)
	if err != nil {
		return r, err
	}
	r.Link = st.Mode()&fs.ModeSymlink != 0
	if r.Real, err = filepath.EvalSymlinks(path); err != nil {
		return r, err
	}
	f, err := os.Open(r.Real)
	if err != nil {
		return r, err
	}
	defer f.Close()
	if st, err = f.Stat(); err != nil {
		return r, err
	}
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		r.File = fmt.Sprintf("%d:%d", s.Dev, s.Ino)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return r, err
	}
	r.Hash = hex.EncodeToString(sum.Sum(nil))
	return r, nil
}
