package postmortem

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheKernelsLogIsLinesWithTimesOrNotForUs(t *testing.T) {
	log := kernelLog()
	if log == nil {
		t.Skip("the PIDs here are not the kernel's")
	}
	text := log()
	if text == "" {
		t.Skip("the kernel's log is not for this user")
	}
	require.Regexp(t, `(?m)^<\d+>\[ *\d+\.\d+\] `, text)
}

func TestWatchingThisProcessSaysNothingUntilTheKernelDoes(t *testing.T) {
	w := WatchMemory(os.Getpid())
	require.NotNil(t, w)
	require.NotZero(t, w.since)
	w.Look()
	_, ok := w.ended(os.Getpid())
	require.False(t, ok, "it lives")
}
