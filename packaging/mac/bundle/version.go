package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"howett.net/plist"
)

// tagged is what `git describe` prints once there is a tag: v1.2.3, v1.2.3-rc1, v1.2.3-4-gabc, v1.2.3-4-gabc-dirty.
var tagged = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)(-.*)?$`)

// short is the version as Apple wants it: three numbers. Before the first tag it is 0.0.0.
func short(version string) string {
	if m := tagged.FindStringSubmatch(version); m != nil {
		return m[1] + "." + m[2] + "." + m[3]
	}
	return "0.0.0"
}

// plists are the property lists of a bundle, with the version in them.
type plists struct {
	app, keeper  []byte
	id, keeperID string
}

// infoPlists are packaging/mac/Info.plist and Keeper.plist with the version in them. CFBundleVersion is the number of commits: it must
// grow from one build to the next, and what git calls a version does not.
func infoPlists(root, version string, commits int) (plists, error) {
	var p plists
	info, err := readInfo(filepath.Join(root, "packaging", "mac", "Info.plist"))
	if err != nil {
		return p, err
	}
	info["CFBundleShortVersionString"] = short(version)
	info["CFBundleVersion"] = fmt.Sprint(commits)
	info["VivariumVersion"] = version
	keeper, err := keeperPlist(root, info)
	if err != nil {
		return p, err
	}
	p.id, p.keeperID = fmt.Sprint(info["CFBundleIdentifier"]), fmt.Sprint(keeper["CFBundleIdentifier"])
	if p.app, err = written(info); err == nil {
		p.keeper, err = written(keeper)
	}
	return p, err
}

func written(info map[string]any) ([]byte, error) {
	text, err := plist.MarshalIndent(info, plist.XMLFormat, "\t")
	return append(text, '\n'), err
}

func readInfo(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var info map[string]any
	if _, err := plist.Unmarshal(text, &info); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return info, nil
}
