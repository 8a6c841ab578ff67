// Bundle makes Vivarium.app, on a Mac with the system's tools and elsewhere without them, and reads it back.
//
//	bundle app [flags]      build the programs, put dist/Vivarium.app together, sign and check it; with -arch arm64 dist/arm64/Vivarium.app
//	bundle check APP        read a bundle back: what is wrong with it, or what is in it
//	bundle pack [flags]     both as a zip, on a Mac also as a disk image; their modules, checksums, Homebrew's recipe
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/verify"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("app, check or pack?")
	}
	f := flag.NewFlagSet("bundle", flag.ContinueOnError)
	dist := f.String("o", "dist", "`folder` for what is made")
	cache := f.String("cache", ".cache/zig", "`folder` for zig's cache")
	zig := f.String("zig", "", "`path` of zig; not needed on a Mac")
	version := f.String("version", "dev", "as git describe prints it")
	commits := f.Int("commits", 0, "how many commits there are")
	date := f.Int64("date", 0, "`seconds` since 1970 at the last commit")
	identity := f.String("identity", "-", "certificate to sign with; - is ad hoc")
	arch := f.String("arch", "universal", "`processor`: universal, amd64 or arm64")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	chips, err := archesOf(*arch)
	if err != nil {
		return err
	}
	switch args[0] {
	case "app":
		b, err := newBuilder(*cache, *zig, *version)
		if err != nil {
			return err
		}
		a := app{builder: b, out: bundleFor(*dist, *arch), arches: chips, commits: *commits, identity: *identity, mac: theMac()}
		return a.make(out)
	case "check":
		if f.NArg() != 1 {
			return errors.New("check which bundle?")
		}
		return check(f.Arg(0), nil, chips, out)
	case "pack":
		root, err := os.Getwd()
		if err != nil {
			return err
		}
		return pack(root, *dist, *version, time.Unix(*date, 0), theMac(), out)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// bundleFor is where a bundle for that processor is made.
func bundleFor(dist, arch string) string {
	if arch == "universal" {
		return filepath.Join(dist, "Vivarium.app")
	}
	return filepath.Join(dist, arch, "Vivarium.app")
}

func newBuilder(cache, zig, version string) (builder, error) {
	root, err := os.Getwd()
	if err != nil {
		return builder{}, err
	}
	b := builder{root: root, version: version, environ: os.Environ()}
	if runtime.GOOS == "darwin" {
		return b, nil
	}
	if zig == "" {
		return builder{}, errors.New("-zig is missing")
	}
	if b.zig, err = filepath.Abs(zig); err != nil {
		return builder{}, err
	}
	b.cache, err = filepath.Abs(cache)
	return b, err
}

// check reads a bundle back and prints what is in it.
func check(bundle string, paths []string, chips []arch, out io.Writer) error {
	report, err := verify.App(bundle, want(paths, chips))
	if err != nil {
		return fmt.Errorf("%s:\n%w", bundle, err)
	}
	fmt.Fprint(out, report)
	return nil
}

// want is what a bundle of ours has to be.
func want(paths []string, chips []arch) verify.Want {
	w := verify.Want{MinOS: minMacOS, Paths: paths, Signed: signed()}
	for _, c := range chips {
		w.Arches = append(w.Arches, c.name)
	}
	for _, e := range entitlements {
		w.Entitlements = append(w.Entitlements, e.key)
	}
	for _, u := range usages {
		w.Usages = append(w.Usages, u.key)
	}
	return w
}

// theMac is the Mac this runs on, or nil.
func theMac() *mac {
	if runtime.GOOS == "darwin" {
		return newMac()
	}
	return nil
}

// signed: on a Mac codesign has verified what it signed, and it may have used a certificate.
func signed() verify.Signed {
	if runtime.GOOS == "darwin" {
		return verify.Apple
	}
	return verify.Own
}
