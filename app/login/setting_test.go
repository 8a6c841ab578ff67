package login

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/desktop"
)

// service is macOS's service for login items.
type service struct {
	state, legacy State
	refuses       error
	did           []string
}

func (s *service) State() (State, error)        { return s.state, nil }
func (s *service) Legacy(string) (State, error) { return s.legacy, nil }

func (s *service) Register() (State, error) {
	s.did = append(s.did, "register")
	if s.refuses != nil {
		return s.state, s.refuses
	}
	s.state = Enabled
	return s.state, nil
}

func (s *service) Unregister() (State, error) {
	s.did = append(s.did, "unregister")
	s.state = NotRegistered
	return s.state, nil
}

// settingOf is the setting of an app on a Mac whose service is s; the service's job has the process pid, "" for none.
func settingOf(t *testing.T, s Items, pid string) *Setting {
	t.Helper()
	item, _ := macLogin(t, func(args []string) (string, error) {
		line := strings.Join(args, " ")
		switch {
		case strings.Contains(line, ServiceLabel) && pid != "":
			return "gui/501/" + ServiceLabel + " = {\n\tstate = running\n\tpid = " + pid + "\n}\n", nil
		case strings.HasPrefix(line, "launchctl print "), strings.HasPrefix(line, "print "):
			return "", errors.New("exit status 113")
		}
		return "", nil
	})
	return &Setting{Item: item, Items: s, State: t.TempDir(), Build: "v2"}
}

func statusOf(t *testing.T, s *Setting) Status {
	t.Helper()
	st, err := s.Status()
	require.NoError(t, err)
	return st
}

func TestTheSettingGoesToTheServiceAndComesBackIfItIsLost(t *testing.T) {
	mac := &service{state: NotFound, legacy: Unavailable}
	s := settingOf(t, mac, "")
	require.Equal(t, Status{}, statusOf(t, s))
	require.NoError(t, s.Mend())
	require.Empty(t, mac.did, "nobody ever said")
	require.NoError(t, s.Set(true))
	require.Equal(t, Status{On: true, Way: Service}, statusOf(t, s))
	mac.state = NotFound // an upgrade took it away
	again := &Setting{Item: s.Item, Items: mac, State: s.State, Build: "v3"}
	require.NoError(t, again.Mend())
	require.Equal(t, []string{"register", "register"}, mac.did)
	mac.state = RequiresApproval
	require.NoError(t, again.Mend())
	require.Len(t, mac.did, 2, "what a person switched off in System Settings stays off")
	require.Contains(t, statusOf(t, again).Words, "System Settings")
	require.ErrorIs(t, again.Set(true), ErrSwitchedOff)
}

func TestARefusalIsRememberedAndTheFileServes(t *testing.T) {
	mac := &service{refuses: errors.New("Operation not permitted"), legacy: Enabled}
	s := settingOf(t, mac, "")
	require.NoError(t, s.Set(true))
	require.Equal(t, Status{On: true, Way: Agent}, statusOf(t, s))
	require.FileExists(t, s.Item.File())
	require.NoError(t, s.Mend())
	require.Len(t, mac.did, 1, "it is not asked again by the same build")
	mac.refuses = nil
	s.Build = "v3"
	require.NoError(t, s.Mend())
	require.Equal(t, Status{On: true, Way: Service}, statusOf(t, s))
	require.NoFileExists(t, s.Item.File(), "two would start two")
}

func TestSwitchedOffWhileTheAppIsTheServicesJobEndsWithTheApp(t *testing.T) {
	mac := &service{state: Enabled}
	s := settingOf(t, mac, "4711")
	require.NoError(t, s.Set(false))
	require.Empty(t, mac.did, "it would end the app")
	require.Equal(t, Status{Words: "it is off from the next login on"}, statusOf(t, s))
	require.NoError(t, (&Setting{Item: s.Item, Items: mac, State: s.State}).End(), "another process may have said so")
	require.Equal(t, []string{"unregister"}, mac.did)
	require.NoError(t, s.End())
	require.Len(t, mac.did, 1, "once")
}

