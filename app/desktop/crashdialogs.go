package desktop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
)

// The setting of macOS by which its crash reporter tells of a crash with a notification instead of a dialog.
const (
	reporterDomain = "com.apple.CrashReporter"
	reporterKey    = "UseUNC"
)

// CrashDialogs turns macOS's own "quit unexpectedly" dialogs into notifications, for all programs of the person: so it is never done
// unasked, and what the setting was before is remembered and put back.
type CrashDialogs struct {
	Memory string // file that remembers what it was before
	// Run runs a program to its end and gives what it printed. If nil, really.
	Run func(name string, args ...string) ([]byte, error)
}

// reporterSetting is the setting as `defaults` tells it.
type reporterSetting struct {
	Set   bool   `json:"set"`
	Type  string `json:"type,omitempty"` // integer, boolean, string or float
	Value string `json:"value,omitempty"`
}

// NewCrashDialogs remembers in the state folder.
func NewCrashDialogs(state string) CrashDialogs {
	return CrashDialogs{Memory: filepath.Join(state, "crash-dialogs.json")}
}

// Quiet reads the setting back.
func (d CrashDialogs) Quiet() (bool, error) {
	now, err := d.read()
	return now.quiet(), err
}

func (s reporterSetting) quiet() bool {
	return s.Set && (s.Value == "1" || s.Value == "true" || s.Value == "YES")
}

// SetQuiet writes the setting, and reads it back.
func (d CrashDialogs) SetQuiet(on bool) error {
	now, err := d.read()
	if err != nil || now.quiet() == on {
		return err
	}
	if on {
		err = d.remember(now)
		if err == nil {
			err = d.defaults("write", "-int", "1")
		}
	} else {
		err = d.restore()
	}
	if err != nil {
		return err
	}
	if now, err = d.read(); err == nil && now.quiet() != on {
		err = errors.New("macOS did not keep the setting")
	}
	if err == nil && !on {
		_ = os.Remove(d.Memory) // it would only be told again
	}
	return err
}

func (d CrashDialogs) remember(s reporterSetting) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = WriteWhole(d.Memory, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("remembering how crash dialogs were set: %w", err)
	}
	return nil
}

// restore puts back what was there before; without a memory, or if that was quiet, too, the setting is taken away.
func (d CrashDialogs) restore() error {
	var before reporterSetting
	text, err := os.ReadFile(d.Memory)
	if err == nil {
		err = json.Unmarshal(text, &before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading how crash dialogs were set before (%s): %w", d.Memory, err)
	}
	switch before.Type {
	case "integer", "boolean", "string", "float":
	default:
		before.Set = false
	}
	if !before.Set || before.quiet() {
		return d.defaults("delete")
	}
	return d.defaults("write", "-"+before.Type, before.Value)
}

func (d CrashDialogs) defaults(verb string, value ...string) error {
	out, err := d.run("defaults", append([]string{verb, reporterDomain, reporterKey}, value...)...)
	if err != nil {
		return fmt.Errorf("setting crash dialogs: %w: %s", err, words.Plain(string(out)))
	}
	return nil
}

// read asks for type and value. `defaults` fails alike for a key that is not set and for any trouble: its words tell.
func (d CrashDialogs) read() (reporterSetting, error) {
	kind, err := d.run("defaults", "read-type", reporterDomain, reporterKey)
	if err != nil {
		if strings.Contains(string(kind), "does not exist") {
			return reporterSetting{}, nil
		}
		return reporterSetting{}, fmt.Errorf("reading how crash dialogs are set: %w: %s", err, words.Plain(string(kind)))
	}
	value, err := d.run("defaults", "read", reporterDomain, reporterKey)
	if err != nil {
		return reporterSetting{}, fmt.Errorf("reading how crash dialogs are set: %w: %s", err, words.Plain(string(value)))
	}
	return reporterSetting{Set: true, Type: strings.TrimPrefix(words.Plain(string(kind)), "Type is "), Value: words.Plain(string(value))}, nil
}

func (d CrashDialogs) run(name string, args ...string) ([]byte, error) {
	if d.Run != nil {
		return d.Run(name, args...)
	}
	return RunSystem(name, args...)
}

// RunSystem runs one of the system's own small tools.
func RunSystem(name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	return cmd.CombinedOutput()
}
