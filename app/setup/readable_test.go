package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor/config"
)

// written is the configuration that init writes for the folder, as it is read at the next start.
func written(t *testing.T, dir string) config.Config {
	t.Helper()
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	_, err = f.Write(WriteOptions{Force: true, Environment: true})
	require.NoError(t, err)
	c, err := config.Load(dir)
	require.NoError(t, err)
	return c
}

func TestWhatIsWrittenForAFolderOfAnyNameCanBeRead(t *testing.T) {
	for folder, name := range map[string]string{
		"a b": "a b", `q"uote`: `q"uote`, `back\slash`: `back\slash`, "ünï": "ünï", "{python}": "{python}", "[x]": "[x]", "'": "'",
		"new\nline": "new_line", "tab\tx": "tab_x", "del\x7f": "del_", "esc\x1b[31m": "esc_[31m", "\u202eturned": "_turned", "x\u2028y": "x_y",
		" ": "backend", " lead": "lead", strings.Repeat("long", 40): strings.Repeat("long", 16),
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(testkit.ShortDir(t), folder)
			require.NoError(t, os.Mkdir(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "main.py"), []byte(testkit.FastAPI), 0o644))
			c := written(t, dir)
			require.Equal(t, name, c.Name)
			require.Equal(t, dir, c.Dir)
			require.Contains(t, c.Command, "main:app")
		})
	}
}

func TestAVariableThatSeveralFilesSetIsWrittenOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a script and a Procfile: the script's", map[string]string{
			"start.sh": "#!/bin/sh\nexport MODEL=big\nuvicorn main:app --port 8001\n",
			"Procfile": "web: MODEL=small uvicorn main:app --port 8001\n",
		}, "big"},
		{"two processes of a Procfile: the first's", map[string]string{
			"Procfile": "web: MODEL=small uvicorn main:app --port 8001\nother: MODEL=tiny uvicorn main:app --port 8002\n",
		}, "small"},
		{"two scripts: the more telling one's", map[string]string{
			"start.sh": "#!/bin/sh\nexport MODEL=big\nuvicorn main:app --port 8001\n",
			"run.sh":   "#!/bin/sh\nexport MODEL=small\nuvicorn main:app --port 8001\n",
		}, "big"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.files["main.py"] = testkit.FastAPI
			dir := testkit.Folder(t, c.files)
			require.Equal(t, c.want, written(t, dir).Environment["MODEL"])
		})
	}
}

func TestWhatTheServerCannotDoWithoutIsNotWrittenASecondTime(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{
		"web.py":   "from flask import Flask\napp = Flask(__name__)\n",
		"start.sh": "#!/bin/sh\nexport FLASK_APP=web\nexport FLASK_DEBUG=0\nflask run --port 5005\n",
	})
	c := written(t, dir)
	require.Equal(t, 5005, c.Port)
	require.Equal(t, map[string]string{"FLASK_APP": "web", "FLASK_DEBUG": "0"}, c.Environment)
}

func TestVariablesThatABackendMayNotHaveAreLeftToTheirScript(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{
		"main.py":  testkit.FastAPI,
		"start.sh": "#!/bin/sh\nexport VIVARIUM_RUN=1\nexport VIVARIUM_RECORDER=/tmp\nexport NAME='two\nlines \x1b[31m \x7f'\nexport LATIN='caf\xe9'\nuvicorn main:app\n",
	})
	c := written(t, dir)
	require.NotContains(t, c.Environment, "VIVARIUM_RUN")
	require.NotContains(t, c.Environment, "VIVARIUM_RECORDER")
	require.Equal(t, "two\nlines \x1b[31m \x7f", c.Environment["NAME"])
}

func TestASecretBesideOddVariablesStaysOutOfWhatIsShown(t *testing.T) {
	f := inspect(t, map[string]string{
		"main.py":  testkit.FastAPI,
		"start.sh": "#!/bin/sh\nexport API_KEY='sk-first-of-all\nand-a-second-line'\nuvicorn main:app\n",
		"Procfile": "web: API_KEY=sk-from-procfile uvicorn main:app\n",
	})
	for _, text := range []string{f.Question(), strings.Join(f.Lines(), "\n"), f.remarks()} {
		require.NotContains(t, text, "sk-first-of-all")
		require.NotContains(t, text, "and-a-second-line")
		require.NotContains(t, text, "sk-from-procfile")
	}
	_, mode := f.Config(true)
	require.Equal(t, os.FileMode(0o600), mode)
	_, mode = f.Config(false)
	require.Equal(t, os.FileMode(0o644), mode)
}

