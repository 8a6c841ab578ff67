// Package foundation holds tests that run the app's Objective-C on Linux: the files for notices, for the login item and for dialogs, as they are,
// compiled by clang against GNUstep's Foundation and stand-ins for UserNotifications, ServiceManagement and AppKit, and driven through cgo.
//
// What that shows: no message that Foundation's classes do not know, every exception caught, every question answered once, no race between
// threads. What it cannot show: reference counting by the compiler (ARC), for which GNU's runtime has no support, and anything that AppKit itself does.
package foundation

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const top = "../../.."

// needs are the tools and libraries without which nothing is compiled, and what to install for them.
func needs() error {
	if runtime.GOOS != "linux" {
		return errors.New("this is about Linux; a Mac has the real Foundation")
	}
	if _, err := exec.LookPath("clang"); err != nil {
		return errors.New("clang is not installed: apt-get install clang libgnustep-base-dev libblocksruntime-dev")
	}
	for _, header := range []string{"/usr/include/GNUstep/Foundation/Foundation.h", "/usr/include/Block.h"} {
		if _, err := os.Stat(header); err != nil {
			return errors.New(header + " is missing: apt-get install clang libgnustep-base-dev libblocksruntime-dev")
		}
	}
	if runtimeHeaders() == "" {
		return errors.New("the headers of GNU's Objective-C runtime are missing: apt-get install libgnustep-base-dev")
	}
	return nil
}

// runtimeHeaders is the folder of <objc/runtime.h>, which comes with a version of GCC.
func runtimeHeaders() string {
	found, _ := filepath.Glob("/usr/lib/gcc/*/*/include/objc/runtime.h")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(filepath.Dir(found[len(found)-1]))
}

// unmodified are the files of the app that a harness compiles. Their names there are without the suffix by which Go would leave them out.
var unmodified = map[string][]string{"harness": {"notices", "login"}, "dialogs": {"dialogs"}}

// harness builds one of testdata's programs from its files and those of the app.
func harness(t *testing.T, name string) string {
	t.Helper()
	if err := needs(); err != nil {
		t.Skip("skipped: the Objective-C is not run on Linux: " + err.Error())
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/"+name)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module harness\n\ngo 1.26\n"), 0o600))
	for _, file := range unmodified[name] {
		for from, to := range map[string]string{file + "_darwin.m": file + ".m", file + "_darwin.h": file + "_darwin.h"} {
			content, err := os.ReadFile(filepath.Join(top, "app", "tray", from))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, to), content, 0o600))
		}
	}
	include := filepath.Join(dir, "include")
	require.NoError(t, os.CopyFS(include, os.DirFS("testdata/include")))
	for _, framework := range []string{"UserNotifications", "AppKit"} {
		headers, err := filepath.Abs(filepath.Join(top, "packaging/mac/darwin/Frameworks", framework+".framework/Headers"))
		require.NoError(t, err)
		require.NoError(t, os.Symlink(headers, filepath.Join(include, framework)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "flags.go"), []byte("package main\n\n"+
		"// #cgo CFLAGS: -g -O1 -pthread -fblocks -fobjc-runtime=gcc -fobjc-exceptions -fexceptions -fconstant-string-class=NSConstantString\n"+
		"// #cgo CFLAGS: -DGNUSTEP -DGNU_RUNTIME=1 -DGNUSTEP_BASE_LIBRARY=1 -D_NATIVE_OBJC_EXCEPTIONS -Wno-import -Werror=objc-method-access\n"+
		"// #cgo CFLAGS: -I/usr/include/GNUstep -I"+include+" -idirafter "+runtimeHeaders()+"\n"+
		"// #cgo LDFLAGS: -pthread -fexceptions -rdynamic -lBlocksRuntime -lgnustep-base -lobjc -lm -ldl\n"+
		"import \"C\"\n"), 0o600))
	cmd := exec.Command("go", "build", "-o", "harness", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "CC=clang", "GOFLAGS=", "GOWORK=off", "CGO_CFLAGS_ALLOW=.*", "CGO_LDFLAGS_ALLOW=.*")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, "harness")
}

