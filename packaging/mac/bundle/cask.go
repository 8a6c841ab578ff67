package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// released is a version that has a release: a tag and nothing behind it.
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)

var errUnreleased = errors.New("only a released version has a download that a cask can name")

// cask fills Homebrew's recipe for a released version from packaging/mac/cask.
func cask(root, version, id, zip string) ([]byte, error) {
	if !released.MatchString(version) {
		return nil, errUnreleased
	}
	name := filepath.Join(root, "packaging", "mac", "cask", "vivarium.rb.tmpl")
	t, err := template.New(filepath.Base(name)).Option("missingkey=error").ParseFiles(name)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(zip)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]string{
		"Version": strings.TrimPrefix(version, "v"), "SHA256": fmt.Sprintf("%x", sha256.Sum256(content)), "ID": id,
	})
	return out.Bytes(), err
}
