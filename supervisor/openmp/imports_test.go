package openmp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportLinesAreReadAsPythonReadsThem(t *testing.T) {
	for source, want := range map[string][]string{
		"import a":               {"a"},
		"import a, b.c as d , e": {"a", "b.c", "e"},
		"from a import b":        {"a", "a.b"},
		"from a.b import (c,\n  d as e,  # x\n  f)": {"a.b", "a.b.c", "a.b.d", "a.b.f"},
		"from . import x":    {"pkg.sub", "pkg.sub.x"},
		"from .y import z":   {"pkg.sub.y", "pkg.sub.y.z"},
		"from .. import x":   {"pkg", "pkg.x"},
		"from .... import x": nil,
		"try:\n    import a\nexcept ImportError:\n    import b": {"a", "b"},
		"def f():\n\timport torch; import faiss":                {"torch", "faiss"},
		"if x: import a":                                        {"a"},
		"try: import a":                                         {"a"},
		"import a \\\r\n  , b\r\n":                              {"a", "b"},
		"for x in y[1:2]: import a":                             {"a"},
		"class C: x: int; import a":                             {"a"},
		"import a \\\n  , b":                                    {"a", "b"},
		`"""import no"""` + "\nimport yes":                      {"yes"},
		"x = 'import no' ; import yes":                          {"yes"},
		"'''\nimport no\n'''\nimport yes":                       {"yes"},
		"# import no\nimport yes":                               {"yes"},
		`x = "a\"b" # "` + "\nimport yes":                       {"yes"},
		"x = 'no end\nimport yes":                               {"yes"},
		`"""no end` + "\nimport no":                             nil,
		"imports = 1\nimported = importlib":                     nil,
		"from x import *":                                       {"x"},
		"import für":                                            {"für"},
		"import 1a":                                             nil,
		"yield from a":                                          nil,
		"raise X from e":                                        nil,
		"from":                                                  nil,
		"":                                                      nil,
	} {
		require.Equal(t, want, importsIn(source, []string{"pkg", "sub"}), source)
	}
}

func TestTheBackendsOwnModulesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"main.py":            "import os, fastapi\nfrom core import search\nimport core.deep.down\n",
		"core/__init__.py":   "from . import model\n",
		"core/search.py":     "def f():\n    import faiss\n",
		"core/model.py":      "from torch import nn\nimport core.search, main\n",
		"core/deep/down.py":  "from ..other import x\n",
		"core/other.py":      "import sklearn.cluster\n",
		"unused.py":          "import tensorflow\n",
		"tests/test_main.py": "import pytest\n",
	} {
		full := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	}
	require.Equal(t, []string{"faiss", "fastapi", "os", "sklearn", "torch"}, Imports(dir, "main"))
	require.Equal(t, []string{"litellm"}, Imports(dir, "litellm.proxy"), "an installed server, not the backend's own code")
	require.Equal(t, []string{"main"}, Imports(filepath.Join(dir, "gone"), "main"))
	require.Empty(t, Imports(dir, ""))
}

func TestAFolderWithoutCodeHidesNoPackage(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"main.py": "import faiss\nimport plain.below\n", "faiss/index.bin": "", "plain/below.py": "import torch\n",
		"served/__init__.py": "", "served/__main__.py": "import sklearn\n",
	} {
		full := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	}
	require.Equal(t, []string{"faiss", "plain", "torch"}, Imports(dir, "main"), "Python prefers an installed package to a folder without __init__.py")
	require.Equal(t, []string{"sklearn"}, Imports(dir, "served"), "python -m served runs its __main__")
}

func FuzzImports(f *testing.F) {
	for _, s := range []string{"import a", "from . import b", `"""`, "x = 'a\\", "from a import (b,\n", "import a;;:;from"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, name := range importsIn(source, []string{"p"}) {
			if !isDotted(name) {
				t.Fatalf("%q", name)
			}
		}
	})
}

