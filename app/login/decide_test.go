package login

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// mac is macOS, as far as login items go: it does what it is told, if it is of a mind to.
type mac struct {
	seen     Seen
	refuses  bool // the service, to register
	approval bool // registering it is not enough
	ended    bool // this process, by the system
	did      []string
}

func (m *mac) See() (Seen, error) {
	m.seen.Build = "v2"
	return m.seen, nil
}

func (m *mac) Register() (State, error) {
	m.did = append(m.did, "register")
	switch {
	case m.refuses:
		return m.seen.Service, errors.New("Operation not permitted")
	case m.approval:
		m.seen.Service = RequiresApproval
	default:
		m.seen.Service = Enabled
	}
	return m.seen.Service, nil
}

func (m *mac) Unregister() (State, error) {
	m.did = append(m.did, "unregister")
	m.seen.Service = NotRegistered
	m.ended = m.seen.Inside
	return m.seen.Service, nil
}

func (m *mac) WriteFile() error {
	m.did = append(m.did, "write")
	m.seen.File, m.seen.FileStartsUs = true, true
	return nil
}

func (m *mac) RemoveFile() error {
	m.did = append(m.did, "remove")
	m.seen.File, m.seen.FileStartsUs = false, false
	return nil
}

func yes() *bool { b := true; return &b }

func TestOnAndOffAreTheSystems(t *testing.T) {
	twelve := Seen{Service: Unavailable, FileState: Unavailable}
	for name, c := range map[string]struct {
		mac  mac
		want bool
		did  []string
		told Status
		err  error
	}{
		"on, macOS 13":                 {mac{seen: Seen{Service: NotFound}}, true, []string{"register"}, Status{On: true, Way: Service}, nil},
		"on again":                     {mac{seen: Seen{Service: Enabled}}, true, nil, Status{On: true, Way: Service}, nil},
		"on, macOS 12":                 {mac{seen: twelve}, true, []string{"write"}, Status{On: true, Way: Agent}, nil},
		"on, and the service refuses":  {mac{seen: Seen{}, refuses: true}, true, []string{"register", "write"}, Status{On: true, Way: Agent}, nil},
		"on, with an agent from older": {mac{seen: Seen{File: true, FileStartsUs: true}}, true, []string{"register", "remove"}, Status{On: true, Way: Service}, nil},
		"on, agent from older, refused": {mac{seen: Seen{File: true, FileStartsUs: true}, refuses: true}, true, []string{"register"},
			Status{On: true, Way: Agent}, nil},
		"on, with an agent of another app": {mac{seen: Seen{Service: Unavailable, File: true}}, true, []string{"write"}, Status{On: true, Way: Agent}, nil},
		"on, and switched off in the settings": {mac{seen: Seen{Service: RequiresApproval}}, true, nil,
			Status{Way: Service, Words: "it is switched off in System Settings → General → Login Items"}, ErrSwitchedOff},
		"on, and macOS wants a yes": {mac{seen: Seen{}, approval: true}, true, []string{"register"},
			Status{Way: Service, Words: "it is switched off in System Settings → General → Login Items"}, ErrSwitchedOff},
		"off":                      {mac{seen: Seen{Service: Enabled}}, false, []string{"unregister"}, Status{}, nil},
		"off, macOS 12":            {mac{seen: Seen{Service: Unavailable, File: true, FileStartsUs: true}}, false, []string{"remove"}, Status{}, nil},
		"off, and both were there": {mac{seen: Seen{Service: Enabled, File: true, FileStartsUs: true}}, false, []string{"remove", "unregister"}, Status{}, nil},
		"off, and it was off":      {mac{seen: Seen{}}, false, nil, Status{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var m Memory
			require.ErrorIs(t, Set(&c.mac, &m, c.want), c.err)
			require.Equal(t, c.did, c.mac.did)
			require.Equal(t, c.told, Tell(c.mac.seen, m.Leaving))
			require.Equal(t, c.want, *m.Want)
			require.False(t, c.mac.ended)
		})
	}
}

func TestSwitchingItOffNeverEndsTheApp(t *testing.T) {
	sys := &mac{seen: Seen{Service: Enabled, Inside: true}}
	var m Memory
	require.NoError(t, Set(sys, &m, false))
	require.Empty(t, sys.did)
	require.Equal(t, Status{Words: "it is off from the next login on"}, Tell(sys.seen, m.Leaving))

	require.NoError(t, Set(sys, &m, true))
	require.False(t, m.Leaving, "on again, before the app ended")
	require.NoError(t, End(sys, &m))
	require.Empty(t, sys.did)

	require.NoError(t, Set(sys, &m, false))
	require.NoError(t, End(sys, &m))
	require.Equal(t, []string{"unregister"}, sys.did)
	require.True(t, sys.ended, "at its end")
	require.NoError(t, End(sys, &m))
	require.Len(t, sys.did, 1)
}

