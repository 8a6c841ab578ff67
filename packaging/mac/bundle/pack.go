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

// pack makes what is published from a bundle, beside it.
func pack(root, bundle, version string, at time.Time, m *mac, out io.Writer) error {
	stem := filepath.Join(filepath.Dir(bundle), "Vivarium-"+strings.TrimPrefix(version, "v"))
	zip := stem + ".zip"
	made := []string{zip}
	if err := archive(bundle, zip, at); err != nil {
		return err
	}
	if m != nil {
		if err := m.dmg(bundle, stem+".dmg"); err != nil {
			return err
		}
		made = append(made, stem+".dmg")
	} else {
		fmt.Fprintln(out, "no disk image: only a Mac can make one")
	}
	if err := bill(bundle, version, stem+".cdx.json"); err != nil {
		return err
	}
	made = append(made, stem+".cdx.json")
	if err := writeCask(root, bundle, version, zip, out); err != nil {
		return err
	}
	for _, file := range made {
		st, err := os.Stat(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  %.1f MB\n", file, float64(st.Size())/1e6)
		if file == zip && st.Size() > verify.MaxZip {
			return fmt.Errorf("%s is larger than %d MB", file, verify.MaxZip/1_000_000)
		}
	}
	return checksums(filepath.Join(filepath.Dir(bundle), "SHA256SUMS"), made...)
}

func writeCask(root, bundle, version, zip string, out io.Writer) error {
	info, err := readInfo(filepath.Join(bundle, "Contents", "Info.plist"))
	if err != nil {
		return err
	}
	text, err := cask(root, version, fmt.Sprint(info["CFBundleIdentifier"]), zip)
	if errors.Is(err, errUnreleased) {
		fmt.Fprintln(out, "no cask:", err)
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(bundle), "vivarium.rb"), text, 0o644)
}
