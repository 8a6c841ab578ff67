// Bundle makes Vivarium.app, on a Mac with the system's tools and elsewhere without them, and reads it back.
//
//	bundle app [flags]      build the programs, put dist/Vivarium.app together, sign and check it
//	bundle check APP        read a bundle back: what is wrong with it, or what is in it
//	bundle pack [flags]     dist/Vivarium.app as a zip, on a Mac also as a disk image; its modules, checksums, Homebrew's recipe
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
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	bundle := filepath.Join(*dist, "Vivarium.app")
	switch args[0] {
	case "app":
		b, err := newBuilder(*cache, *zig, *version)
		if err != nil {
			return err
		}
		a := app{builder: b, out: bundle, commits: *commits, identity: *identity, mac: theMac()}
		return a.make(out)
	case "check":
		if f.NArg() != 1 {
			return errors.New("check which bundle?")
		}
		return check(f.Arg(0), nil, out)
	case "pack":
		root, err := os.Getwd()
		if err != nil {
			return err
		}
		return pack(root, bundle, *version, time.Unix(*date, 0), theMac(), out)
	}
	return fmt.Errorf("unknown command %q", args[0])
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
func check(bundle string, paths []string, out io.Writer) error {
	report, err := verify.App(bundle, verify.Want{MinOS: minMacOS, Paths: paths, Signed: signed()})
	if err != nil {
		return fmt.Errorf("%s:\n%w", bundle, err)
	}
	fmt.Fprint(out, report)
	return nil
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
