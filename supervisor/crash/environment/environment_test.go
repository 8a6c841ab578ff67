package environment

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// update writes what is expected anew, to be read by a person before it is committed.
var update = flag.Bool("update", false, "write testdata anew")

var names = []string{
	"KMP_DUPLICATE_LIB_OK", "DYLD_INSERT_LIBRARIES", "OMP_NUM_THREADS", "KMP_AFFINITY", "MKL_THREADING_LAYER",
	"OBJC_DISABLE_INITIALIZE_FORK_SAFETY", "PYTHONWARNINGS", "PYTHONFAULTHANDLER", "PYTHONUNBUFFERED",
}

func namesOf(vars []Var) []string {
	var all []string
	for _, v := range vars {
		all = append(all, v.Name)
	}
	return all
}

func valueOf(env []string, name string) (string, bool) {
	for _, e := range env {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v, true
		}
	}
	return "", false
}

func varOf(t *testing.T, vars []Var, name string) Var {
	t.Helper()
	for _, v := range vars {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("%s was not applied", name)
	return Var{}
}

func TestTheTableHoldsTheNineVariablesWithTheirReasons(t *testing.T) {
	vars := Table()
	require.Equal(t, names, namesOf(vars))
	for _, v := range vars {
		require.NotEmpty(t, v.Value, v.Name)
		require.Greater(t, len(v.Why), 60, v.Name)
		require.True(t, strings.HasSuffix(v.Why, "."), v.Name)
		require.Equal(t, FromVivarium, v.From)
		mac := strings.HasPrefix(v.Name, "DYLD_") || strings.HasPrefix(v.Name, "OBJC_")
		require.Equal(t, mac, v.Only == "darwin", v.Name)
	}
	vars[0].Value = "changed"
	require.NotEqual(t, "changed", Table()[0].Value, "the table is a copy")
}

func TestTheEnvironmentIsTheGoldenOne(t *testing.T) {
	parent := []string{"PATH=/usr/bin:/bin", "HOME=/Users/ada", "OMP_NUM_THREADS=32", "DYLD_LIBRARY_PATH=/opt/homebrew/lib",
		"DYLD_INSERT_LIBRARIES=/inherited.dylib", "PYTHONWARNINGS=default", "VIVARIUM_RUN=another", "VIVARIUM_HOME=/v", "EMPTY="}
	for _, goos := range []string{"darwin", "linux"} {
		for name, o := range map[string]Options{
			"defaults": {},
			"torch":    {Libomp: "/b/.venv/lib/python3.11/site-packages/torch/lib/libomp.dylib"},
			"no-torch": {NoLibomp: "torch is not installed in this environment"},
			"overridden": {
				Libomp:  "/b/.venv/lib/python3.11/site-packages/torch/lib/libomp.dylib",
				EnvFile: map[string]string{"OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "error", "TOKEN": "from env_file", "HOME": "/elsewhere"},
				Own:     map[string]string{"OMP_NUM_THREADS": "1", "KMP_AFFINITY": "", "DYLD_INSERT_LIBRARIES": "/own.dylib", "TOKEN": "from toml", "EMPTY": ""},
			},
		} {
			t.Run(goos+" "+name, func(t *testing.T) {
				o.GOOS = goos
				env, applied := Of(parent, o)
				require.True(t, slices.IsSorted(env))
				got := strings.Join(env, "\n") + "\n-- applied --\n"
				for _, v := range applied {
					got += fmt.Sprintf("%s=%s unset:%t from:%s\n", v.Name, v.Value, v.Unset, v.From)
				}
				golden(t, filepath.Join("testdata", goos+"-"+name+".txt"), got)
			})
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestTheLaterSourceWins(t *testing.T) {
	steps := []struct {
		o           Options
		value, from string
	}{
		{Options{}, "4", FromVivarium},
		{Options{EnvFile: map[string]string{"OMP_NUM_THREADS": "2"}}, "2", FromEnvFile},
		{Options{EnvFile: map[string]string{"OMP_NUM_THREADS": "2"}, Own: map[string]string{"OMP_NUM_THREADS": "1"}}, "1", FromEnvironment},
		{Options{EnvFile: map[string]string{"OMP_NUM_THREADS": ""}}, "", FromEnvFile},
	}
	for _, s := range steps {
		env, applied := Of([]string{"OMP_NUM_THREADS=99"}, s.o)
		value, ok := valueOf(env, "OMP_NUM_THREADS")
		require.True(t, ok)
		require.Equal(t, s.value, value)
		v := varOf(t, applied, "OMP_NUM_THREADS")
		require.Equal(t, s.value, v.Value)
		require.Equal(t, s.from, v.From)
		require.False(t, v.Unset)
	}
}

func TestAnEmptyValueInTheConfigurationLeavesAnyVariableUnset(t *testing.T) {
	own := map[string]string{"HOME": "", "NEW": ""}
	for _, n := range names {
		own[n] = ""
	}
	env, applied := Of([]string{"HOME=/h", "PYTHONWARNINGS=error", "DYLD_INSERT_LIBRARIES=/x", "OMP_NUM_THREADS=8", "KEPT=1"},
		Options{GOOS: "darwin", Libomp: "/l", EnvFile: map[string]string{"PYTHONWARNINGS": "once"}, Own: own})
	require.Equal(t, []string{"KEPT=1"}, env)
	for _, v := range applied {
		require.True(t, v.Unset, v.Name)
		require.Empty(t, v.Value)
		require.Equal(t, FromEnvironment, v.From)
	}
}

func TestTheListsAreJoinedSoThatTheLaterSourceHasTheGreaterEffect(t *testing.T) {
	const ours = "ignore::UserWarning:multiprocessing.resource_tracker"
	env, applied := Of([]string{"PYTHONWARNINGS=a,b", "DYLD_INSERT_LIBRARIES=/in:/torch"}, Options{
		GOOS: "darwin", Libomp: "/torch",
		EnvFile: map[string]string{"PYTHONWARNINGS": "c", "DYLD_INSERT_LIBRARIES": "/file"},
		Own:     map[string]string{"PYTHONWARNINGS": "a", "DYLD_INSERT_LIBRARIES": "/own"},
	})
	value, _ := valueOf(env, "PYTHONWARNINGS")
	require.Equal(t, "b,"+ours+",c,a", value, "of Python's filters the last that matches wins")
	value, _ = valueOf(env, "DYLD_INSERT_LIBRARIES")
	require.Equal(t, "/own:/file:/torch:/in", value, "the first library is loaded first")
	require.Equal(t, "inherited + vivarium + env_file + [environment]", varOf(t, applied, "PYTHONWARNINGS").From)
}

func TestWithoutALibraryToInsertTheReasonIsTold(t *testing.T) {
	env, applied := Of(nil, Options{GOOS: "darwin", NoLibomp: "torch is not installed in this environment"})
	_, ok := valueOf(env, "DYLD_INSERT_LIBRARIES")
	require.False(t, ok)
	v := varOf(t, applied, "DYLD_INSERT_LIBRARIES")
	require.True(t, v.Unset)
	require.Contains(t, v.Why, "Not set here: torch is not installed in this environment.")
}

func TestVariablesOfMacOSAreSetOnMacOSOnly(t *testing.T) {
	env, applied := Of(nil, Options{GOOS: "linux", Libomp: "/torch"})
	require.NotContains(t, strings.Join(env, "\n"), "DYLD_")
	require.NotContains(t, strings.Join(env, "\n"), "OBJC_")
	require.Len(t, applied, 7)
	_, applied = Of(nil, Options{GOOS: "darwin", Libomp: "/torch"})
	require.Len(t, applied, 9)
}

func TestAnInheritedRunIsNeverPassedOn(t *testing.T) {
	env, _ := Of([]string{"VIVARIUM_RUN=a", "VIVARIUM_HOME=/v"}, Options{
		EnvFile: map[string]string{"VIVARIUM_RUN": "b"}, Own: map[string]string{"VIVARIUM_RUN": "c"}})
	_, ok := valueOf(env, "VIVARIUM_RUN")
	require.False(t, ok)
	home, _ := valueOf(env, "VIVARIUM_HOME")
	require.Equal(t, "/v", home)
}

func TestOddEntriesOfTheParentAreSurvived(t *testing.T) {
	parent := []string{"A=1", "=C:=x", "broken", "", "A=2", "B=x=y"}
	before := slices.Clone(parent)
	env, _ := Of(parent, Options{})
	require.Equal(t, before, parent)
	a, _ := valueOf(env, "A")
	require.Equal(t, "2", a, "the last counts, as in os/exec")
	b, _ := valueOf(env, "B")
	require.Equal(t, "x=y", b)
	require.Len(t, env, 7+2)
}

func TestInListComparesListsByTheirEntries(t *testing.T) {
	for _, tt := range []struct {
		name, value, want string
		in                bool
	}{
		{"OMP_NUM_THREADS", "4", "4", true},
		{"OMP_NUM_THREADS", "14", "4", false},
		{"PYTHONWARNINGS", "error,ignore", "ignore", true},
		{"PYTHONWARNINGS", "error,ignore2", "ignore", false},
		{"DYLD_INSERT_LIBRARIES", "/a:/b:/c", "/c:/a", true},
		{"DYLD_INSERT_LIBRARIES", "/a", "/a:/b", false},
		{"DYLD_INSERT_LIBRARIES", "", "/a", false},
	} {
		require.Equal(t, tt.in, InList(tt.name, tt.value, tt.want), "%+v", tt)
	}
}

func FuzzEnv(f *testing.F) {
	f.Add("A=1\nPYTHONWARNINGS=,,x,", "OMP_NUM_THREADS", "1", "darwin")
	f.Add("DYLD_INSERT_LIBRARIES=:::", "DYLD_INSERT_LIBRARIES", ":", "darwin")
	f.Fuzz(func(t *testing.T, parent, name, value, goos string) {
		o := Options{GOOS: goos, Libomp: value, EnvFile: map[string]string{name: value}, Own: map[string]string{name + "2": value}}
		env, applied := Of(strings.Split(parent, "\n"), o)
		if !slices.IsSorted(env) {
			t.Fatal("not sorted")
		}
		for _, v := range applied {
			got, ok := valueOf(env, v.Name)
			if ok == v.Unset || ok && got != v.Value {
				t.Fatalf("%+v, but the environment says %q %v", v, got, ok)
			}
		}
	})
}

func BenchmarkEnv(b *testing.B) {
	var parent []string
	for i := range 60 {
		parent = append(parent, fmt.Sprintf("NAME_%d=some value of it", i))
	}
	for b.Loop() {
		Of(parent, Options{GOOS: "darwin", Libomp: "/x"})
	}
}