func TestTheAppsObjectiveCRunsOnAnotherFoundation(t *testing.T) {
	program := harness(t, "harness")
	out, err := exec.Command(program).Output()
	require.NoError(t, err, "%s", out)
	said := answers(t, out)
	t.Log("\n" + string(out))

	for question, want := range map[string]string{
		"begin, the center raises": "0", "begin, the center is missing": "0", "begin, the center is there": "1",
		"ask, well": "well", "ask, denies": "denied", "ask, undecided": "well", "ask, raises late": "well", "ask, later": "well",
		"state, well": "well", "state, denies": "denied", "state, undecided": "undecided", "state, errors": "well", "state, later": "well",
		"show, well": "well", "show, denies": "denied", "show, undecided": "undecided", "show, later": "well",
		"ask, error without a text": "unknown", "show, error without a text": "unknown",
		"show, no buttons": "well",
		"shown":            "chat: ended|Why|/b/chat|backend ünïcode ✓|||",
		"clicks":           "/b/chat|restart /b/chat|log |x",
		"concurrent":       "1200", "left": "0 0", "activity": "well", "concurrent questions": "asked", "concurrent changes": "made", "settings opened": "6",

		"login state, well": "3", "register, well": "1", "unregister, well": "0", "legacy, well": "2",
		"register, refuses silently": "3 no reason was given", "unregister, refuses silently": "0",
		"register, wants a yes": "2", "unregister, wants a yes": "0",
		"login state, strange": "-2", "register, strange": "-2", "unregister, strange": "-2", "legacy, strange": "2",
		"login state, old": "-1", "register, old": "-1", "unregister, old": "-1", "legacy, old": "-1",
	} {
		require.Equal(t, want, said[question], question)
	}
	for question, part := range map[string]string{
		"ask, errors": unErrorHere, "show, errors": unErrorHere,
		"ask, raises": "not today", "show, raises": "not today", "show, raises late": "not now",
		"ask, raises at once": "bundleProxyForCurrentProcess", "show, raises at once": "bundleProxyForCurrentProcess",
		"state, raises": "not today", "state, raises at once": "bundleProxyForCurrentProcess",
		"show, no identifier": "an identifier is needed",
		"register, refuses":   "SMAppServiceErrorDomain", "unregister, refuses": "SMAppServiceErrorDomain",
		"login state, raises": "an.id.login.plist is not in the bundle", "register, raises": "is not in the bundle",
		"unregister, raises": "is not in the bundle", "legacy, raises": "/Users/ada/Library/LaunchAgents/an.id.plist",
	} {
		require.Contains(t, said[question], part, question)
	}
	require.NotEqual(t, "no answer", said["show, not UTF-8"])
	require.NotContains(t, said, "wrong")
}

// answers are the lines of a harness, by what was asked.
func answers(t *testing.T, out []byte) map[string]string {
	t.Helper()
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		question, answer, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		require.True(t, ok, line)
		said[question] = strings.TrimSpace(said[question] + " " + answer)
	}
	return said
}

// Which of AppKit's calls end a modal loop, and how, is Apple's to say; what is shown here is that each dialog is answered once, and that one
// which need no longer be answered is closed.
func TestTheAppsDialogsRunOnAnotherFoundation(t *testing.T) {
	out, err := exec.Command(harness(t, "dialogs")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	said := answers(t, out)
	for _, question := range []string{"folder, raises", "alert, raises"} {
		require.Regexp(t, `^0\|\|.*no window server`, said[question], question)
		delete(said, question)
	}
	require.Equal(t, map[string]string{
		"folder, chosen": "1|/b/chat|", "folder, said": "Choose ünïcode ✓|/b", "folder, canceled": "0||",
		"alert, yes": "1||", "alert, said": "Remove?|It stays on disk.|Remove|Cancel", "alert, cancel": "0||",
		"message, read": "1||", "message, said": "About|1.0|OK",
		"folder, closed": "0||", "alert, closed": "0||", "alert, another one closed": "1||",
	}, said)
}

// unErrorHere is how GNUstep describes an error; Apple's is another wording of the same.
const unErrorHere = "UNErrorDomain"

// Clang's analyzer follows every path through the code, AppKit's part too.
func TestClangFindsNothingInTheObjectiveC(t *testing.T) {
	if err := needs(); err != nil {
		t.Skip("skipped: the Objective-C is not analysed: " + err.Error())
	}
	files, err := filepath.Glob(filepath.Join(top, "app/tray/*_darwin.m"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		out, err := exec.Command("clang", analysis(t, file)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out), file)
	}
	broken := filepath.Join(t.TempDir(), "broken.m")
	require.NoError(t, os.WriteFile(broken, []byte("int f(int *p) { if (p == 0) return *p; return 0; }\n"), 0o600))
	out, _ := exec.Command("clang", analysis(t, broken)...).CombinedOutput()
	require.Contains(t, string(out), "Dereference of null pointer", "the analyzer sees what is wrong")
}

func analysis(t *testing.T, file string) []string {
	t.Helper()
	frameworks, err := filepath.Abs(filepath.Join(top, "packaging/mac/darwin/Frameworks"))
	require.NoError(t, err)
	return []string{
		"--analyze", "-Xanalyzer", "-analyzer-output=text", "-target", "arm64-apple-macos12.0", "-fobjc-arc", "-fblocks", "-Wall", "-Wextra",
		"-nostdinc", "-isystem", filepath.Join(resources(t), "include"), "-isystem", libc(t), "-F" + frameworks, "-o", os.DevNull, file,
	}
}

func resources(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("clang", "-print-resource-dir").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// libc is the folder of macOS's C headers, which zig brings; the build of the app fetches it.
func libc(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(top, ".cache/zig-*/ziglang/lib/libc/include/any-macos-any"))
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("skipped: the Objective-C is not analysed: macOS's C headers are missing, which `make app` fetches with zig")
	}
	dir, err := filepath.Abs(found[0])
	require.NoError(t, err)
	return dir
}
