//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// dying is a rig with a server that dies as its arguments say. It is not restarted, so that run ends with it.
func dying(t *testing.T, args ...string) *rig {
	t.Helper()
	_, err := exec.LookPath("python3")
	needs(t, err == nil, "python3 is not installed")
	words, err := json.Marshal(append([]string{"{python}", "main.py"}, args...))
	require.NoError(t, err)
	r := newRig(t, "deaths", "")
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "vivarium.toml"),
		fmt.Appendf(nil, "name = \"dying\"\nport = 0\ncommand = %s\n[health]\npath = \"\"\n[restart]\npolicy = \"never\"\n", words), 0o644))
	return r
}

// death is a line of `vivarium crashes --json`.
type death struct {
	Signal  string
	Code    *int
	Verdict struct{ Kind, Summary, Remedy, Line string }
	Worker  int
	First   string
	Record  string
	Report  string
}

// deaths are what is on record.
func (r *rig) deaths() []death {
	r.t.Helper()
	out, code := r.do("crashes", "--json", r.dir)
	require.Zero(r.t, code, out)
	var all []death
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var one death
		require.NoError(r.t, d.Decode(&one))
		all = append(all, one)
	}
	return all
}

func TestRealDeathsAreJudgedRight(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() }) // not defer: the parallel tests run after this function
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		args    []string
		signal  string
		code    int
		kinds   string // any of these
		summary string // is part of it
		remedy  string // is part of it
	}{
		"a segmentation fault in C":                 {[]string{"segfault"}, "SIGSEGV", 0, "segfault", "", ""},
		"a segmentation fault in a thread":          {[]string{"segfault_in_a_thread"}, "SIGSEGV", 0, "segfault", "", ""},
		"an abort":                                  {[]string{"abort"}, "SIGABRT", 0, "abort", "", ""},
		"C's stack overflows":                       {[]string{"stack_overflow"}, "SIGSEGV", 0, "stack-overflow", "", ""},
		"an exception at startup":                   {[]string{"exception"}, "", 1, "uncaught-exception", "ValueError: no model", "main.py"},
		"an exception at import":                    {[]string{"import_error"}, "", 1, "uncaught-exception", "the weights are not there", "broken.py"},
		"a chain of exceptions":                     {[]string{"chained"}, "", 1, "uncaught-exception", "the index is broken", "main.py"},
		"an exception in a thread is not the cause": {[]string{"exception_in_a_thread"}, "", 7, "exit-code", "7", ""},
		"endless recursion":                         {[]string{"recursion"}, "", 1, "stack-overflow", "Recursion", ""},
		"exit code 3":                               {[]string{"leave", "3"}, "", 3, "exit-code", "3", ""},
		"exit code 42":                              {[]string{"leave", "42"}, "", 42, "exit-code", "42", ""},
		"a missing module":                          {[]string{"missing_module"}, "", 1, "missing-module", "nothing_of_this_name", "pip install nothing_of_this_name"},
		"too many open files":                       {[]string{"files"}, "", 1, "too-many-files", "", ""},
		"Python's own want of memory":               {[]string{"memory"}, "", 1, "out-of-memory", "emory", ""},
		"a taken port":                              {[]string{"port", port}, "", 1, "port-taken", "port", ""},
		"a broken pool of processes":                {[]string{"pool"}, "", 1, "worker-died", "", ""},
		"leaked semaphores are no cause":            {[]string{"semaphores"}, "SIGSEGV", 0, "segfault", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := dying(t, c.args...)
			f := r.run()
			crashed := f.await("crashed")
			require.Equal(t, c.signal, crashed.Signal)
			require.Equal(t, c.code, crashed.Code)
			f.ended(1)
			all := r.deaths()
			require.Len(t, all, 1)
			v := all[0].Verdict
			require.Contains(t, strings.Fields(c.kinds), v.Kind, "%+v", v)
			require.Contains(t, v.Summary, c.summary)
			require.Contains(t, v.Remedy, c.remedy)
			require.NotContains(t, v.Line+v.Summary, "leaked")
			require.FileExists(t, all[0].Record)
			require.FileExists(t, all[0].Report)
			if c.signal == "" { // evidence on native deaths may come later
				require.Equal(t, crashed.Verdict.Kind, v.Kind)
			}
		})
	}
}

func TestACleanExitThatNobodyAskedForIsNoCrash(t *testing.T) {
	t.Parallel()
	r := dying(t, "leave", "0")
	f := r.run()
	stopped := f.await("stopped")
	require.Equal(t, "clean-exit", stopped.Verdict.Kind)
	f.ended(0)
	require.Empty(t, f.seen("crashed"))
}