func TestWithoutAServiceTheFileIsMendedAsEver(t *testing.T) {
	s := settingOf(t, nil, "")
	s.Items = nil
	require.NoError(t, s.Set(true))
	require.Equal(t, Status{On: true, Way: Agent}, statusOf(t, s))
	moved := s.Item
	moved.Program = "/Applications/elsewhere/Vivarium"
	other := &Setting{Item: moved, State: s.State}
	require.NoError(t, other.Mend())
	require.Equal(t, Status{On: true, Way: Agent}, statusOf(t, other))
	require.NoError(t, other.Set(false))
	require.NoFileExists(t, moved.File())
}

func TestAnotherVivariumThatIsThereKeepsItsLoginItem(t *testing.T) {
	mac := &service{}
	s := settingOf(t, mac, "")
	there := filepath.Join(t.TempDir(), "Vivarium")
	require.NoError(t, os.WriteFile(there, nil, 0o755))
	other := s.Item
	other.Program = there
	require.NoError(t, other.On())
	wish := true
	require.NoError(t, s.with(func(m *Memory) error { m.Want = &wish; return nil }))
	require.NoError(t, s.Mend())
	require.Empty(t, mac.did)
	require.FileExists(t, s.Item.File())
}

func TestGarbageIsWrittenAnew(t *testing.T) {
	s := settingOf(t, nil, "")
	s.Items = nil
	require.NoError(t, os.MkdirAll(filepath.Dir(s.Item.File()), 0o755))
	require.NoError(t, os.WriteFile(s.Item.File(), []byte("garbage"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(s.State, memoryName), []byte("{"), 0o600))
	require.NoError(t, s.Mend())
	require.Equal(t, Status{}, statusOf(t, s))
	require.NoError(t, s.Set(true))
	require.True(t, statusOf(t, s).On)
}

func TestWhatCannotBeRememberedIsTold(t *testing.T) {
	s := settingOf(t, &service{}, "")
	s.State = filepath.Join(t.TempDir(), "gone")
	require.ErrorContains(t, s.Set(true), "remembering the login item")
}

func TestAnAppThatMacOSMovedAsideIsNotSetUp(t *testing.T) {
	mac := &service{}
	s := settingOf(t, mac, "")
	s.Item.Program = "/private/var/folders/x/AppTranslocation/1/d/Vivarium.app/Contents/MacOS/Vivarium"
	require.ErrorIs(t, s.Set(true), desktop.ErrTranslocated)
	require.NoError(t, s.Mend())
	require.Empty(t, mac.did)
}

func TestTheMenuBarProgramIsAskedForTheCommandLine(t *testing.T) {
	const inside = "/Applications/Vivarium.app/Contents/MacOS/Vivarium"
	require.Nil(t, InApp("linux", inside))
	require.Nil(t, InApp("darwin", "/usr/local/bin/vivarium-menubar"))
	require.NotNil(t, InApp("darwin", inside))
	for out, want := range map[string]State{
		`{"means":"on","state":1}`: Enabled,
		`{"state":3}`:              NotFound,
		`{"state":-1}`:             Unavailable,
		`{"state":77}`:             Failed,
	} {
		var asked []string
		p := Program{Path: inside, Run: func(name string, args ...string) ([]byte, error) {
			asked = append([]string{name}, args...)
			return []byte(out + "\n"), nil
		}}
		got, err := p.Register()
		require.NoError(t, err)
		require.Equal(t, want, got, out)
		require.Equal(t, []string{inside, "--login-item", "register"}, asked)
	}
	for out, want := range map[string]string{`{"state":0,"problem":"not permitted"}`: "not permitted", `{}`: "is no answer", "": "is no answer", "Abort trap": "is no answer"} {
		_, err := Program{Path: inside, Run: func(string, ...string) ([]byte, error) { return []byte(out), nil }}.State()
		require.ErrorContains(t, err, want)
	}
}

func TestAProgramThatFailsSaysWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Vivarium")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho \"no window server ($2)\" >&2\nexit 1\n"), 0o755))
	state, err := Program{Path: path}.Unregister()
	require.Equal(t, Failed, state)
	require.ErrorContains(t, err, "no window server (unregister)")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho '{\"state\":2}'\n"), 0o755))
	state, err = Program{Path: path}.Legacy("/x.plist")
	require.NoError(t, err)
	require.Equal(t, RequiresApproval, state)
}
