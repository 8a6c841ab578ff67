package desktop

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
)

// preferences answers as `defaults` does, with one key in mind; kind is empty while it is not set.
type preferences struct {
	t           *testing.T
	kind, value string
	stubborn    bool // it takes what is written, and forgets it
	ran         []string
}

func (p *preferences) run(name string, args ...string) ([]byte, error) {
	p.ran = append(p.ran, strings.Join(args, " "))
	require.Equal(p.t, "defaults", name)
	require.Equal(p.t, []string{"com.apple.CrashReporter", "UseUNC"}, args[1:3])
	missing := errors.New("exit status 1")
	switch verb := args[0]; {
	case verb == "read-type" && p.kind != "":
		return []byte("Type is " + p.kind + "\n"), nil
	case verb == "read" && p.kind != "":
		return []byte(p.value + "\n"), nil
	case verb == "delete" && p.kind != "":
		p.kind, p.value = "", ""
		return nil, nil
	case verb == "write" && !p.stubborn:
		p.kind, p.value = map[string]string{"-int": "integer", "-boolean": "boolean", "-string": "string", "-integer": "integer"}[args[3]], args[4]
		require.NotEmpty(p.t, p.kind)
		return nil, nil
	case verb == "write":
		return nil, nil
	}
	return []byte("2026-11-26 13:00:00.000 defaults[1:2]\nThe domain/default pair of (com.apple.CrashReporter, UseUNC) does not exist\n"), missing
}

func dialogsOf(t *testing.T, kind, value string) (CrashDialogs, *preferences) {
	p := &preferences{t: t, kind: kind, value: value}
	return CrashDialogs{Memory: filepath.Join(testkit.RealTemp(t), "crash-dialogs.json"), Run: p.run}, p
}

func TestQuietIsSetAndWhatWasBeforeComesBack(t *testing.T) {
	for _, before := range []struct{ kind, value string }{{"", ""}, {"integer", "0"}, {"boolean", "0"}, {"string", "NO"}} {
		d, p := dialogsOf(t, before.kind, before.value)
		quiet, err := d.Quiet()
		require.NoError(t, err)
		require.False(t, quiet)
		require.NoError(t, d.SetQuiet(true))
		require.Equal(t, "1", p.value)
		quiet, err = d.Quiet()
		require.NoError(t, err)
		require.True(t, quiet)
		require.NoError(t, d.SetQuiet(true), "twice is once: what was before is still remembered")
		require.NoError(t, d.SetQuiet(false))
		require.Equal(t, before.kind, p.kind)
		require.Equal(t, before.value, p.value)
		require.NoFileExists(t, d.Memory)
	}
}

func TestNothingIsWrittenUnasked(t *testing.T) {
	d, p := dialogsOf(t, "integer", "1")
	quiet, err := d.Quiet()
	require.NoError(t, err)
	require.True(t, quiet, "the person set it themselves")
	require.NoError(t, d.SetQuiet(true))
	for _, ran := range p.ran {
		require.True(t, strings.HasPrefix(ran, "read"), ran)
	}
	require.NoError(t, d.SetQuiet(false), "nobody knows what it was before: macOS's own default")
	require.Empty(t, p.kind)
}

func TestASettingThatDoesNotStayIsAnError(t *testing.T) {
	d, p := dialogsOf(t, "", "")
	p.stubborn = true
	require.EqualError(t, d.SetQuiet(true), "macOS did not keep the setting")
}

func TestTroubleWithTheSettingIsTold(t *testing.T) {
	d, _ := dialogsOf(t, "", "")
	d.Run = func(string, ...string) ([]byte, error) {
		return []byte("command not found\n"), errors.New("exit status 127")
	}
	_, err := d.Quiet()
	require.EqualError(t, err, "reading how crash dialogs are set: exit status 127: command not found")
	require.Error(t, d.SetQuiet(true))

	d, p := dialogsOf(t, "", "")
	require.NoError(t, d.SetQuiet(true))
	require.NoError(t, os.WriteFile(d.Memory, []byte("garbage"), 0o600))
	require.ErrorContains(t, d.SetQuiet(false), d.Memory)
	require.Equal(t, "1", p.value, "it is left as it is")
	require.NoError(t, os.WriteFile(d.Memory, []byte(`{"set":true,"type":"-evil","value":"x"}`), 0o600))
	require.NoError(t, d.SetQuiet(false))
	require.Empty(t, p.kind, "a type that is none is not written")
}