func TestASignalFromOutsideIsNamed(t *testing.T) {
	t.Parallel()
	for sig, kind := range map[syscall.Signal]string{syscall.SIGKILL: "killed", syscall.SIGTERM: "ended-by-other", syscall.SIGHUP: "ended-by-other", syscall.SIGUSR1: "signal"} {
		t.Run(kind+" "+sig.String(), func(t *testing.T) {
			t.Parallel()
			r := dying(t, "wait")
			f := r.run()
			pid := f.await("healthy").PID
			require.NoError(t, syscall.Kill(pid, sig))
			crashed := f.await("crashed")
			require.Equal(t, kind, crashed.Verdict.Kind)
			require.Equal(t, pid, crashed.PID)
			f.ended(1)
			require.Equal(t, kind, r.deaths()[0].Verdict.Kind, "nothing makes it out of memory")
		})
	}
}

func TestAHungServerThatIsRestartedIsToldAsThat(t *testing.T) {
	t.Parallel()
	r := twin(t, attentive+"restart_hung = true\n[stop]\ngrace = \"500ms\"\n")
	f := r.run()
	first := f.await("healthy").PID
	r.behind("/hang")
	crashed := f.await("crashed")
	require.Equal(t, "hung", crashed.Verdict.Kind)
	require.NotEqual(t, first, f.await("healthy").PID)
	require.Equal(t, "hung", r.deaths()[0].Verdict.Kind)
	f.stop()
}

func TestTwoRuntimesByHandAreNamed(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("/usr/lib/llvm-*/lib/libomp.so.5")
	require.NoError(t, err)
	needs(t, len(found) > 0, "LLVM's libomp is not installed (Debian: libomp5-14)")
	r := dying(t, "two_runtimes", found[0], "second/libomp.so")
	lib, err := os.ReadFile(found[0])
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(r.dir, "second"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "second", "libomp.so"), lib, 0o755))
	config, err := os.ReadFile(filepath.Join(r.dir, "vivarium.toml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "vivarium.toml"), append(config, "[environment]\nKMP_DUPLICATE_LIB_OK = \"\"\n"...), 0o644))
	f := r.run()
	crashed := f.await("crashed")
	_ = os.Remove(fmt.Sprintf("/dev/shm/__KMP_REGISTERED_LIB_%d_%d", crashed.PID, os.Getuid())) // what the abort leaves
	require.Equal(t, "SIGABRT", crashed.Signal)
	require.Equal(t, "openmp-duplicate", crashed.Verdict.Kind)
	f.ended(1)
}

// recordedDeath is as much of a recorded death as the tests look at.
type recordedDeath struct {
	Tail     []string
	Env      []struct{ Name, Value string }
	EnvNames []string `json:"env_names"`
	Samples  []struct{ RSS uint64 }
	Versions map[string]string
	OpenMP   []struct{ Path, Package string }
	Loaded   []string
	Memory   struct {
		OOM    bool
		Source string
	}
}

func (r *rig) deathRecord(d death) recordedDeath {
	r.t.Helper()
	text, err := os.ReadFile(d.Record)
	require.NoError(r.t, err)
	var one recordedDeath
	require.NoError(r.t, json.Unmarshal(text, &one))
	return one
}

func TestTheRecordOfADeathHasTheEvidenceAndNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "sk-verysecret0123456789abcdef"
	r := twin(t, quick, "TWIN_DIE_AFTER=2", "OPENAI_API_KEY="+secret)
	f := r.run()
	f.await("healthy")
	f.await("crashed")
	f.await("healthy")
	f.stop()
	d := r.deaths()[0]
	rec := r.deathRecord(d)
	require.NotEmpty(t, rec.Samples)
	require.NotZero(t, rec.Samples[len(rec.Samples)-1].RSS)
	require.Contains(t, rec.EnvNames, "OPENAI_API_KEY")
	require.True(t, slices.ContainsFunc(rec.Env, func(v struct{ Name, Value string }) bool { return v.Name == "OMP_NUM_THREADS" && v.Value == "4" }))
	require.Contains(t, rec.Versions, "Python")
	for _, file := range []string{d.Record, d.Report} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(text), secret, file)
		st, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), st.Mode().Perm(), file)
	}
}

func TestStatusCountsTheCrashesOfTheDay(t *testing.T) {
	t.Parallel()
	r := twin(t, quick)
	f := r.run()
	for range 3 {
		f.await("healthy")
		r.behind("/crash?how=SIGSEGV")
		f.await("crashed")
	}
	f.await("healthy")
	out, code := r.do("status", r.dir)
	require.Zero(t, code, out)
	require.Contains(t, out, "3 crashes today, all: ")
	eventually(t, "the report is known", func() bool {
		out, _ := r.do("status", r.dir)
		return strings.Contains(out, ".html")
	})
	out, _ = r.do("status", "--json", r.dir)
	require.Contains(t, out, `"crashes":3`)
	require.Equal(t, 3, len(r.deaths()))
	f.stop()
	out, _ = r.do("status", r.dir)
	require.Contains(t, out, "3 crashes today, all: ", "also when nobody keeps it")
}
