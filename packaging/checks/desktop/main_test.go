//go:build e2e && cgo && linux

package desktop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vivarium-app/vivarium/app"
	"github.com/vivarium-app/vivarium/app/tray"
)

// fixture is the variable that turns this test program into a tray which shows what its standard input says.
const fixture = "VIVARIUM_TRAY_FIXTURE"

// noDesktop is rig.sh's exit status when packages are missing.
const noDesktop = 69

// missing says why there is no desktop to test on; "" when this process runs on one.
var missing string

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(fixture) != "":
		serveFixture()
		os.Exit(0)
	case os.Getenv("VIVARIUM_RIG") == "":
		os.Exit(runOnRig(m))
	}
	os.Exit(m.Run())
}

// runOnRig runs this same test program again on a desktop of its own.
func runOnRig(m *testing.M) int {
	if out, err := exec.Command("./rig.sh", "true").CombinedOutput(); err != nil {
		missing = strings.TrimSpace(string(out))
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != noDesktop {
			fmt.Fprintln(os.Stderr, missing)
			return 1
		}
		return m.Run() // each test skips, and says why
	}
	remove, err := build()
	defer remove()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rig := exec.Command("./rig.sh", os.Args...)
	rig.Stdin, rig.Stdout, rig.Stderr = nil, os.Stdout, os.Stderr
	if err := rig.Run(); err != nil {
		return max(1, rig.ProcessState.ExitCode())
	}
	return 0
}

// build makes the programs under test once, unless VIVARIUM_BIN names a folder that has them.
func build() (remove func(), err error) {
	names := []string{"vivarium-menubar", "vivarium-keeper", "vivarium"} // the last one writes the pages
	dir := os.Getenv("VIVARIUM_BIN")
	have := dir != ""
	for _, name := range names {
		_, err := os.Stat(filepath.Join(dir, name))
		have = have && err == nil
	}
	if have {
		return func() {}, nil
	}
	dir, err = os.MkdirTemp("", "vivarium-desktop-")
	if err != nil {
		return func() {}, err
	}
	remove = func() { os.RemoveAll(dir) }
	for _, name := range names {
		out, err := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "../../../cmd/"+name).CombinedOutput()
		if err != nil {
			return remove, fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return remove, os.Setenv("VIVARIUM_BIN", dir)
}

// serveFixture shows each line of standard input, a Menu as JSON, and prints each click; it quits at the end of the input.
func serveFixture() {
	tray.Run(func(t *tray.Tray) {
		go func() {
			out := json.NewEncoder(os.Stdout)
			for a := range t.Actions() {
				_ = out.Encode(a)
			}
		}()
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var menu app.Menu
			if err := json.Unmarshal(lines.Bytes(), &menu); err != nil {
				fmt.Fprintln(os.Stderr, "reading a menu:", err)
				continue
			}
			t.Show(menu)
		}
		t.Quit()
	}, func() { fmt.Println(`"exit"`) })
}
