package recorder

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pretended is a machine whose process 7 has the recorder.
type pretended struct {
	catches map[syscall.Signal]bool
	use     []map[int]ThreadUse // one after the other
	stopped bool
	holds   bool
}

func (m *pretended) Catches(_ int, s syscall.Signal) (bool, error) { return m.catches[s], nil }
func (m *pretended) Stopped(int) (bool, error)                     { return m.stopped, nil }
func (m *pretended) Holds(int, int, os.FileInfo) (bool, error)     { return m.holds, nil }
func (m *pretended) Threads(int) (map[int]ThreadUse, error) {
	if len(m.use) == 0 {
		return nil, errors.ErrUnsupported
	}
	now := m.use[0]
	m.use = m.use[1:]
	return now, nil
}

// each makes the looks that are taken at the threads.
func (m *pretended) each(look func(i int) map[int]ThreadUse) {
	m.use = nil
	for i := range quietTries + 1 {
		m.use = append(m.use, look(i))
	}
}

// stage is process 7 and what it does with signals.
func stage(t *testing.T, m *pretended, on func(path string, s syscall.Signal)) (Asker, *[]syscall.Signal) {
	folder := t.TempDir()
	path := filepath.Join(folder, "7.stacks")
	require.NoError(t, os.WriteFile(path, []byte(head+answerLine), 0o600))
	var sent []syscall.Signal
	return Asker{Folder: folder, System: m, Patience: 50 * time.Millisecond, Signal: func(pid int, stamp string, s syscall.Signal) error {
		require.Equal(t, "stamp", stamp)
		sent = append(sent, s)
		on(path, s)
		return nil
	}}, &sent
}

func add(t *testing.T, path, text string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

var target = Target{PID: 7, Stamp: "stamp"}

const (
	urgent = syscall.SIGURG
	raw    = syscall.Signal(61)
)

func quietMachine() *pretended {
	return &pretended{catches: map[syscall.Signal]bool{urgent: true, raw: true}, holds: true,
		use: []map[int]ThreadUse{{7: {CPU: 1}, 8: {CPU: 5}}, {7: {CPU: 99}, 8: {CPU: 5}}}}
}

func TestAnOldAnswerIsNotTakenForANewOne(t *testing.T) {
	a, sent := stage(t, quietMachine(), func(path string, s syscall.Signal) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, head, string(text), "what was read before is gone")
		add(t, path, answerLine)
	})
	got, err := a.Ask(t.Context(), target)
	require.NoError(t, err)
	require.Len(t, got.Stacks.Threads, 2)
	require.Equal(t, []syscall.Signal{urgent}, *sent)
	text, err := os.ReadFile(filepath.Join(a.Folder, "7.stacks"))
	require.NoError(t, err)
	require.Equal(t, head, string(text), "it is cut once it is read")
}

func TestNobodyIsSignalledWithoutProof(t *testing.T) {
	a, sent := stage(t, quietMachine(), func(string, syscall.Signal) {})
	for name, c := range map[string]struct {
		target Target
		want   error
	}{
		"no file":         {Target{PID: 8, Stamp: "stamp"}, ErrNoRecorder},
		"init":            {Target{PID: 1, Stamp: "stamp"}, ErrNoRecorder},
		"the group":       {Target{PID: -7, Stamp: "stamp"}, ErrNoRecorder},
		"no parent's one": {Target{PID: 8, Forked: 9, Stamp: "stamp"}, ErrNoRecorder},
	} {
		_, err := a.Ask(t.Context(), c.target)
		require.ErrorIs(t, err, c.want, name)
	}
	a.System.(*pretended).catches[urgent] = false
	_, err := a.Ask(t.Context(), target)
	require.ErrorIs(t, err, ErrNotHeard)
	require.NoError(t, os.WriteFile(filepath.Join(a.Folder, "7.stacks"), []byte("foreign\n"), 0o600))
	_, err = a.Ask(t.Context(), target)
	require.ErrorIs(t, err, ErrNoRecorder, "a file that the recorder did not write")
	require.Empty(t, *sent)
}

