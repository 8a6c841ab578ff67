package supervisor

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/sampler"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

var inC = stall.Stall{Kind: stall.KindNative, Summary: "native code does not come back from faiss.search, main.py line 31", Remedy: "Call it in a process.", File: "/b/main.py", Line: 31}

const inOpenMP = "libomp's __kmp_suspend_64"

// onMac gives a machine where native code can be looked at.
func onMac() *machine {
	m := watchedIn("healthy")
	m.sampler = true
	return m
}

func TestTheNativeCodeOfAHungRunIsLookedAtOnce(t *testing.T) {
	m := onMac()
	now, out := hang(t, m)
	require.Equal(t, "r1", wants[doSample](out)[0].run.ID)
	events := told(m.step(now.Add(time.Second), observed{"r1", inC}))
	require.Equal(t, inC, events[0].Snapshot.Stall, "the news does not wait for it")
	require.Empty(t, told(m.step(now.Add(4*time.Second), sampled{"r1", inOpenMP})), "the kind stays")
	require.Equal(t, inC.Summary+" (in "+inOpenMP+")", m.Stall.Summary)
	m.step(now.Add(40*time.Second), observed{"r1", inC})
	require.Contains(t, m.Stall.Summary, inOpenMP, "it is not lost with the next look")
	require.Empty(t, wants[doSample](m.step(now.Add(80*time.Second), used{runID: "r1", usage: process.Usage{Procs: 1}})))
}

func TestASampleThatComesFirstWaitsForTheStacks(t *testing.T) {
	m := onMac()
	now, _ := hang(t, m)
	require.Empty(t, told(m.step(now.Add(time.Second), sampled{"r1", inOpenMP})))
	events := told(m.step(now.Add(2*time.Second), observed{"r1", inC}))
	require.Len(t, events, 1)
	require.Contains(t, events[0].Snapshot.Stall.Summary, inOpenMP)
}

func TestNativeCodeExplainsWhatStacksDoNot(t *testing.T) {
	m := onMac()
	now, _ := hang(t, m)
	m.step(now.Add(time.Second), observed{"r1", stall.Stall{Kind: stall.KindUnknown, Summary: "nobody knows"}})
	events := told(m.step(now.Add(4*time.Second), sampled{"r1", inOpenMP}))
	require.Len(t, events, 1)
	require.Equal(t, EventStalled, events[0].What)
	require.Equal(t, stall.KindNative, events[0].Snapshot.Stall.Kind)

	m = onMac()
	now, _ = hang(t, m)
	m.step(now.Add(time.Second), observed{"r1", blocked})
	require.Empty(t, told(m.step(now.Add(4*time.Second), sampled{"r1", inOpenMP})))
	require.Equal(t, blocked, m.Stall, "the person's own line says more")

	m = onMac()
	m.config.Recorder.Enabled = false
	now, out := hang(t, m)
	require.Len(t, told(out), 1)
	require.Equal(t, EventStalled, told(m.step(now.Add(4*time.Second), sampled{"r1", inOpenMP}))[0].What)
}

func TestAHungRunIsNotEndedBeforeItsNativeCodeIsKnown(t *testing.T) {
	for name, recorder := range map[string]bool{"with the recorder": true, "without": false} {
		m := onMac()
		m.config.Health.RestartHung, m.config.Recorder.Enabled = true, recorder
		now, out := hang(t, m)
		require.Empty(t, wants[doStop](out), name)
		require.Empty(t, wants[doStop](m.step(now.Add(time.Second), observed{"r1", inC})), name)
		require.Empty(t, wants[doStop](m.step(now.Add(explainTime), due{})), name)
		out = m.step(now.Add(5*time.Second), sampled{"r1", inOpenMP})
		require.Len(t, wants[doStop](out), 1, name)
		require.Equal(t, crash.KindHung, m.why.Kind)
		require.Contains(t, m.why.Summary, inOpenMP)
	}
}

func TestNoSampleIsNoReasonToLeaveAHungRunAlone(t *testing.T) {
	m := onMac()
	m.config.Health.RestartHung = true
	now, _ := hang(t, m)
	m.step(now.Add(time.Second), observed{"r1", inC})
	require.Len(t, wants[doStop](m.step(now.Add(5*time.Second), sampled{"r1", ""})), 1)
	require.Equal(t, "it hung: "+inC.Summary, m.why.Summary)
}

func TestASampleOfAnotherRunOrOfAWellOneSaysNothing(t *testing.T) {
	m := onMac()
	now, _ := hang(t, m)
	m.step(now.Add(time.Second), sampled{"r0", inOpenMP})
	require.Contains(t, m.ignored, "stale")
	m.step(now.Add(2*time.Second), probed{runID: "r1", listens: true})
	require.Empty(t, told(m.step(now.Add(3*time.Second), sampled{"r1", inOpenMP})))
	require.Zero(t, m.Stall)
	require.Equal(t, Healthy, m.State)
}

func TestWhereNobodySamplesNothingWaits(t *testing.T) {
	m := watchedIn("healthy")
	m.config.Health.RestartHung = true
	now, out := hang(t, m)
	require.Empty(t, wants[doSample](out))
	require.Len(t, wants[doStop](m.step(now.Add(time.Second), observed{"r1", inC})), 1)
}

func TestTheNativeFramesOfAHungRunAreInItsRecord(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			load := w.Load
			w.Load = func(dir string) (config.Config, error) {
				c, err := load(dir)
				c.Health.RestartHung = true
				return c, err
			}
			w.Sample = func(_ context.Context, pid int, stamp string) (sampler.Stack, error) {
				time.Sleep(4 * time.Second)
				return sampler.Stack{PID: pid, Frames: []sampler.Frame{{Function: "__kmp_suspend_64", Image: "libomp.dylib"}}}, nil
			}
		})
		s.Start()
		time.Sleep(10 * time.Second)
		s.setIll(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Contains(t, s.told(), EventStalled)
		s.leave(t)
	})
	files, err := filepath.Glob(filepath.Join(keeper.BackendFolder(state, "/b"), "crashes", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	r, err := record.Read(files[0])
	require.NoError(t, err)
	require.Equal(t, []string{"__kmp_suspend_64 (libomp.dylib)"}, r.Native)
	require.Equal(t, "it hung: native code does not come back: it is in "+inOpenMP, r.Verdict.Summary)
}
