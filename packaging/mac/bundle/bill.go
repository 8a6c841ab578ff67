package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// component is a module in a CycloneDX 1.5 document.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Purl    string `json:"purl,omitempty"`
}

// bill writes down which modules are in the programs of a bundle, as the programs themselves say.
func bill(bundle, version, out string) error {
	seen := map[component]bool{}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(bundle, "Contents", filepath.FromSlash(p.place)))
		if err != nil {
			return fmt.Errorf("reading the modules of %s: %w", p.name, err)
		}
		seen[component{Type: "platform", Name: "go", Version: info.GoVersion}] = true
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			seen[component{Type: "library", Name: m.Path, Version: m.Version, Purl: "pkg:golang/" + m.Path + "@" + m.Version}] = true
		}
	}
	all := make([]component, 0, len(seen))
	for c := range seen {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b component) int {
		return slices.Compare([]string{a.Type, a.Name, a.Version}, []string{b.Type, b.Name, b.Version})
	})
	text, err := json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata":   map[string]any{"component": component{Type: "application", Name: "Vivarium", Version: version}},
		"components": all,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}