func TestACommandThatNoConfigurationCanHaveIsSaidBeforeAnythingIsWritten(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"braces that are no placeholder", `gunicorn main:app --access-logformat '%({referer}i)s'`, "command {referer} is not a placeholder"},
		{"a socket with a space in its path", "uvicorn main:app --uds '/tmp/my app.sock'", "health.url has a space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := testkit.Folder(t, map[string]string{
				"main.py": testkit.FastAPI + "\n@app.get('/health')\ndef health():\n    return {}\n", "start.sh": "#!/bin/sh\n" + c.line + "\n",
			})
			f, err := Inspect(dir, false)
			require.NoError(t, err)
			require.Contains(t, strings.Join(f.Lines(), "\n"), c.want)
			_, err = f.Write(WriteOptions{Force: true})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "write a vivarium.toml")
			require.NotContains(t, err.Error(), dir)
			require.NoFileExists(t, filepath.Join(dir, config.FileName))
			require.NoFileExists(t, filepath.Join(dir, "start"))
		})
	}
}

func FuzzWhatIsWrittenCanBeReadWhateverTheScriptSays(f *testing.F) {
	f.Add("#!/bin/sh\nexport A=1\nexport A='2\n3'\nexec uvicorn main:app --port 8001\n", "web: A=3 uvicorn main:app\n")
	f.Add("export VIVARIUM_RUN=\xff\nuvicorn main:app --uds /tmp/x.sock # \x01", "web-1: B=\"\\u0000\" gunicorn main:app -b 0.0.0.0:$PORT\n")
	f.Add("FLASK_APP='a\"b' flask run", "x: é=1 A-B=2 flask run\r\n")
	dir := f.TempDir()
	require.NoError(f, os.WriteFile(filepath.Join(dir, "main.py"), []byte(testkit.FastAPI), 0o644))
	f.Fuzz(func(t *testing.T, script, procfile string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "start.sh"), []byte(script), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Procfile"), []byte(procfile), 0o644))
		found, err := Inspect(dir, false)
		require.NoError(t, err)
		at := filepath.Join(dir, config.FileName)
		_, err = found.Write(WriteOptions{Force: true, Environment: true})
		if err != nil {
			require.NoFileExists(t, at)
			return
		}
		_, err = config.Load(dir)
		require.NoError(t, err)
		require.NoError(t, os.Remove(at))
		require.NoError(t, os.Remove(filepath.Join(dir, "start")))
	})
}

func TestAFolderNamedStartIsLeftAloneAndNothingIsPromisedOfIt(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI, "start/__init__.py": ""})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.NotContains(t, f.Question(), "./start;")
	require.NotContains(t, f.Question(), "before-vivarium")
	require.NotContains(t, f.Question(), "and ./start into")
	require.Contains(t, f.Question(), "vivarium run '"+dir+"'", "its path has a space")
	done, err := f.Write(WriteOptions{})
	require.NoError(t, err, "there is nothing to ask a person for")
	require.Equal(t, Written{Files: []string{config.FileName}}, done)
	require.DirExists(t, filepath.Join(dir, "start"))
	require.NoFileExists(t, filepath.Join(dir, "start.before-vivarium"))
	require.NoError(t, f.Choose("main:app"))
	require.Contains(t, strings.Join(f.Advice, "\n"), "in the way of ./start", "also of another server")
}

func TestWhatCannotBeWrittenIsAnErrorAndLeavesNoPieceBehind(t *testing.T) {
	dir := testkit.Folder(t, map[string]string{"main.py": testkit.FastAPI})
	f, err := Inspect(dir, false)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.FileName), []byte("port = 1\n"), 0o600))
	_, err = f.Write(WriteOptions{Force: true})
	require.ErrorIs(t, err, os.ErrExist, "it came after the look")
	require.Equal(t, map[string]string{"main.py": testkit.FastAPI, config.FileName: "port = 1\n"}, testkit.Contents(t, dir))

	require.NoError(t, os.RemoveAll(dir))
	_, err = f.Write(WriteOptions{Force: true})
	require.Error(t, err)
	require.ErrorContains(t, f.Choose("main:app"), "choosing the server")
}