// met is an environment whose packages bring these runtimes.
func met() Environment {
	at := func(path, pkg string, flavor Flavor, users ...string) Runtime {
		r := Runtime{Path: "/e/" + path, Real: "/e/" + path, Flavor: flavor, Package: pkg}
		for _, u := range users {
			r.Users = append(r.Users, User{Path: "/e/" + u + ".so", Package: u})
		}
		return r
	}
	return Environment{
		Runtimes: []Runtime{
			at("faiss/libomp.dylib", "faiss-cpu", LLVM, "faiss-cpu"), at("mkl/libiomp5.dylib", "mkl", Intel, "mkl"),
			at("sklearn/libgomp.so", "scikit-learn", GNU, "scikit-learn"), at("torch/libomp.dylib", "torch", LLVM), at("xgb/libgomp.so", "xgboost", GNU, "xgboost"),
		},
		Packages: []Package{
			{Name: "faiss-cpu", Modules: []string{"faiss"}, Requires: []string{"numpy"}}, {Name: "mkl", Modules: nil}, {Name: "numpy", Modules: []string{"numpy"}},
			{Name: "sentence-transformers", Modules: []string{"sentence_transformers"}, Requires: []string{"scikit-learn", "torch"}},
			{Name: "scikit-learn", Modules: []string{"sklearn"}}, {Name: "torch", Modules: []string{"torch"}, Requires: []string{"mkl"}}, {Name: "xgboost", Modules: []string{"xgboost"}},
		},
	}
}

func TestAPredictionNamesWhatMeetsAndWhatComesOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		imports  []string
		change   func(*Environment)
		outcome  Outcome
		packages []string
		summary  string
	}{
		"nothing":                            {[]string{"fastapi"}, nil, Harmless, nil, "no OpenMP runtime"},
		"one":                                {[]string{"faiss", "numpy"}, nil, Harmless, []string{"faiss-cpu"}, "one OpenMP runtime (faiss-cpu)"},
		"a pair of one family":               {[]string{"faiss", "torch"}, func(e *Environment) { e.Packages[5].Requires = nil }, Aborts, []string{"faiss-cpu", "torch"}, "2 OpenMP runtimes meet in one process (faiss-cpu, torch)"},
		"Intel's with LLVM's":                {[]string{"torch"}, nil, Aborts, []string{"mkl", "torch"}, "(mkl, torch)"},
		"by what a package needs":            {[]string{"sentence_transformers", "faiss"}, nil, Aborts, []string{"faiss-cpu", "mkl", "scikit-learn", "torch"}, "3 OpenMP runtimes"},
		"LLVM's with GNU's":                  {[]string{"faiss", "sklearn"}, nil, Degrades, []string{"faiss-cpu", "scikit-learn"}, "LLVM's and GNU's"},
		"two of GNU's":                       {[]string{"xgboost", "sklearn"}, nil, Degrades, []string{"scikit-learn", "xgboost"}, "2 copies of GNU's"},
		"two names of one file are one":      {[]string{"faiss", "torch"}, func(e *Environment) { e.Packages[5].Requires = nil; e.Runtimes[0].Real = e.Runtimes[3].Real }, Harmless, []string{"faiss-cpu", "torch"}, "one OpenMP runtime"},
		"one that is inside cannot be cured": {[]string{"faiss", "torch"}, func(e *Environment) { e.Packages[5].Requires = nil; e.Runtimes[0].Static = true }, Aborts, []string{"faiss-cpu", "torch"}, "2 OpenMP"},
	} {
		t.Run(name, func(t *testing.T) {
			env := met()
			if c.change != nil {
				c.change(&env)
			}
			p := Predict(env, c.imports, "darwin")
			require.Equal(t, c.outcome, p.Outcome, p.Summary)
			require.Equal(t, c.packages, p.Packages)
			require.Contains(t, p.Summary, c.summary)
			require.Equal(t, c.outcome != Harmless, p.Remedy != "")
			require.Equal(t, c.outcome == Aborts && !slices.ContainsFunc(p.Together, func(r Runtime) bool { return r.Static }), c.outcome == Aborts && strings.Contains(p.Remedy, "doctor --fix"))
		})
	}
}

func TestWhatIsLoadedIsJudgedByWhatItIs(t *testing.T) {
	env := met()
	p := Judge(env, []string{"/e/faiss/libomp.dylib", "/e/torch/libomp.dylib"}, "linux")
	require.Equal(t, Aborts, p.Outcome)
	p = Judge(env, []string{"/e/faiss/libomp.dylib", "/usr/lib/libgomp.so.1"}, "linux")
	require.Equal(t, Degrades, p.Outcome)
	require.Contains(t, p.Summary, "libgomp.so.1")
	require.Equal(t, Harmless, Judge(env, nil, "linux").Outcome)
}
