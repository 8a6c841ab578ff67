package keeper

import (
	"encoding/binary"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/proc"
)

func TestAProcessIsFoundByItsPIDAndKnownByItsStamp(t *testing.T) {
	me, err := proc.Find(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, os.Getppid(), me.PPID)
	require.Equal(t, os.Getuid(), me.UID)
	require.Equal(t, syscall.Getpgrp(), me.Group)
	require.NotEmpty(t, me.Name)
	require.NotEmpty(t, me.Stamp)
	require.False(t, me.Zombie)
	require.True(t, proc.Alive(me))
	other := me
	other.Stamp += "0"
	require.False(t, proc.Alive(other))

	all, err := proc.Processes()
	require.NoError(t, err)
	require.Contains(t, all, me)
	argv, err := proc.Args(me.PID)
	require.NoError(t, err)
	require.Equal(t, os.Args, argv)
}

func TestThereIsNoProcessOfAWrongPID(t *testing.T) {
	for _, pid := range []int{0, -1, 1 << 30} {
		_, err := proc.Find(pid)
		require.ErrorIs(t, err, proc.ErrGone)
		require.ErrorIs(t, proc.Signal(proc.Process{PID: pid, Stamp: "x"}, syscall.SIGKILL), proc.ErrGone)
		require.Empty(t, proc.RunOf(pid))
	}
}

func TestAZombieHasEnded(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exec sleep 1000")
	cmd.Env = []string{"A=1", proc.RunVariable + "=abc", "B=2"}
	require.NoError(t, cmd.Start())
	p, err := proc.Find(cmd.Process.Pid)
	require.NoError(t, err)
	eventually(t, func() bool { return proc.RunOf(p.PID) == "abc" }) // in the middle of its exec it has no environment
	require.NoError(t, proc.Signal(p, syscall.SIGKILL))
	eventually(t, func() bool { return !proc.Alive(p) })
	dead, err := proc.Find(p.PID)
	require.NoError(t, err)
	require.True(t, dead.Zombie)
	require.Equal(t, p.Stamp, dead.Stamp)
	require.Empty(t, proc.RunOf(p.PID))
	require.Error(t, cmd.Wait())
	require.ErrorIs(t, proc.Signal(p, syscall.SIGKILL), proc.ErrGone)
}

func TestATrackerIsKnownByItsCommandLine(t *testing.T) {
	for script, want := range map[string]bool{
		"from multiprocessing.resource_tracker import main;main(5)":  true,
		"from multiprocessing.semaphore_tracker import main;main(5)": true,
		"from multiprocessing.spawn import spawn_main":               false,
		"-Wignore::UserWarning:multiprocessing.resource_tracker":     false,
	} {
		cmd := exec.Command("/bin/sh", "-c", "sleep 1000; :", script)
		require.NoError(t, cmd.Start())
		eventually(t, func() bool {
			argv, _ := proc.Args(cmd.Process.Pid)
			return len(argv) == 4 && strings.HasSuffix(argv[0], "sh")
		})
		require.Equal(t, want, proc.IsTracker(cmd.Process.Pid), script)
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
	require.False(t, proc.IsTracker(1<<30))
}

func TestProcargs2IsTakenApart(t *testing.T) {
	count := func(n int32, rest string) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), rest...)
	}
	for name, row := range map[string]struct {
		in        []byte
		argv, env []string
		bad       bool
	}{
		"as it comes":        {in: count(2, "/bin/python\x00\x00\x00\x00python\x00-u\x00A=1\x00VIVARIUM_RUN=x\x00\x00stack_guard=1\x00"), argv: []string{"python", "-u"}, env: []string{"A=1", "VIVARIUM_RUN=x"}},
		"an empty argument":  {in: count(3, "/bin/p\x00\x00p\x00\x00x\x00A=1\x00"), argv: []string{"p", "", "x"}, env: []string{"A=1"}},
		"no environment":     {in: count(1, "/bin/p\x00p\x00"), argv: []string{"p"}},
		"cut in a variable":  {in: count(1, "/bin/p\x00p\x00A=1\x00B="), argv: []string{"p"}, env: []string{"A=1", "B="}},
		"nothing":            {bad: true},
		"a count alone":      {in: count(1, ""), bad: true},
		"a path alone":       {in: count(1, "/bin/p"), bad: true},
		"less than nothing":  {in: count(-1, "/bin/p\x00p\x00"), bad: true},
		"more than there is": {in: count(1000, "/bin/p\x00p\x00A=1\x00"), argv: []string{"p", "A=1"}},
	} {
		argv, env, err := proc.ParseProcargs(row.in)
		require.Equal(t, row.bad, err != nil, name)
		require.Equal(t, row.argv, argv, name)
		require.Equal(t, row.env, env, name)
	}
}

func FuzzProcargs(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00/bin/p\x00\x00p\x00-u\x00A=1\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _, _ = proc.ParseProcargs(b) })
}

func TestTheMembersOfAGroupAreThoseWithoutItsLeader(t *testing.T) {
	all := []proc.Process{{PID: 7, Group: 7, Zombie: true}, {PID: 8, Group: 7, Stamp: "a"}, {PID: 9, Group: 9}, {PID: 10, Group: 7, Stamp: "b"}}
	require.Equal(t, []proc.Process{{PID: 8, Group: 7, Stamp: "a"}, {PID: 10, Group: 7, Stamp: "b"}}, inGroup(all, 7))
}

func TestKinIsProvenByMarkDescentGroupAndRecordOnly(t *testing.T) {
	p := func(pid, ppid, group int) proc.Process {
		return proc.Process{PID: pid, PPID: ppid, Group: group, UID: -1, Stamp: strconv.Itoa(pid)}
	}
	zombie := func(p proc.Process) proc.Process { p.Zombie = true; return p }
	pids := func(m map[int]proc.Process) []int { return slices.Sorted(maps.Keys(m)) }
	leader := p(1000000, 1, 1000000)
	all := []proc.Process{
		p(1, 0, 0), leader, p(1000001, 1000000, 1000000), p(1000002, 1000001, 1000002), // child, setsid grandchild
		p(1000003, 1, 1000000), p(1000004, 1, 1000004), p(1000005, 1000004, 1000004), // orphan in the group, strangers
	}
	for name, row := range map[string]struct {
		k    descendants
		all  []proc.Process
		want []int
	}{
		"a living leader":           {descendants{run: "x", roots: []proc.Process{leader}}, all, []int{1000000, 1000001, 1000002, 1000003}},
		"started by hand":           {descendants{roots: []proc.Process{leader}}, all, []int{1000000, 1000001, 1000002}},
		"a zombie leader":           {descendants{run: "x", roots: []proc.Process{leader}}, append([]proc.Process{zombie(leader)}, all[3:]...), []int{1000003}},
		"a leader that is gone":     {descendants{run: "x", roots: []proc.Process{leader}}, all[3:], nil},
		"a reused PID":              {descendants{run: "x", roots: []proc.Process{{PID: 1000000, Stamp: "older"}}}, all, nil},
		"descendants of the keeper": {descendants{run: "x", parent: 1000004}, all, []int{1000005}},
		"what was proven before":    {descendants{run: "x", known: map[int]proc.Process{1000004: all[5]}}, all, []int{1000004, 1000005}},
		"proven before, reused":     {descendants{run: "x", known: map[int]proc.Process{1000004: {PID: 1000004, Stamp: "older"}}}, all, nil},
		"never init":                {descendants{run: "x", roots: []proc.Process{all[0]}}, all[:1], nil},
	} {
		require.Equal(t, row.want, pids(row.k.prove(row.all)), name)
	}
}
