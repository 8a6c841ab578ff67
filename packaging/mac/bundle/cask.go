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

// endKeepers ends the keepers of the person who runs it. A lock file names its holder for certain, which a process name does not. It
// stands between double quotes of Ruby: no double quote, no backslash, no #.
const endKeepers = `cd && cd 'Library/Application Support/Vivarium/b' && for pid in $(/usr/sbin/lsof -t */lock); do kill -TERM $pid; done`

// cask fills Homebrew's recipe for a released version from packaging/mac/cask. There is a download for Apple's chips, and a universal
// one, which an Intel Mac gets.
func cask(root, version, id, universal, arm string) ([]byte, error) {
	if !released.MatchString(version) {
		return nil, errUnreleased
	}
	name := filepath.Join(root, "packaging", "mac", "cask", "vivarium.rb.tmpl")
	t, err := template.New(filepath.Base(name)).Option("missingkey=error").ParseFiles(name)
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"Version": strings.TrimPrefix(version, "v"), "ID": id,
		"EndKeepers": endKeepers,
	}
	for key, zip := range map[string]string{"Universal": universal, "ARM": arm} {
		content, err := os.ReadFile(zip)
		if err != nil {
			return nil, err
		}
		values[key] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	var out bytes.Buffer
	err = t.Execute(&out, values)
	return out.Bytes(), err
}
