package main

import (
	"os"
	"os/exec"
	"strings"
)

// buildPaths are the folders of this computer that no published file may name, each with a slash at its end: without it, /root
// would be found in every "…/root.go".
func buildPaths(root string) []string {
	all := []string{root, os.TempDir()}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, home)
	}
	if out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output(); err == nil {
		all = append(all, strings.Fields(string(out))...)
	}
	var paths []string
	for _, p := range all {
		if p = strings.TrimRight(p, "/"); len(p) > 1 {
			paths = append(paths, p+"/")
		}
	}
	return paths
}
