package keeper

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// StateFolder is where Vivarium keeps what must outlive it: VIVARIUM_HOME, else ~/Library/Application Support/Vivarium on
// macOS, else $XDG_STATE_HOME/vivarium, else ~/.local/state/vivarium. It does not make the folder.
func StateFolder() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil && os.Getenv("VIVARIUM_HOME") == "" {
		return "", errors.New("cannot find your home folder: set HOME or VIVARIUM_HOME")
	}
	return stateFolder(runtime.GOOS, home, os.Getenv), nil
}

func stateFolder(goos, home string, getenv func(string) string) string {
	if d := getenv("VIVARIUM_HOME"); d != "" {
		return d
	}
	if goos == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "Vivarium")
	}
	if d := getenv("XDG_STATE_HOME"); filepath.IsAbs(d) { // the XDG specification: a relative path is to be ignored
		return filepath.Join(d, "vivarium")
	}
	return filepath.Join(home, ".local", "state", "vivarium")
}

// BackendFolder is where the keeper and the supervisor of the backend in dir (links resolved) meet. The name is short
// because a Unix socket's path may have no more than 103 bytes on macOS.
func BackendFolder(state, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(state, "b", hex.EncodeToString(sum[:6]))
}
