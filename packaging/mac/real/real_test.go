// Package real holds what CI on a Mac does with an app, and its dry form: on Linux the app, its keeper and its server are played by the test's
// own program, and the system's tools by a stand-in. That shows that each check runs, passes on what is right and fails on what is wrong;
// what a Mac really answers, only a Mac shows.
package real

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The stand-in for the system's tools. PLAY says in what way the Mac, or the app, is not as it should be.
const standIn = `#!/bin/sh
case "${0##*/} $*" in
'open -g '*--demo)
	[ "$PLAY" != 'does not open' ] || exit 1
	"$2/Contents/MacOS/Vivarium" --demo >/dev/null 2>&1 & ;;
'open -g '*) [ "$PLAY" != 'a new one each time' ] || { kill "$(cat "$HOME/kept")"; sleep 1; "$2/Contents/MacOS/Vivarium" --demo >/dev/null 2>&1 & } ;;
'spctl --status') [ "$PLAY" = 'Gatekeeper is off' ] && echo 'assessments disabled' || echo 'assessments enabled' ;;
'spctl '*) [ "$PLAY" = 'notarised' ] ;;
'codesign --display '*) echo com.apple.security.automation.apple-events com.apple.security.device.audio-input com.apple.security.device.camera ;;
'codesign --verify '*'Vivarium Keeper.app') [ "$PLAY" != 'the copy is broken' ] ;;
'lsof -t '*) cat "$HOME/keeper" ;;
'launchctl list')
	[ "$PLAY" != 'launchd knows the keeper' ] || echo "$(cat "$HOME/keeper")	0	application.keeper"
	echo "$(cat "$HOME/keeper")0	0	application.whose.number.begins.alike" ;;
'launchctl print '*) printf '\tstate = running\n\tprogram = x\n' ;;
'footprint '*) echo "python [1]: 64-bit    Footprint: 40 MB"; echo "phys_footprint: ${FOOTPRINT:-41000000} B" ;;
'curl '*) while [ "$1" != --output ]; do shift; done; echo '<!doctype html><html>' >"$2"; printf "${ANSWER:-200}" ;;
'sleep '*) exec /bin/sleep 0.05 ;;
esac
`

