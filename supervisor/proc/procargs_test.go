package proc

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// xnu is what the kernel says of one process, question after question; the last word stays.
type xnu struct {
	reads  []any // []byte or error
	finds  []any // Process or error
	age    time.Duration
	waited int
	asked  int
}

func (x *xnu) ask() procargsAsk {
	return procargsAsk{
		read: func() ([]byte, error) {
			answer := x.reads[min(x.asked, len(x.reads)-1)]
			x.asked++
			if err, failed := answer.(error); failed {
				return nil, err
			}
			return answer.([]byte), nil
		},
		find: func() (Process, time.Duration, error) {
			answer := x.finds[min(x.asked-1, len(x.finds)-1)]
			if err, failed := answer.(error); failed {
				return Process{}, 0, err
			}
			return answer.(Process), x.age, nil
		},
		uid:  501,
		wait: func(time.Duration) { x.waited++ },
	}
}

func TestMacOSIsAskedAgainWhileItMakesAProcess(t *testing.T) {
	program := []byte("\x01\x00\x00\x00/bin/sleep\x00\x00sleep\x00VIVARIUM_RUN=mark\x00")
	zeros := make([]byte, 64)
	ours, theirs := Process{PID: 7, UID: 501}, Process{PID: 7, UID: 0}
	zombie := Process{PID: 7, UID: 501, Zombie: true}
	for name, c := range map[string]struct {
		kernel xnu
		want   []byte
		err    error
		waited int
	}{
		"a settled process":                       {xnu{reads: []any{program}}, program, nil, 0},
		"one that posix_spawn makes":              {xnu{reads: []any{syscall.EINVAL, syscall.EINVAL, program}, finds: []any{ours}}, program, nil, 2},
		"an exec of an old process":               {xnu{reads: []any{syscall.EINVAL, program}, finds: []any{ours}, age: time.Hour}, program, nil, 1},
		"the old memory at the new addresses":     {xnu{reads: []any{syscall.EIO, zeros, program}, finds: []any{ours}, age: time.Hour}, program, nil, 2},
		"another user's":                          {xnu{reads: []any{syscall.EINVAL, program}, finds: []any{theirs}}, nil, syscall.EINVAL, 0},
		"one that is on its way out":              {xnu{reads: []any{syscall.EINVAL}, finds: []any{ErrGone}}, nil, ErrGone, 0},
		"one that ends while it is waited for":    {xnu{reads: []any{syscall.EINVAL, syscall.EINVAL}, finds: []any{ours, ErrGone}}, nil, ErrGone, 1},
		"a zombie":                                {xnu{reads: []any{syscall.EINVAL}, finds: []any{zombie}}, nil, nil, 0},
		"one that dies in the middle":             {xnu{reads: []any{syscall.EINVAL}, finds: []any{ours, zombie}}, nil, nil, 1},
		"a young one that never tells":            {xnu{reads: []any{syscall.EINVAL}, finds: []any{ours}}, nil, syscall.EINVAL, 100},
		"an old one that never tells":             {xnu{reads: []any{syscall.EIO}, finds: []any{ours}, age: time.Hour}, nil, syscall.EIO, 5},
		"an old one that overwrote what it was":   {xnu{reads: []any{zeros}, finds: []any{ours}, age: time.Hour}, zeros, nil, 5},
		"a clock that was set back":               {xnu{reads: []any{syscall.EINVAL, program}, finds: []any{ours}, age: -time.Hour}, program, nil, 1},
		"an error that has nothing to do with it": {xnu{reads: []any{syscall.ENOMEM, program}, finds: []any{ours}}, nil, syscall.ENOMEM, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.kernel.ask().answer()
			require.Equal(t, c.want, got)
			require.True(t, errors.Is(err, c.err), "%v", err)
			require.Equal(t, c.waited, c.kernel.waited)
		})
	}
}