func TestAForkAnswersInAFileOfItsOwn(t *testing.T) {
	a, _ := stage(t, quietMachine(), func(path string, s syscall.Signal) {
		own := filepath.Join(filepath.Dir(path), "8.stacks")
		require.NoError(t, os.WriteFile(own, []byte(`{"recorder":1,"pid":8,"fd":3,"dump":61,"python":"3.11.7"}`+"\n"+answerLine), 0o600))
	})
	got, err := a.Ask(t.Context(), Target{PID: 8, Forked: 7, Stamp: "stamp"})
	require.NoError(t, err)
	require.False(t, got.Silent)
}

func TestARawDumpIsAskedForOnlyOfAProcessThatStandsStill(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(*pretended)
		why  string
	}{
		"a thread runs": {func(m *pretended) {
			m.each(func(i int) map[int]ThreadUse { return map[int]ThreadUse{8: {CPU: 5 + time.Duration(i)}} })
		}, "other threads"},
		"a thread is on the CPU": {func(m *pretended) {
			m.each(func(int) map[int]ThreadUse { return map[int]ThreadUse{8: {CPU: 5, Running: true}} })
		}, "other threads"},
		"threads come and go":      {func(m *pretended) { m.each(func(i int) map[int]ThreadUse { return map[int]ThreadUse{9 + i: {}} }) }, "other threads"},
		"the CPU is not known":     {func(m *pretended) { m.use = nil }, "not known"},
		"it no longer listens":     {func(m *pretended) { m.catches[raw] = false }, "does not listen"},
		"the descriptor is reused": {func(m *pretended) { m.holds = false }, "another file"},
	} {
		t.Run(name, func(t *testing.T) {
			m := quietMachine()
			c.harm(m)
			a, sent := stage(t, m, func(string, syscall.Signal) {})
			got, err := a.Ask(t.Context(), target)
			require.NoError(t, err)
			require.True(t, got.Silent)
			require.Contains(t, got.Why, c.why)
			require.Equal(t, []syscall.Signal{urgent}, *sent)
		})
	}
	t.Run("it stands still", func(t *testing.T) {
		a, sent := stage(t, quietMachine(), func(path string, s syscall.Signal) {
			if s == raw {
				add(t, path, "Current thread 0x0000000000000001 (most recent call first):\n  File \"/b/main.py\", line 4 in f\n")
			}
		})
		got, err := a.Ask(t.Context(), target)
		require.NoError(t, err)
		require.True(t, got.Silent)
		require.Equal(t, []Frame{{"/b/main.py", 4, "f"}}, got.Stacks.Threads[0].Frames)
		require.Equal(t, []syscall.Signal{urgent, raw}, *sent)
	})
	t.Run("a thread looked around a moment ago", func(t *testing.T) {
		m := quietMachine()
		m.use = []map[int]ThreadUse{{7: {CPU: 1}, 8: {CPU: 4}}, {7: {CPU: 1}, 8: {CPU: 5}}, {7: {CPU: 1}, 8: {CPU: 5}}}
		a, sent := stage(t, m, func(path string, s syscall.Signal) {
			if s == raw {
				add(t, path, "Current thread 0x0000000000000001 (most recent call first):\n  File \"/b/main.py\", line 4 in f\n")
			}
		})
		got, err := a.Ask(t.Context(), target)
		require.NoError(t, err)
		require.Empty(t, got.Why)
		require.Equal(t, []syscall.Signal{urgent, raw}, *sent)
	})
	t.Run("it is stopped", func(t *testing.T) {
		m := quietMachine()
		m.stopped = true
		a, sent := stage(t, m, func(string, syscall.Signal) {})
		got, err := a.Ask(t.Context(), target)
		require.NoError(t, err)
		require.Equal(t, Answer{Stopped: true}, got)
		require.Equal(t, []syscall.Signal{urgent}, *sent)
	})
}
