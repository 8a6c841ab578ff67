//go:build e2e

package stalls

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/recorder"
)

// Others who are in the process before or beside the recorder: programs that embed Python, and agents with a sitecustomize of their own.

// embedding builds the program of testdata against the python3 on PATH.
func embedding(t *testing.T) string {
	t.Helper()
	flags := func(what ...string) []string {
		out, err := exec.Command("python3-config", what...).Output()
		if err != nil {
			t.Skipf("python3-config is not there: %v", err)
		}
		return strings.Fields(string(out))
	}
	program := filepath.Join(t.TempDir(), "embed")
	args := slices.Concat([]string{"-o", program, "testdata/embed.c"}, flags("--cflags", "--embed"), flags("--ldflags", "--embed"), []string{"-lpthread"})
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Skipf("no program with Python in it can be built: %v: %s", err, out)
	}
	return program
}

func TestAProgramThatEmbedsPythonIsNotDisturbed(t *testing.T) {
	linuxOnly(t)
	program := embedding(t)
	prefix, err := exec.Command("python3", "-c", "import sys; print(sys.base_prefix)").Output()
	require.NoError(t, err)
	home := "PYTHONHOME=" + strings.TrimSpace(string(prefix))
	for how, asked := range map[string]bool{"embedded": true, "subinterpreter": true, "frozen": false, "thread": false} {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			bare := r.launch([]string{home, "VIVARIUM_RUN="}, program, how) // the file is there, and does nothing
			bare.says("up\n")
			p := r.launch([]string{home}, program, how)
			p.says("up\n")
			require.Equal(t, bare.out.String(), p.out.String())
			got, err := p.asker.Ask(t.Context(), recorder.Target{PID: p.cmd.Process.Pid})
			require.True(t, p.alive())
			if !asked { // there is no recorder, or Python's main thread is over and runs nothing
				require.True(t, err != nil || got.Silent, "%+v", got)
				return
			}
			require.NoError(t, err)
			require.True(t, got.Stacks.Threads[0].Main)
			require.Positive(t, p.storm(p.cmd.Process.Pid, 50, every(3*time.Millisecond)))
			require.True(t, p.alive())
		})
	}
}

func agent(t *testing.T, program string) string {
	t.Helper()
	dir, err := withAgents()
	if err != nil {
		t.Skipf("the packages cannot be had: %v", err)
	}
	return filepath.Join(dir, "bin", program)
}

const whoseSitecustomize = `import sys
m = sys.modules.get("sitecustomize")
print("sitecustomize", m and m.__file__, flush=True)
print("recorder", [p for p in sys.path if "recorder" in p], flush=True)
print("traced", sorted(n for n in sys.modules if n in ("ddtrace", "opentelemetry", "opentelemetry.instrumentation.auto_instrumentation")), flush=True)
print("up", flush=True)
import time
time.sleep(100000)
`

func TestAnAgentsOwnSitecustomizeRunsAsIfOursWereNotThere(t *testing.T) {
	linuxOnly(t)
	quiet := []string{"DD_TRACE_ENABLED=false", "DD_INSTRUMENTATION_TELEMETRY_ENABLED=false", "DD_REMOTE_CONFIGURATION_ENABLED=false", "DD_TRACE_STARTUP_LOGS=false",
		"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "OTEL_SDK_DISABLED=true"}
	python := agent(t, "python")
	out, err := exec.Command(python, "-c", "import ddtrace, os; print(os.path.join(os.path.dirname(ddtrace.__file__), 'bootstrap'))").Output()
	require.NoError(t, err)
	bootstrap := strings.TrimSpace(string(out))
	const otel = "opentelemetry/instrumentation/auto_instrumentation"
	for name, c := range map[string]struct {
		env  []string
		args []string
		own  string // in the path of sitecustomize
		// alone: the agent puts its own in front and runs no other, so that the recorder is not there.
		alone bool
	}{
		"ddtrace-run":                 {nil, []string{agent(t, "ddtrace-run"), python, "main.py"}, "ddtrace/bootstrap", false},
		"ddtrace by PYTHONPATH":       {[]string{"PYTHONPATH=" + bootstrap}, []string{python, "main.py"}, "ddtrace/bootstrap", false},
		"opentelemetry-instrument":    {nil, []string{agent(t, "opentelemetry-instrument"), python, "main.py"}, otel, true},
		"opentelemetry by PYTHONPATH": {[]string{"PYTHONPATH=" + filepath.Join(filepath.Dir(filepath.Dir(bootstrap)), otel)}, []string{python, "main.py"}, otel, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "main.py"), []byte(whoseSitecustomize), 0o644))
			env := append(slices.Clone(quiet), c.env...)
			bare := r.launch(append(env, "VIVARIUM_RUN="), c.args...)
			bare.says("up\n")
			p := r.launch(env, c.args...)
			p.says("up\n")
			// Whether the recorder's folder comes before or after an agent's, it takes itself out of the way.
			require.Equal(t, lines(bare.out.String(), "sitecustomize", "traced"), lines(p.out.String(), "sitecustomize", "traced"))
			require.Contains(t, p.out.String(), c.own)
			if c.alone {
				require.Error(t, recorder.Reached(p.asker.Folder, recorder.Target{PID: p.cmd.Process.Pid}, recorder.Real()))
				return
			}
			require.Contains(t, p.out.String(), "recorder []")
			p.recorded()
			got, err := p.asker.Ask(t.Context(), recorder.Target{PID: p.cmd.Process.Pid})
			require.NoError(t, err)
			require.True(t, got.Stacks.Threads[0].Main)
			require.Positive(t, p.storm(p.cmd.Process.Pid, 50, every(3*time.Millisecond)))
			require.True(t, p.alive())
		})
	}
}

// lines are those of an output that begin with one of the words.
func lines(out string, words ...string) []string {
	var found []string
	for line := range strings.Lines(out) {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(line, w+" ") }) {
			found = append(found, line)
		}
	}
	return found
}
