package seal

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"howett.net/plist"
)

// rule is one of Apple's default rules for an app (bundlediskrep.cpp of Security, as codesign writes them): of all that match a
// path, the one of the greatest weight decides.
type rule struct {
	pattern  string
	weight   float64 // 1 is written as <true/>
	kind     string  // "", "omit", "optional" or "nested"
	compiled *regexp.Regexp
}

var (
	// rules are those of the first version of seals, which old systems look at.
	rules = []rule{
		{pattern: `^Resources/`, weight: 1},
		{pattern: `^Resources/.*\.lproj/`, weight: 1000, kind: "optional"},
		{pattern: `^Resources/.*\.lproj/locversion.plist$`, weight: 1100, kind: "omit"},
		{pattern: `^Resources/Base\.lproj/`, weight: 1010},
		{pattern: `^version.plist$`, weight: 1},
	}
	rules2 = []rule{
		{pattern: `^.*`, weight: 1},
		{pattern: `^[^/]+$`, weight: 10, kind: "nested"},
		{pattern: `^(Frameworks|SharedFrameworks|PlugIns|Plug-ins|XPCServices|Helpers|MacOS|Library/(Automator|Spotlight|LoginItems))/`, weight: 10, kind: "nested"},
		{pattern: `.*\.dSYM($|/)`, weight: 11},
		{pattern: `^(.*/)?\.DS_Store$`, weight: 2000, kind: "omit"},
		{pattern: `^Info\.plist$`, weight: 20, kind: "omit"},
		{pattern: `^version\.plist$`, weight: 20},
		{pattern: `^embedded\.provisionprofile$`, weight: 20},
		{pattern: `^PkgInfo$`, weight: 20, kind: "omit"},
		{pattern: `^Resources/`, weight: 20},
		{pattern: `^Resources/.*\.lproj/`, weight: 1000, kind: "optional"},
		{pattern: `^Resources/.*\.lproj/locversion.plist$`, weight: 1100, kind: "omit"},
		{pattern: `^Resources/Base\.lproj/`, weight: 1010},
	}
)

// Resources makes the seal over a bundle: the content of its _CodeSignature/CodeResources. nested are the hashes of the helper
// programs and bundles by their path below Contents, one of each architecture; they must be signed before. What is in a nested bundle is
// sealed by its own seal. The bundle's main program is sealed by its own signature, which binds this seal in turn.
func Resources(contents, main string, nested map[string][]Hash) ([]byte, error) {
	files, files2 := map[string]any{}, map[string]any{}
	err := filepath.WalkDir(contents, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(contents, path)
		if err != nil {
			return err
		}
		below = filepath.ToSlash(below)
		if hashes, ok := nested[below]; ok && d.IsDir() {
			files2[below] = sealOf(hashes)
			return filepath.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		if below == main || strings.HasPrefix(below, "_CodeSignature/") {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", below)
		}
		return sealed(path, below, nested, files, files2)
	})
	if err != nil {
		return nil, fmt.Errorf("sealing resources: %w", err)
	}
	text, err := plist.MarshalIndent(map[string]any{
		"files": files, "files2": files2, "rules": written(rules), "rules2": written(rules2),
	}, plist.XMLFormat, "\t")
	if err != nil {
		return nil, fmt.Errorf("sealing resources: %w", err)
	}
	return append(text, '\n'), nil
}

func sealed(path, below string, nested map[string][]Hash, files, files2 map[string]any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if r := decides(rules, below); r != nil && r.kind == "" {
		sum := sha1.Sum(content)
		files[below] = sum[:]
	}
	switch r := decides(rules2, below); r.kind {
	case "omit":
	case "nested":
		hashes, ok := nested[below]
		if !ok {
			return fmt.Errorf("%s stands where only signed code may stand", below)
		}
		files2[below] = sealOf(hashes)
	case "":
		sum := sha256.Sum256(content)
		files2[below] = map[string]any{"hash2": sum[:]}
	default:
		return fmt.Errorf("%s: localised resources are not sealed by this tool", below)
	}
	return nil
}

func sealOf(hashes []Hash) map[string]any {
	return map[string]any{"cdhash": hashes[0][:], "requirement": requirement(hashes)}
}

// requirement is what the code must fulfil to be the one that was sealed, as codesign writes it for ad hoc code.
func requirement(hashes []Hash) string {
	var all []string
	for _, h := range hashes {
		all = append(all, fmt.Sprintf(`cdhash H"%x"`, h[:]))
	}
	return strings.Join(all, " or ")
}

func decides(rules []rule, path string) *rule {
	var best *rule
	for i := range rules {
		r := &rules[i]
		if r.compiled == nil {
			r.compiled = regexp.MustCompile(r.pattern)
		}
		if r.compiled.MatchString(path) && (best == nil || r.weight > best.weight) {
			best = r
		}
	}
	return best
}

func written(rules []rule) map[string]any {
	all := map[string]any{}
	for _, r := range rules {
		switch {
		case r.kind != "":
			all[r.pattern] = map[string]any{r.kind: true, "weight": r.weight}
		case r.weight != 1:
			all[r.pattern] = map[string]any{"weight": r.weight}
		default:
			all[r.pattern] = true
		}
	}
	return all
}