// The app was killed before its end, and somebody opens it: it is not the job of launchd any more.
func TestWhatAnEndMissedIsDoneAtTheNextLaunch(t *testing.T) {
	no := false
	sys := &mac{seen: Seen{Service: Enabled}}
	m := Memory{Want: &no, Leaving: true}
	did, err := Mend(sys, &m)
	require.NoError(t, err)
	require.True(t, did)
	require.Equal(t, []string{"unregister"}, sys.did)

	sys = &mac{seen: Seen{Service: Enabled, Inside: true}}
	m = Memory{Want: &no, Leaving: true}
	_, err = Mend(sys, &m)
	require.NoError(t, err)
	require.Empty(t, sys.did)
	require.True(t, m.Leaving, "at login once more: still at the end")
}

func TestWhatTheSystemLostComesBack(t *testing.T) {
	for name, c := range map[string]struct {
		mac    mac
		memory Memory
		did    []string
	}{
		"the service forgot it":                {mac{seen: Seen{Service: NotFound}}, Memory{Want: yes()}, []string{"register"}},
		"an upgrade took the file":             {mac{seen: Seen{Service: Unavailable}}, Memory{Want: yes()}, []string{"write"}},
		"the app was moved":                    {mac{seen: Seen{Service: Unavailable, File: true}}, Memory{Want: yes()}, []string{"write"}},
		"the file, where the service refuses":  {mac{seen: Seen{}}, Memory{Want: yes(), Refused: "v2"}, []string{"write"}},
		"a build that the service may take":    {mac{seen: Seen{File: true, FileStartsUs: true}}, Memory{Want: yes(), Refused: "v1"}, []string{"register", "remove"}},
		"an older version's file":              {mac{seen: Seen{File: true, FileStartsUs: true}}, Memory{}, []string{"register", "remove"}},
		"an older file, and a refusal":         {mac{seen: Seen{File: true, FileStartsUs: true}, refuses: true}, Memory{}, []string{"register"}},
		"all is well":                          {mac{seen: Seen{Service: Enabled}}, Memory{Want: yes()}, nil},
		"nobody ever said":                     {mac{seen: Seen{}}, Memory{}, nil},
		"switched off in the settings":         {mac{seen: Seen{Service: RequiresApproval}}, Memory{Want: yes()}, nil},
		"the file is switched off, macOS 13":   {mac{seen: Seen{File: true, FileStartsUs: true, FileState: RequiresApproval}}, Memory{Want: yes()}, nil},
		"the file is switched off, never said": {mac{seen: Seen{File: true, FileStartsUs: true, FileState: RequiresApproval}}, Memory{}, nil},
		"the file is switched off, macOS 12":   {mac{seen: Seen{Service: Unavailable, File: true, FileStartsUs: true, FileDisabled: true}}, Memory{Want: yes()}, nil},
		"a person wants it off":                {mac{seen: Seen{Service: Enabled}}, Memory{Want: new(bool)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			did, err := Mend(&c.mac, &c.memory)
			require.NoError(t, err)
			require.Equal(t, c.did, c.mac.did)
			require.Equal(t, len(c.did) > 0, did)
			again := len(c.mac.did)
			_, err = Mend(&c.mac, &c.memory)
			require.NoError(t, err)
			require.Len(t, c.mac.did, again, "once is enough")
		})
	}
}

// In every state, wanting it on or off never leaves two things that would start the app, nor ends it.
func TestNoStateEndsTheAppOrStartsItTwice(t *testing.T) {
	for _, service := range []State{NotRegistered, Enabled, RequiresApproval, NotFound, Unavailable, Failed} {
		for bits := range 64 {
			bit := func(n int) bool { return bits>>n&1 == 1 }
			sys := &mac{
				seen:    Seen{Service: service, File: bit(0), FileStartsUs: bit(0) && bit(1), FileDisabled: bit(2), Inside: bit(3) && service == Enabled},
				refuses: bit(4),
			}
			var m Memory
			if err := Set(sys, &m, bit(5)); err != nil {
				require.ErrorIs(t, err, ErrSwitchedOff)
			}
			require.False(t, sys.ended)
			s := Tell(sys.seen, m.Leaving)
			if !bit(5) {
				require.False(t, s.On)
				require.False(t, sys.seen.File)
			}
			if sys.seen.Service == Enabled && !m.Leaving {
				require.False(t, sys.seen.File && !sys.refuses, "service %v, %06b", service, bits)
			}
		}
	}
}

type broken struct{ *mac }

func (broken) See() (Seen, error) { return Seen{}, errors.New("no answer") }

type readOnly struct{ *mac }

func (readOnly) WriteFile() error  { return errors.New("read-only") }
func (readOnly) RemoveFile() error { return errors.New("read-only") }

func TestATroubleIsToldWithWhatWasTried(t *testing.T) {
	var m Memory
	require.EqualError(t, Set(broken{&mac{}}, &m, true), "no answer")
	require.Nil(t, m.Want)
	_, err := Mend(broken{&mac{}}, &m)
	require.Error(t, err)
	err = Set(readOnly{&mac{refuses: true}}, &m, true)
	require.ErrorContains(t, err, "registering the login item: Operation not permitted")
	require.ErrorContains(t, err, "read-only")
	require.EqualError(t, Set(readOnly{&mac{seen: Seen{File: true}}}, &m, false), "changing the login item: read-only")
}

func TestAWayHasAName(t *testing.T) {
	require.Equal(t, "macOS's login items", Service.String())
	require.Contains(t, Agent.String(), "LaunchAgents")
	require.Equal(t, "nothing", None.String())
}
