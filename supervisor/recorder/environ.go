package recorder

import (
	"slices"
	"strings"
)

// Environ adds the recorder to the environment of a Python process: folder, from Place, in front of PYTHONPATH, and runs, the backend's folder
// of recordings. It comes after all other sources of the environment. With an empty folder there is no recorder, and an inherited one does
// not stay. The last of several values of one name counts, as for the system.
//
// PYTHONPATH never gets an empty element from here, which would be the current folder; one that the person put there is theirs and stays.
func Environ(env []string, folder, runs string) []string {
	path := ""
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PYTHONPATH="); ok {
			path = value
		}
	}
	if folder == "" || runs == "" {
		return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, FolderVariable+"=") })
	}
	added := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, FolderVariable+"=") || strings.HasPrefix(v, "PYTHONPATH=")
	})
	return append(added, "PYTHONPATH="+inFront(folder, path), FolderVariable+"="+runs)
}

// inFront puts folder before path, where it stands only once. Python takes no notice of a PYTHONPATH that is empty.
func inFront(folder, path string) string {
	if path == "" {
		return folder
	}
	rest := slices.DeleteFunc(strings.Split(path, ":"), func(e string) bool { return e == folder })
	if len(rest) == 0 {
		return folder
	}
	return strings.Join(append([]string{folder}, rest...), ":")
}
