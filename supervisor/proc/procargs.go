package proc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"syscall"
	"time"
)

// ParseProcargs takes macOS's kern.procargs2 apart: the number of arguments, the path of the program, zeros up to the next
// word, the arguments, the environment. It is here, so that it is tested everywhere.
func ParseProcargs(b []byte) (argv, env []string, err error) {
	if len(b) < 4 {
		return nil, nil, errors.New("kern.procargs2 is too short")
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	b = b[4:]
	end := bytes.IndexByte(b, 0)
	if n < 0 || end < 0 {
		return nil, nil, errors.New("kern.procargs2 is cut off")
	}
	b = bytes.TrimLeft(b[end:], "\x00")
	for len(b) > 0 {
		end := bytes.IndexByte(b, 0)
		if end < 0 {
			end = len(b)
		}
		s := string(b[:end])
		b = b[min(end+1, len(b)):]
		if len(argv) < n {
			argv = append(argv, s)
			continue
		}
		if s == "" { // after the environment come the kernel's own strings
			break
		}
		env = append(env, s)
	}
	return argv, env, nil
}

// procargsAsk is one question for kern.procargs2. The system calls are injected: macOS's are in proc_darwin.go.
type procargsAsk struct {
	read func() ([]byte, error)
	find func() (p Process, age time.Duration, err error) // the process, and how long ago it was forked or spawned
	uid  int                                              // ours: of other people's processes nothing is told, ever
	wait func(time.Duration)
}

// answer asks again where the kernel does not tell yet. XNU answers EINVAL for a process that posix_spawn is still making, and in execve from
// when the new program has its PID until it may be looked at (task_is_ipc_active in sysctl_procargsx); before macOS 13 it reads the memory
// of the old program at the new one's addresses, which is EIO or zeros. Who is taken for a stranger then is missed by whoever ends a run. It
// also answers EINVAL for who is on its way out, whom find no longer knows. A zombie has no arguments, which is no error.
func (a procargsAsk) answer() ([]byte, error) {
	for tries := 0; ; tries++ {
		b, err := a.read()
		if err == nil && hasProgram(b) {
			return b, nil
		}
		p, age, lost := a.find()
		switch {
		case lost != nil:
			return nil, ErrGone
		case p.Zombie:
			return nil, nil
		case p.UID != a.uid, err != nil && err != syscall.EINVAL && err != syscall.EIO, tries >= procargsPatience(age):
			return b, err
		}
		a.wait(time.Millisecond)
	}
}

// procargsPatience is how often a process is asked again. Making one takes as long as the check of its signature; an older one can only be
// between two steps of execve.
func procargsPatience(age time.Duration) int {
	if age < time.Second {
		return 100
	}
	return 5
}

// hasProgram says whether the path of a program stands where it has to.
func hasProgram(b []byte) bool { return len(b) > 4 && b[4] != 0 }
