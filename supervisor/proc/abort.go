package proc

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// recorderVariable names the folder of the recorder: a process that has it can be asked for its stacks without ending it.
const recorderVariable = "VIVARIUM_RECORDER"

// TellsStacks says whether SIGABRT has a process write what its threads do: a Python whose faulthandler is on, and without the recorder. On
// macOS never: there SIGABRT makes a crash report, and the dialog.
func TellsStacks(p Process) bool {
	exe, catches, err := handles(p.PID, syscall.SIGABRT)
	if err != nil || !catches || !isPython(exe) {
		return false
	}
	env, err := environ(p.PID)
	return err == nil && !slices.ContainsFunc(env, func(v string) bool {
		value, has := strings.CutPrefix(v, recorderVariable+"=")
		return has && value != ""
	})
}

// NoCore sees to it that a process leaves no core when it ends by a signal.
func NoCore(p Process) error { return noCore(p) }

// isPython: the program is an interpreter, by the name of its file: python3.11, python, pypy3, python3.13t.
func isPython(exe string) bool {
	name := strings.TrimSuffix(filepath.Base(exe), " (deleted)") // it was upgraded since
	for _, known := range []string{"python", "pypy"} {
		if rest, ok := strings.CutPrefix(strings.ToLower(name), known); ok {
			return strings.Trim(rest, "0123456789.tdm-") == ""
		}
	}
	return false
}

// caught says whether a signal is caught, by the text of /proc/PID/status. It is here, so that it is tested everywhere.
func caught(status string, sig syscall.Signal) bool {
	for line := range strings.Lines(status) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && sig > 0 && sig <= 64 && bits&(1<<(sig-1)) != 0
		}
	}
	return false
}
