package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vivarium-app/vivarium/supervisor/guard"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

const (
	maxConfig = 1 << 20 // bytes of vivarium.toml or an env_file; more is a mistake, or an attack on our memory
	maxName   = 64      // characters: it has to fit in a menu
)

// Load reads the configuration of the backend in dir; without a vivarium.toml it is all defaults. Every error is a
// *ConfigError, and comes with the default configuration, so that there is a name to show it under.
func Load(dir string) (Config, error) {
	real, problem := resolve(dir)
	c := Defaults(real)
	if problem != nil {
		return c, problem
	}
	text, err := readConfig(c.File)
	if err != nil {
		return c, err
	}
	parsed, err := parseConfig(c, text)
	if err != nil {
		return c, err
	}
	if err := parsed.onDisk(); err != nil {
		return c, err
	}
	parsed.marks = []mark{markOf(parsed.File, text)}
	if parsed.EnvFile != "" {
		env, _ := readSmall(parsed.EnvFile) // whoever needs it for a run tells what is wrong with it
		parsed.marks = append(parsed.marks, markOf(parsed.EnvFile, env))
	}
	return parsed.Config, nil
}

// Defaults is the configuration of a backend without a vivarium.toml. Its max_size is what "50MB" says.
func Defaults(dir string) Config {
	return Config{
		Dir:            dir,
		File:           filepath.Join(dir, FileName),
		Name:           folderName(dir),
		Command:        []string{PlaceholderPython, "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", PlaceholderPort},
		Python:         python.Auto,
		Port:           8000,
		Autostart:      true,
		EnvFile:        filepath.Join(dir, defaultEnvFile),
		OnPortConflict: TakeOver,
		KeepAwake:      AwakeNever,
		Health: Health{
			Path: "/health", Interval: 5 * time.Second, Timeout: 3 * time.Second, Startup: 3 * time.Minute,
			Failures: 3, BusyLimit: 10 * time.Minute, QuietStart: 30 * time.Second,
		},
		Restart:     Restart{Policy: RestartOnCrash, Stable: time.Minute, GiveUpAfter: 5},
		Stop:        Stop{Signal: syscall.SIGINT, Grace: 10 * time.Second},
		Log:         Log{File: filepath.Join(dir, "logs", "server.log"), MaxSize: 50_000_000, Keep: 5},
		Recorder:    Recorder{Enabled: true},
		OnEvent:     OnEvent{Events: slices.Clone(troubles), Timeout: 10 * time.Second},
		Memory:      guard.Policy{Warn: guard.Limit{Percent: 85}, For: 30 * time.Second},
		Environment: map[string]string{},
	}
}

// resolve gives the folder as the kernel names it: the same backend must not have two state folders.
func resolve(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir, &Error{File: dir, Problem: "has no absolute path: " + reason(err), Cause: err}
	}
	real, err := filepath.EvalSymlinks(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return abs, &Error{File: abs, Problem: "there is no such folder", Remedy: "check its name, or remove the backend", Cause: err}
	case err != nil:
		return abs, &Error{File: abs, Problem: "cannot be opened: " + reason(err), Remedy: "check who may read it", Cause: err}
	}
	if st, err := os.Stat(real); err == nil && !st.IsDir() {
		return filepath.Dir(real), &Error{File: real, Problem: "is a file, not a folder", Remedy: "name the folder with the server in it"}
	}
	return real, nil
}

// folderName makes a name for people of a folder's, which may be any bytes.
func folderName(dir string) string {
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, filepath.Base(dir))
	if r := []rune(name); len(r) > maxName {
		name = string(r[:maxName])
	}
	if name = strings.TrimSpace(name); name == "" {
		return "backend"
	}
	return name
}

