package verify

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"howett.net/plist"
)

// seal is a bundle's CodeResources.
type seal struct {
	Files  map[string]any `plist:"files"`
	Files2 map[string]any `plist:"files2"`
	Rules  map[string]any `plist:"rules"`
	Rules2 map[string]any `plist:"rules2"`
}

// resources checks the seal over a bundle in both directions: everything that its rules ask for is in it and unchanged, and
// everything in it is there. hashes are those of the signed programs and bundles, by their path below Contents; a nested bundle has a seal
// of its own over what is in it.
func resources(contents, main string, hashes map[string][][20]byte) error {
	text, err := os.ReadFile(filepath.Join(contents, "_CodeSignature", "CodeResources"))
	if err != nil {
		return err
	}
	var s seal
	if _, err := plist.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("CodeResources: %w", err)
	}
	if len(s.Rules2) == 0 {
		return errors.New("CodeResources seals nothing")
	}
	present := map[string]bool{}
	var wrong []error
	err = fs.WalkDir(os.DirFS(contents), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == main || path.Dir(name) == "_CodeSignature" {
			return err
		}
		if d.IsDir() && path.Ext(name) == ".app" {
			present[name] = true
			wrong = append(wrong, s.new(name, nil, hashes[name]))
			return fs.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		present[name] = true
		content, err := fs.ReadFile(os.DirFS(contents), name)
		if err != nil {
			return err
		}
		wrong = append(wrong, s.old(name, content), s.new(name, content, hashes[name]))
		return nil
	})
	for name := range s.Files2 {
		if !present[name] {
			wrong = append(wrong, fmt.Errorf("%s is sealed and missing", name))
		}
	}
	return errors.Join(append(wrong, err)...)
}

// old compares with the seal's first version, which holds SHA-1 sums of what is below Resources.
func (s seal) old(name string, content []byte) error {
	rule, err := strongest(s.Rules, name)
	if err != nil {
		return err
	}
	entry, sealed := s.Files[name]
	if (rule == "plain") != sealed {
		return fmt.Errorf("%s: rule %q, but sealed: %t", name, rule, sealed)
	}
	if sum := sha1.Sum(content); sealed && !slices.Equal(sum[:], data(entry)) {
		return fmt.Errorf("%s was changed after it was sealed", name)
	}
	return nil
}

// new compares with the second version: SHA-256 sums of files, and for nested code what its signature must fulfil.
func (s seal) new(name string, content []byte, code [][20]byte) error {
	rule, err := strongest(s.Rules2, name)
	if err != nil {
		return err
	}
	entry, _ := s.Files2[name].(map[string]any)
	switch rule {
	case "omit":
		if entry != nil {
			return fmt.Errorf("%s is sealed although it is to be left out", name)
		}
	case "nested":
		if len(code) == 0 || !slices.ContainsFunc(code, func(h [20]byte) bool { return bytes.Equal(h[:], data(entry["cdhash"])) }) {
			return fmt.Errorf("%s is not the code that was sealed", name)
		}
		text, _ := entry["requirement"].(string)
		for _, h := range code {
			if !slices.Contains(strings.Split(text, " or "), fmt.Sprintf(`cdhash H"%x"`, h[:])) {
				return fmt.Errorf("%s does not fulfil its requirement %s", name, text)
			}
		}
	case "plain":
		if sum := sha256.Sum256(content); !slices.Equal(sum[:], data(entry["hash2"])) {
			return fmt.Errorf("%s was changed after it was sealed, or never sealed", name)
		}
	default:
		return fmt.Errorf("%s: no rule", name)
	}
	return nil
}

func data(value any) []byte {
	b, _ := value.([]byte)
	return b
}

// strongest is what the rule of the greatest weight says of a path: "plain", "omit", "optional", "nested" or, without one, "".
func strongest(rules map[string]any, name string) (string, error) {
	kind, greatest := "", -1.0
	for pattern, rule := range rules {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return "", err
		}
		if !re.MatchString(name) {
			continue
		}
		weight, says := 1.0, "plain"
		if fields, ok := rule.(map[string]any); ok {
			for field, value := range fields {
				if w, ok := value.(float64); ok && field == "weight" {
					weight = w
				} else if value == true {
					says = field
				}
			}
		}
		if weight > greatest {
			kind, greatest = says, weight
		}
	}
	return kind, nil
}
