package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/packaging/mac/bundle/verify"
)

// pack makes what is published from the bundles in dist: the universal one and, if it was made, the one for Apple's chips.
func pack(root, dist, version string, at time.Time, m *mac, out io.Writer) error {
	universal := bundleFor(dist, "universal")
	stem := filepath.Join(dist, "Vivarium-"+strings.TrimPrefix(version, "v"))
	made, err := packOne(universal, stem, at, m)
	if err != nil {
		return err
	}
	if arm := bundleFor(dist, "arm64"); exists(arm) {
		more, err := packOne(arm, stem+"-arm64", at, m)
		if err != nil {
			return err
		}
		made = append(made, more...)
		if err := writeCask(root, universal, version, stem, out); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(out, "no cask: it needs the download for Apple's chips as well: make app arch=arm64")
	}
	if m == nil {
		fmt.Fprintln(out, "no disk image: only a Mac can make one")
	}
	if err := bill(universal, version, stem+".cdx.json"); err != nil {
		return err
	}
	made = append(made, stem+".cdx.json")
	if err := weigh(made, out); err != nil {
		return err
	}
	return checksums(filepath.Join(dist, "SHA256SUMS"), made...)
}

// packOne makes a zip of a bundle and, on a Mac, a disk image.
func packOne(bundle, stem string, at time.Time, m *mac) ([]string, error) {
	made := []string{stem + ".zip"}
	if err := archive(bundle, made[0], at); err != nil || m == nil {
		return made, err
	}
	return append(made, stem+".dmg"), m.dmg(bundle, stem+".dmg")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// weigh tells how large each file is, and refuses a zip that is too large.
func weigh(files []string, out io.Writer) error {
	for _, file := range files {
		st, err := os.Stat(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  %.1f MB\n", file, float64(st.Size())/1e6)
		if strings.HasSuffix(file, ".zip") && st.Size() > verify.MaxZip {
			return fmt.Errorf("%s is larger than %d MB", file, verify.MaxZip/1_000_000)
		}
	}
	return nil
}

func writeCask(root, bundle, version, stem string, out io.Writer) error {
	info, err := readInfo(filepath.Join(bundle, "Contents", "Info.plist"))
	if err != nil {
		return err
	}
	text, err := cask(root, version, fmt.Sprint(info["CFBundleIdentifier"]), stem+".zip", stem+"-arm64.zip")
	if errors.Is(err, errUnreleased) {
		fmt.Fprintln(out, "no cask:", err)
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(bundle), "vivarium.rb"), text, 0o644)
}