// readConfig gives nil when there is no such file.
func readConfig(path string) ([]byte, error) {
	text, err := readSmall(path)
	if err == nil {
		return text, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, lerr := os.Lstat(path); lerr == nil {
		return nil, &Error{File: path, Problem: "is a link to a file that is not there", Remedy: "mend or remove the link"}
	}
	return nil, nil
}

// readSmall reads a text file that a person wrote: a regular file of at most maxConfig bytes in UTF-8. A byte-order mark is dropped.
// An error is a *ConfigError that wraps the cause.
func readSmall(path string) ([]byte, error) {
	text, err := safefile.Read(path, maxConfig)
	if err == nil {
		return asUTF8(path, text)
	}
	var wrong *safefile.TypeError
	var large *safefile.SizeError
	e := &Error{File: path, Problem: "cannot be read: " + reason(err), Remedy: readRemedy(err), Cause: err}
	switch {
	case errors.As(err, &wrong) && wrong.What == "a folder":
		e.Problem, e.Remedy = "is a folder, not a file", "remove or rename the folder"
	case errors.As(err, &wrong):
		e.Problem, e.Remedy = "is "+wrong.What+", not a regular file", "put an ordinary text file in its place"
	case errors.As(err, &large):
		e.Problem, e.Remedy = "is larger than 1 MiB", "check that it is the right file"
	}
	return nil, e
}

func asUTF8(path string, text []byte) ([]byte, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, &Error{File: path, Line: 1, Problem: "is written in UTF-16", Remedy: "save it as UTF-8"}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return nil, &Error{
				File: path, Line: 1 + bytes.Count(text[:i], []byte("\n")), Problem: "has a byte that is no UTF-8", Remedy: "save it as UTF-8",
			}
		}
		i += n
	}
	return text, nil
}

func readRemedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "make it readable for you: chmod u+r"
	case errors.Is(err, fs.ErrNotExist):
		return "make it, or correct its name"
	}
	return "check the file"
}

// reason is an error without the path, which stands before it already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// onDisk checks what the configuration says of other files.
func (r *reading) onDisk() error {
	st, err := os.Stat(r.EnvFile)
	if r.EnvFileNamed && r.EnvFile != "" {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return r.fail("env_file", Quoted(r.EnvFile)+" is not there", "make it, correct its name, or remove the line")
		case err != nil:
			return r.fail("env_file", "cannot be read: "+reason(err), "check who may read it")
		case st.IsDir():
			return r.fail("env_file", Quoted(r.EnvFile)+" is a folder", "name a file")
		}
	}
	for _, key := range []string{"on_event.events", "on_event.timeout"} {
		if r.has(key) && len(r.OnEvent.Command) == 0 {
			return r.fail(key, "is there without a command", "add one: "+keyRules["on_event.command"].example+", or remove the line")
		}
	}
	for _, other := range []string{r.File, r.EnvFile} {
		if r.Log.File == other {
			return r.fail("log.file", "would write into "+filepath.Base(other), `choose another file, as in `+keyRules["log.file"].example)
		}
	}
	st, err = os.Stat(r.Log.File)
	switch {
	case err == nil && st.IsDir():
		return r.fail("log.file", Quoted(r.Log.File)+" is a folder", "name a file in it, as in "+keyRules["log.file"].example)
	case err == nil && !st.Mode().IsRegular():
		return r.fail("log.file", Quoted(r.Log.File)+" is not a regular file: it could not be rotated", "name an ordinary file")
	case err == nil && noLog(r.Log.File, st):
		return r.fail("log.file", Quoted(r.Log.File)+" is there already and is no log: it would be written into", "choose another file, as in "+keyRules["log.file"].example)
	case errors.Is(err, syscall.ENOTDIR):
		return r.fail("log.file", fmt.Sprintf("a part of %s is a file, not a folder", Quoted(r.Log.File)), "choose another folder")
	}
	return nil
}

// noLog: the file is a person's, named by a typing error: the output would be appended to it. A file that is named like a log is one, and so
// is what a keeper has made, which only its owner can read, unless it is named like a program, like data or like secrets.
func noLog(path string, st fs.FileInfo) bool {
	if st.Size() == 0 || safefile.IsLogName(path) {
		return false
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".py", ".pyc", ".ipynb", ".sh", ".js", ".ts", ".go", ".c", ".h", ".rs", ".toml", ".json", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".env",
		".md", ".rst", ".html", ".css", ".csv", ".tsv", ".parquet", ".db", ".sqlite", ".sqlite3", ".pem", ".key", ".crt", ".pkl", ".pt", ".bin",
		".safetensors", ".gguf", ".onnx", ".npy", ".npz", ".zip", ".gz", ".tar", ".lock":
		return true
	}
	return st.Mode().Perm() != 0o600
}
