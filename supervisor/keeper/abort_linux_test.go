package keeper

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// deaf is a server that hangs and listens to no signal that can be ignored.
const deaf = `import signal, threading, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)

def pump():
    time.sleep(3600)

def hang():
    threading.Lock().acquire() or None
    lock = threading.Lock()
    lock.acquire()
    print("up")
    lock.acquire()

threading.Thread(target=pump, daemon=True).start()
hang()
`

func TestADeafPythonSaysWhatItsThreadsDoBeforeItIsKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options, env []string
		script       string
		ladder       Ladder
		signal       syscall.Signal
		tells        bool
	}{
		"faulthandler by an option":   {[]string{"-X", "faulthandler"}, nil, deaf, Ladder{Abort: true}, syscall.SIGABRT, true},
		"faulthandler by a variable":  {nil, []string{"PYTHONFAULTHANDLER=1"}, deaf, Ladder{Abort: true}, syscall.SIGABRT, true},
		"an empty recorder":           {[]string{"-X", "faulthandler"}, []string{"VIVARIUM_RECORDER="}, deaf, Ladder{Abort: true}, syscall.SIGABRT, true},
		"with the recorder":           {[]string{"-X", "faulthandler"}, []string{"VIVARIUM_RECORDER=/nowhere"}, deaf, Ladder{Abort: true}, syscall.SIGKILL, false},
		"without faulthandler":        {nil, nil, deaf, Ladder{Abort: true}, syscall.SIGKILL, false},
		"not asked for":               {[]string{"-X", "faulthandler"}, nil, deaf, Ladder{}, syscall.SIGKILL, false},
		"a handler of its own":        {nil, nil, "import signal\nsignal.signal(signal.SIGABRT, lambda *a: print('I go on'))\n" + deaf, Ladder{Abort: true}, syscall.SIGKILL, false},
		"faulthandler, switched off":  {[]string{"-X", "faulthandler"}, nil, "import faulthandler\nfaulthandler.disable()\n" + deaf, Ladder{Abort: true}, syscall.SIGKILL, false},
		"stopped, so that none comes": {[]string{"-X", "faulthandler"}, nil, "import os\n" + deaf[:len(deaf)-len("hang()\n")] + "print('up')\nos.kill(os.getpid(), signal.SIGSTOP)\n", Ladder{Abort: true}, syscall.SIGKILL, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			k := launched(t, dir)
			s := pythonSpec(t, dir, c.script)
			s.Argv = slices.Insert(s.Argv, 1, c.options...)
			s.Env = append(s.Env, c.env...)
			run, err := k.Spawn(soon(t), s)
			require.NoError(t, err)
			said(t, s, "up")
			c.ladder.Grace = 100 * time.Millisecond
			e := stopped(t, k, run, c.ladder)
			require.Equal(t, c.signal, e.Signal, logOf(t, s))
			if !c.tells {
				require.NotContains(t, logOf(t, s), "Fatal")
				return
			}
			require.Contains(t, logOf(t, s), "Fatal Python error: Aborted")
			require.Regexp(t, `server.py", line 13 in hang\n`, logOf(t, s))
			require.Regexp(t, `server.py", line 6 in pump\n`, logOf(t, s))
			require.Contains(t, e.Tail, "Fatal Python error: Aborted", "the stacks are known with the exit")
			cores, err := filepath.Glob(filepath.Join(s.Dir, "*core*"))
			require.NoError(t, err)
			require.Empty(t, cores)
		})
	}
}

func TestOtherProgramsThatCatchSIGABRTAreKilledAsEver(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	k := launched(t, dir)
	s := shell(dir, `trap '' INT TERM; trap 'echo aborted; exit 1' ABRT; echo up; while :; do sleep 0.05; done`)
	run, err := k.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, "up")
	e := stopped(t, k, run, Ladder{Grace: 100 * time.Millisecond, Abort: true})
	require.Equal(t, syscall.SIGKILL, e.Signal)
	require.NotContains(t, logOf(t, s), "aborted")
}

func TestEachWorkerSaysWhatItDoesInOnePiece(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	k := launched(t, dir)
	s := pythonSpec(t, dir, `import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for n in range(3):
    if os.fork() == 0:
        break
def wait():
    print("up", os.getpid())
    time.sleep(3600)
wait()
`)
	s.Argv = slices.Insert(s.Argv, 1, "-X", "faulthandler")
	run, err := k.Spawn(soon(t), s)
	require.NoError(t, err)
	said(t, s, `(?s)up.*up.*up.*up`)
	e := stopped(t, k, run, Ladder{Grace: 100 * time.Millisecond, Abort: true})
	require.Equal(t, syscall.SIGABRT, e.Signal)
	require.Regexp(t, `(?s)(Fatal Python error: Aborted\n\n(Current t|T)hread [^\n]*\n[^\n]*line 9 in wait\n[^\n]*line 10 in <module>\n.*?){4}`, logOf(t, s))
}

func TestAnOlderKeeperTakesALadderThatKnowsMore(t *testing.T) {
	b, err := json.Marshal(Ladder{Signal: syscall.SIGINT, Grace: time.Second, Abort: true})
	require.NoError(t, err)
	var older struct { // as it was released
		Signal syscall.Signal `json:"signal"`
		Grace  time.Duration  `json:"grace"`
	}
	require.NoError(t, json.Unmarshal(b, &older))
	require.Equal(t, time.Second, older.Grace)
	b, err = json.Marshal(Ladder{Signal: syscall.SIGINT})
	require.NoError(t, err)
	require.NotContains(t, string(b), "abort", "who does not ask for it says what was said before")
	_, err = os.Stat("testdata/released")
	require.NoError(t, err)
}
