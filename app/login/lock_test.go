package login

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

// changesIn makes this test program, started anew, change what is remembered in that state folder.
const changesIn = "TEST_LOGIN_CHANGES_IN"

const changesEach = 150

func TestMain(m *testing.M) {
	if state := os.Getenv(changesIn); state != "" {
		os.Exit(changes(state))
	}
	os.Exit(m.Run())
}

// changes counts up what is remembered: a change that another program's overwrote is missing at the end.
func changes(state string) int {
	s := &Setting{State: state}
	for range changesEach {
		err := s.with(func(m *Memory) error {
			n, _ := strconv.Atoi(m.Refused)
			time.Sleep(100 * time.Microsecond) // as macOS takes a while
			m.Refused = strconv.Itoa(n + 1)
			return nil
		})
		if err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			return 1
		}
	}
	return 0
}

func TestAppAndCommandLineChangeTheWishOneAfterTheOther(t *testing.T) {
	state := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	var programs []*exec.Cmd
	for range 2 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), changesIn+"="+state)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		programs = append(programs, cmd)
	}
	// Who only reads waits for nobody, and never sees half a file.
	reader := &Setting{State: state}
	last := 0
	for range 200 {
		n, _ := strconv.Atoi(reader.recall().Refused)
		require.GreaterOrEqual(t, n, last)
		last = n
	}
	for _, cmd := range programs {
		require.NoError(t, cmd.Wait())
	}
	require.Equal(t, strconv.Itoa(2*changesEach), reader.recall().Refused, "no change got lost")
}

func TestAChangeWaitsForThatOfAnotherProgramAndThenSaysSo(t *testing.T) {
	mac := &service{}
	s := settingOf(t, mac, "")
	other, err := keeper.Lock(filepath.Join(s.State, lockName))
	require.NoError(t, err)
	s.Patience = time.Millisecond
	require.ErrorIs(t, s.Set(true), errChanging)
	require.Empty(t, mac.did, "nothing is done that cannot be remembered")
	require.Equal(t, Status{}, statusOf(t, s), "to read it nobody waits")

	s.Patience = 0
	done := make(chan error)
	go func() { done <- s.Set(true) }()
	require.NoError(t, other.Close()) // as the kernel does when its program ends
	require.NoError(t, <-done)
	require.Equal(t, []string{"register"}, mac.did)
}