// TestMain plays the programs of the app, which are known by the names under which they are started.
func TestMain(m *testing.M) {
	play, home := os.Getenv("PLAY"), os.Getenv("HOME")
	switch filepath.Base(os.Args[0]) {
	case "Vivarium":
		os.Exit(playApp(play, home, os.Args[1:]))
	case "vivarium":
		os.Exit(playCommand(play, home, os.Args[1:]))
	case "vivarium-keeper", "server":
		if len(os.Args) < 2 || os.Args[1] != "--version" {
			time.Sleep(time.Minute) // no test may leave it behind
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func playApp(play, home string, args []string) int {
	item := filepath.Join(home, "item")
	switch strings.Join(args, " ") {
	case "--version":
	case "":
		if play != "a second one is silent" {
			fmt.Fprintln(os.Stderr, "Vivarium is already running: its icon is in the menu bar")
		}
	case "--login":
		if play == "a second one talks at login" {
			fmt.Fprintln(os.Stderr, "Vivarium is already running")
		}
	case "--login-item status":
		state, err := os.ReadFile(item)
		if err != nil {
			state = []byte("3")
		}
		fmt.Printf(`{"means":"x","state":%s}`+"\n", state)
	case "--notices":
		if play == "notices are odd" {
			fmt.Println(`{"problem":""}`)
			return 0
		}
		fmt.Println(`{"allowed":false,"problem":"nobody was asked yet"}`)
	case "--demo":
		return keep(play, filepath.Join(home, "kept"))
	}
	return 0
}

// keep writes its PID into a file, which is what keeping a backend is here, until it is asked to end.
func keep(play, kept string) int {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM)
	if play == "stays" {
		signal.Ignore(syscall.SIGTERM)
	}
	if os.WriteFile(kept+".new", []byte(strconv.Itoa(os.Getpid())), 0o600) != nil || os.Rename(kept+".new", kept) != nil {
		return 1
	}
	select {
	case <-ends:
	case <-time.After(time.Minute):
	}
	if play != "leaves it running" {
		os.Remove(kept)
	}
	return 0
}

func playCommand(play, home string, args []string) int {
	number := func(name string) int {
		text, _ := os.ReadFile(filepath.Join(home, name))
		n, _ := strconv.Atoi(string(text))
		return n
	}
	agent := filepath.Join(home, "Library/LaunchAgents/io.github.vivarium-app.vivarium.plist")
	item := filepath.Join(home, "item")
	switch said := strings.Join(args, " "); said {
	case "status --all --json":
		kept := number("kept")
		if kept == 0 {
			return 3
		}
		row := map[string]any{"v": 1, "state": "healthy", "pid": number("server"), "held_by": kept, "usage": map[string]int{"rss": 1, "footprint": 40_000_000}}
		switch play {
		case "never well":
			row["state"] = "starting"
		case "somebody else's":
			row["held_by"] = os.Getppid()
		case "no footprint":
			delete(row, "usage")
		}
		_ = json.NewEncoder(os.Stdout).Encode(row)
	case "crashes --all --json":
		if syscall.Kill(number("server"), 0) == nil || play == "no verdict" {
			return 0
		}
		record := filepath.Join(home, "record.json")
		report := `"report_file": "/Users/a/Library/Logs/DiagnosticReports/Python-1.ips"`
		if play == "no report" {
			report = `"tail": []`
		}
		_ = os.WriteFile(record, []byte("{\n  "+report+"\n}"), 0o600)
		fmt.Printf(`{"v":1,"signal":"SIGSEGV","record":"%s"}`+"\n", record)
	case "login on":
		if play == "the service refuses" || play == "two at login" {
			_ = os.MkdirAll(filepath.Dir(agent), 0o700)
			_ = os.WriteFile(agent, nil, 0o600)
		}
		if play != "the service refuses" {
			_ = os.WriteFile(item, []byte("1"), 0o600)
		}
	case "login off":
		os.Remove(agent)
		if play != "off is not off" {
			os.Remove(item)
		}
		if play == "off ends the app" {
			os.Remove(filepath.Join(home, "kept"))
		}
	case "help dashboard":
		if play == "no dashboard" {
			return 1
		}
	case "dashboard --print":
		fmt.Println("http://127.0.0.1:1234/#secret")
	case "stop --all":
		os.Remove(filepath.Join(home, "kept"))
	}
	return 0
}

// rig is a Mac to look at, with an app in it.
type rig struct {
	t    *testing.T
	home string
	app  string
	env  []string
}

func newRig(t *testing.T, play string, env ...string) *rig {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	r := &rig{t: t, home: home, app: filepath.Join(home, "Vivarium.app")}
	r.env = append([]string{"HOME=" + home, "PLAY=" + play, "PATIENCE=60", "TMPDIR=" + home, "PATH=" + home + "/bin:/usr/local/bin:/usr/bin:/bin"}, env...)
	self, err := os.Executable()
	require.NoError(t, err)
	state := filepath.Join(home, "Library/Application Support/Vivarium")
	for _, path := range []string{
		r.app + "/Contents/MacOS/Vivarium", r.app + "/Contents/Helpers/vivarium",
		r.app + "/Contents/Helpers/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper",
		state + "/bin/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper", home + "/server-dir/server",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.Symlink(self, path))
	}
	require.NoError(t, os.MkdirAll(r.app+"/Contents/Library/LaunchAgents", 0o755))
	require.NoError(t, os.WriteFile(r.app+"/Contents/Library/LaunchAgents/a.plist", nil, 0o600))
	require.NoError(t, os.MkdirAll(state+"/b/0123", 0o755))
	require.NoError(t, os.WriteFile(state+"/b/0123/lock", nil, 0o600))
	require.NoError(t, os.MkdirAll(home+"/Library/Logs/DiagnosticReports", 0o755))
	require.NoError(t, os.Mkdir(home+"/bin", 0o755))
	require.NoError(t, os.WriteFile(home+"/bin/stand-in", []byte(standIn), 0o755))
	for _, tool := range []string{"open", "spctl", "codesign", "lipo", "plutil", "lsof", "launchctl", "footprint", "curl", "sleep"} {
		require.NoError(t, os.Symlink("stand-in", home+"/bin/"+tool))
	}
	program := state + "/bin/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper"
	if play == "another keeper" {
		program = r.app + "/Contents/Helpers/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper"
	}
	r.start("keeper", program, state+"/b/0123")
	r.start("server", home+"/server-dir/server")
	t.Cleanup(func() { // an app that a failed check left
		if text, err := os.ReadFile(home + "/kept"); err == nil {
			if pid, err := strconv.Atoi(string(text)); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return r
}

// start starts a program of the rig and notes its PID.
func (r *rig) start(name, program string, args ...string) {
	r.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = r.env
	require.NoError(r.t, cmd.Start())
	go cmd.Wait() // so that it is gone when it is dead
	r.t.Cleanup(func() { cmd.Process.Kill() })
	require.NoError(r.t, os.WriteFile(filepath.Join(r.home, name), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600))
}

func (r *rig) run(checks ...string) (said string, code int) {
	r.t.Helper()
	script, err := filepath.Abs("real.sh")
	require.NoError(r.t, err)
	cmd := exec.Command(script, append([]string{r.app}, checks...)...)
	cmd.Env = r.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestEveryCheckPassesOnWhatIsRight(t *testing.T) {
	said, code := newRig(t, "well").run()
	require.Zero(t, code, said)
	require.Contains(t, said, "12 passed, 0 failed, 0 skipped")
	for _, name := range []string{"signature", "gatekeeper", "opens", "second", "again", "keeper", "notices", "memory", "crash", "login", "dashboard", "ends"} {
		require.Contains(t, said, "ok    "+name+"\n")
	}
}

func TestWhatIsNotThereYetIsSkippedAloud(t *testing.T) {
	said, code := newRig(t, "no dashboard").run("opens", "dashboard", "ends")
	require.Zero(t, code, said)
	require.Contains(t, said, "skip  dashboard: this version has no dashboard")
	require.Contains(t, said, "2 passed, 0 failed, 1 skipped")
	said, code = newRig(t, "no footprint").run("opens", "memory", "ends")
	require.Zero(t, code, said)
	require.Contains(t, said, "skip  memory: this version shows no footprint")
}

// A Mac whose Gatekeeper is off accepts what it would refuse: its answer says nothing of the app.
func TestAGatekeeperThatIsOffIsNotAsked(t *testing.T) {
	said, code := newRig(t, "Gatekeeper is off").run("gatekeeper")
	require.Zero(t, code, said)
	require.Contains(t, said, "skip  gatekeeper: Gatekeeper is switched off here")
}

func TestABuildThatTheServiceRefusesHasALaunchAgent(t *testing.T) {
	said, code := newRig(t, "the service refuses").run("opens", "login", "ends")
	require.Zero(t, code, said)
	require.Contains(t, said, "3 passed")
}

func TestEachCheckFailsOnWhatIsWrong(t *testing.T) {
	for play, c := range map[string]struct {
		check, says string
		env         []string
	}{
		"notarised":                   {"gatekeeper", "Gatekeeper: accepted", nil},
		"not notarised":               {"gatekeeper", "Gatekeeper: rejected", []string{"EXPECT=accepted"}},
		"does not open":               {"opens", "", nil},
		"never well":                  {"opens", "did not become healthy", []string{"PATIENCE=3"}},
		"somebody else's":             {"opens", "it is not the app", nil},
		"a second one is silent":      {"second", "", nil},
		"a second one talks at login": {"second", "already running", nil},
		"a new one each time":         {"again", "", nil},
		"the copy is broken":          {"keeper", "", nil},
		"another keeper":              {"keeper", "holds a keeper's lock and is", nil},
		"launchd knows the keeper":    {"keeper", "launchd knows the keeper", nil},
		"notices are odd":             {"notices", `{"problem":""}`, nil},
		"well, but the memory":        {"memory", "ours 40000000, macOS's 90000000", []string{"FOOTPRINT=90000000"}},
		"no verdict":                  {"crash", "no crash is on record", []string{"PATIENCE=3"}},
		"no report":                   {"crash", "no report of macOS's in it", []string{"PATIENCE=3"}},
		"two at login":                {"login", "two would start at login", nil},
		"off is not off":              {"login", "", nil},
		"off ends the app":            {"login", "ended the app", nil},
		"well, but the page":          {"dashboard", "answered 403", []string{"ANSWER=403"}},
		"stays":                       {"ends", "did not end", []string{"PATIENCE=3"}},
		"leaves it running":           {"ends", "was left running", []string{"PATIENCE=30"}},
	} {
		t.Run(play, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, play, c.env...)
			checks := []string{c.check}
			if c.check != "opens" && c.check != "gatekeeper" {
				// The app is there already, so that a short patience is not spent on waiting for it.
				cmd := exec.Command(r.app+"/Contents/MacOS/Vivarium", "--demo")
				cmd.Env = r.env
				require.NoError(t, cmd.Start())
				go cmd.Wait()
				t.Cleanup(func() { cmd.Process.Kill() })
				require.Eventually(t, func() bool {
					_, err := os.Stat(r.home + "/kept")
					return err == nil
				}, time.Minute, 20*time.Millisecond)
			}
			said, code := r.run(checks...)
			require.Equal(t, 1, code, said)
			require.Contains(t, said, "FAIL  "+c.check)
			require.Contains(t, said, c.says)
			require.Contains(t, said, "1 failed")
		})
	}
}

func TestTheScriptIsOneForAnyShellAndNamesTheAppsOwnIdentifier(t *testing.T) {
	text, err := os.ReadFile("real.sh")
	require.NoError(t, err)
	require.Regexp(t, `^#!/bin/sh\n`, string(text))
	out, err := exec.Command("sh", "-n", "real.sh").CombinedOutput()
	require.NoError(t, err, string(out))
	list, err := os.ReadFile("../Info.plist")
	require.NoError(t, err)
	id := strings.SplitN(strings.SplitN(string(text), "\nid=", 2)[1], "\n", 2)[0]
	require.Contains(t, string(list), "<string>"+id+"</string>")
}

// What CI does need nobody do by hand, and the list for people begins with it.
func TestTheChecklistNamesWhatCIDoes(t *testing.T) {
	script, err := os.ReadFile("real.sh")
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^for name in (.*); do check`).FindStringSubmatch(string(script))
	require.NotNil(t, names)
	list, err := os.ReadFile("../MAC-CHECKLIST.md")
	require.NoError(t, err)
	part := regexp.MustCompile(`(?s)\*\*CI does.*?\n\n`).FindString(string(list))
	var told []string
	for _, m := range regexp.MustCompile("`([a-z]+)`(?:[,. ]|$)").FindAllStringSubmatch(part, -1) {
		if m[1] != "footprint" { // the system's own tool
			told = append(told, m[1])
		}
	}
	require.Equal(t, strings.Fields(names[1]), told)
	require.LessOrEqual(t, strings.Count(string(list), "\n"), 100, "two screens")
}
