package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// launchers is a project with an environment, one below it, and the launchers on PATH.
func launchers(t *testing.T) *testkit.Mac {
	m := ready(t)
	for _, name := range []string{"uv", "poetry", "pdm", "conda", "env"} {
		require.NoError(t, os.Chmod(m.Put("/usr/local/bin/"+name, "binary"), 0o755))
	}
	m.Env["PATH"] = filepath.Dir(m.Put("/usr/local/bin/x", ""))
	m.Put(m.Dir+"/other/.venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.12.1\n")
	require.NoError(t, os.Chmod(m.Put(m.Dir+"/other/.venv/bin/python", "binary"), 0o755))
	m.Put(m.Dir+"/.env", "FROM=here\n")
	m.Put(m.Dir+"/other/own.env", "FROM=other\n")
	return m
}

// A server finds its modules and its files from where it is started.
func TestWithoutItsLauncherAServerStartsInTheSameFolder(t *testing.T) {
	m := launchers(t)
	for command, dir := range map[string]string{
		"uv run server.py":                              m.Dir,
		"uv run --directory other server.py":            m.Dir + "/other",
		"uv --directory=other run server.py":            m.Dir + "/other",
		"uv run --directory " + m.Dir + "/other -m pkg": m.Dir + "/other",
		"uv run --project other server.py":              m.Dir,
		"poetry -C other run python server.py":          m.Dir + "/other",
		"poetry --directory other run python server.py": m.Dir + "/other",
		"poetry -P other run python server.py":          m.Dir,
		"pdm run -p other python server.py":             m.Dir,
		"conda run -p .venv python server.py":           m.Dir,
		"{python} server.py":                            m.Dir,
	} {
		p := planOf(m, func(c *config.Config) { c.Command = strings.Fields(command) })
		require.True(t, strings.HasSuffix(p.Spec.Argv[0], "/bin/python"), "%s: %q", command, p.Spec.Argv)
		require.Equal(t, dir, p.Spec.Dir, command)
	}
}

func TestAnEnvFileOfALauncherIsReadWhereTheLauncherReadsIt(t *testing.T) {
	m := launchers(t)
	for command, want := range map[string]string{
		"uv run --env-file other/own.env server.py":               "other",
		"uv run --directory other --env-file own.env server.py":   "other",
		"uv run --env-file " + m.Dir + "/other/own.env server.py": "other",
	} {
		p := planOf(m, func(c *config.Config) { c.Command = strings.Fields(command) })
		require.True(t, strings.HasSuffix(p.Spec.Argv[0], "/bin/python"), "%s: %q %q", command, p.Spec.Argv, p.Warnings)
		got, _ := envOf(p, "FROM")
		require.Equal(t, want, got, command)
	}
}

// Packages have many spellings, and the folder of each has the one of its maker.
func TestAPackageThatALauncherAsksForIsFoundInEverySpelling(t *testing.T) {
	m := launchers(t)
	for _, folder := range []string{"PyYAML-6.0.2.dist-info", "ruamel.yaml-0.18.dist-info", "scikit_learn-1.5.0.dist-info", "rich_click-1.8.dist-info"} {
		m.Put(siteOf(m)+"/"+folder+"/METADATA", "")
	}
	for name, there := range map[string]bool{
		"pyyaml": true, "PyYAML": true, "ruamel-yaml": true, "ruamel.yaml": true, "scikit-learn": true, "Scikit_Learn": true, "rich-click": true,
		"rich": false, "yaml": false, "scikit": false, "scikit-learn-extra": false, "*": false, "..": false, "pyyaml>=6": false, "./pyyaml": false,
	} {
		p := planOf(m, func(c *config.Config) { c.Command = []string{"uv", "run", "--with", name, "server.py"} })
		require.Equal(t, there, strings.HasSuffix(p.Spec.Argv[0], "/bin/python"), "%s: %q", name, p.Spec.Argv)
		require.Equal(t, !there, strings.Contains(strings.Join(p.Warnings, "\n"), "has not what it asks for"), name)
	}
}

// A program that the environment has is started by the environment's Python; one that is none of Python's is started as it is.
func TestWhatStandsBehindALauncherIsStartedAsItIs(t *testing.T) {
	m := launchers(t)
	binary := m.Put(m.Dir+"/.venv/bin/serve", "\x7fELF")
	require.NoError(t, os.Chmod(binary, 0o755))
	require.NoError(t, os.MkdirAll(m.Dir+"/.venv/bin/folder", 0o755))
	for command, want := range map[string]string{
		"uv run serve --port {port}": binary + " --port 8000",
		"uv run ./serve":             "uv run ./serve",
		"uv run folder":              "uv run folder",
		"uv run":                     "uv run",
		"uv run --":                  "uv run --",
		"uv run --with":              "uv run --with",
	} {
		p := planOf(m, func(c *config.Config) { c.Command = strings.Fields(command) })
		if strings.HasPrefix(want, "uv ") {
			want = "/usr/local/bin/" + want
		}
		require.True(t, strings.HasSuffix(strings.Join(p.Spec.Argv, " "), want), "%s: %q", command, p.Spec.Argv)
	}
}
