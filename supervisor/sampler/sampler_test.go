package sampler

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// update writes the stacks into the fixtures, to be read by a person before they are committed.
var update = flag.Bool("update", false, "write the stacks of testdata/samples anew")

const stackMark = "-- stack --\n"

func textOf(s Stack) string {
	return fmt.Sprintf("pid: %d\nwhere: %s\nsame: %d of %d\n%s\n", s.PID, s.Where(), s.Same, s.Total, strings.Join(s.Lines(), "\n"))
}

func TestTheMainThreadIsReadOfEachVersionOfMacOS(t *testing.T) {
	files, err := filepath.Glob("testdata/samples/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			text, want, ok := strings.Cut(string(raw), stackMark)
			require.True(t, ok)
			s, found := Parse([]byte(text))
			require.True(t, found)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(text+stackMark+textOf(s)), 0o644))
				return
			}
			require.Equal(t, want, textOf(s))
			crlf, found := Parse([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
			require.True(t, found)
			require.Equal(t, s, crlf)
		})
	}
}

func TestWhatIsNoSampleHasNoStack(t *testing.T) {
	for _, text := range []string{
		"", "Call graph:\n", "sample cannot examine process 1 because you do not have appropriate privileges to examine it; try running with `sudo`.\n",
		"Call graph:\n    5 Thread_1   DispatchQueue_1: com.apple.main-thread  (serial)\n", "Call graph:\n    + 5 main  (in a) + 1  [0x1]\n",
		"Call graph:\n    99999999999999999999 Thread_1\n    + 3 main  (in a) + 1  [0x1]\n",
	} {
		_, found := Parse([]byte(text))
		require.False(t, found, text)
	}
}

func TestTheSystemAndPythonAloneExplainNothing(t *testing.T) {
	s := Stack{Frames: []Frame{{"read", "libsystem_kernel.dylib"}, {"os_read", "Python"}, {"start", "dyld"}}}
	require.Empty(t, s.Where())
	require.Equal(t, "libonnxruntime.1.17.0's onnxruntime::Run", Stack{Frames: []Frame{{"onnxruntime::Run(int)", "libonnxruntime.1.17.0.dylib"}}}.Where())
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/samples/*.txt")
	require.NoError(f, err)
	for _, path := range files {
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, found := Parse(raw)
		require.Equal(t, found, len(s.Frames) > 0)
		require.LessOrEqual(t, len(s.Frames), mostFrames)
		for _, l := range s.Lines() {
			require.LessOrEqual(t, len([]rune(l)), mostName+300)
			require.NotContains(t, l, "\n")
		}
		s.Where()
	})
}

func TestOnlyAMacHasTheProgram(t *testing.T) {
	require.Nil(t, On("linux"))
	_, err := On("darwin")(t.Context(), os.Getpid(), "another stamp")
	require.ErrorIs(t, err, ErrAnother)
	_, err = On("darwin")(t.Context(), os.Getpid(), "")
	require.ErrorIs(t, err, ErrAnother)
}

const answer = "Analysis of sampling python3 (pid 42) every 1 millisecond\nCall graph:\n    9 Thread_1\n    + 9 work  (in libx.dylib) + 4  [0x1]\n"

func TestOnlyAProvenProcessIsSampledAndBelieved(t *testing.T) {
	var asked [][]string
	answers := func(text string, err error) Runner {
		return func(_ context.Context, argv ...string) ([]byte, error) {
			asked = append(asked, argv)
			return []byte(text), err
		}
	}
	yes := func() bool { return true }
	s, err := Take(t.Context(), answers(answer, nil), Process{42, yes})
	require.NoError(t, err)
	require.Equal(t, "libx's work", s.Where())
	require.Equal(t, [][]string{{"/usr/bin/sample", "42", "1", "-file", "/dev/stdout"}}, asked)

	_, err = Take(t.Context(), answers(answer, context.DeadlineExceeded), Process{42, yes})
	require.NoError(t, err, "the main thread came before the end of the time")
	_, err = Take(t.Context(), answers(answer, nil), Process{43, yes})
	require.ErrorContains(t, err, "no main thread")
	refused := errors.New("exit status 1")
	_, err = Take(t.Context(), answers("sample cannot examine process 42", refused), Process{42, yes})
	require.ErrorIs(t, err, refused)

	asked = nil
	for _, p := range []Process{{42, func() bool { return false }}, {1, yes}, {0, yes}, {-1, yes}} {
		_, err = Take(t.Context(), answers(answer, nil), p)
		require.ErrorIs(t, err, ErrAnother)
	}
	require.Empty(t, asked, "nothing is started for another process")
	n := 0
	_, err = Take(t.Context(), answers(answer, nil), Process{42, func() bool { n++; return n == 1 }})
	require.ErrorIs(t, err, ErrAnother, "the PID was taken by another one meanwhile")
}

func TestARealProgramIsBoundedInTimeAndBytes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	out, err := Run(ctx, "/bin/sh", "-c", "echo first; sleep 60 & wait")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 10*time.Second)
	require.Equal(t, "first\n", string(out))

	out, err = Run(t.Context(), "/bin/sh", "-c", "head -c 6000000 /dev/zero; echo end")
	require.NoError(t, err, "what is too much is dropped, and the program ends as it would")
	require.Equal(t, mostBytes, len(out))

	t.Setenv("SECRET_OF_OURS", "hunter2")
	out, err = Run(t.Context(), "/usr/bin/env")
	require.NoError(t, err)
	require.NotContains(t, string(out), "hunter2")
	_, err = Run(t.Context(), "/nowhere/sample")
	require.Error(t, err)
}
