package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
	"github.com/vivarium-app/vivarium/supervisor/memory"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/plan"
	"github.com/vivarium-app/vivarium/supervisor/platform"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/postmortem"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

// bed is a plan with an environment in which packages can be installed.
func bed(t *testing.T) plan.Plan {
	site := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(site, "torch-2.13.0.dist-info"), 0o755))
	return plan.Plan{
		Python:  python.Interpreter{Path: "/b/.venv/bin/python", Prefix: "/b/.venv", Site: []string{site}, Version: "3.11.7"},
		Applied: []environment.Var{{Name: "OMP_NUM_THREADS", Value: "4"}},
		Spec:    keeper.Spec{Env: []string{"OMP_NUM_THREADS=4", "API_KEY=sk-aaaaaaaaaaaaaaaa", "PATH=/bin"}},
	}
}

func TestADeathIsRecordedWithAllThatIsKnownAndWithoutASecret(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Loaded = func(int) ([]string, error) { return []string{"/b/.venv/libomp.so"}, nil }
		})
		s.Start()
		time.Sleep(time.Minute)
		s.k.says("loading with API_KEY=sk-bbbbbbbbbbbbbbbb", "Traceback (most recent call last):", `  File "/b/main.py", line 3, in <module>`, "ValueError: no model")
		s.k.endWith(1)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 1, len(s.toldRecords()))
		r := s.toldRecords()[0]
		require.Equal(t, crash.KindException, r.Verdict.Kind)
		require.Equal(t, "run1", r.Run)
		require.True(t, r.Known)
		require.True(t, r.Death.Healthy)
		require.Equal(t, 101, r.PID)
		require.Equal(t, "backend", r.Backend)
		require.Equal(t, record.PhaseOK, r.Health.Phase)
		require.Len(t, r.Samples, 12, "one for five seconds")
		require.True(t, r.Samples[11].OK)
		require.Equal(t, []string{"API_KEY", "OMP_NUM_THREADS", "PATH"}, r.EnvNames)
		require.Equal(t, made.Applied, r.Env)
		require.Equal(t, []string{"OMP_NUM_THREADS"}, r.Missing, "the fake process has another environment")
		require.Equal(t, []string{"/b/.venv/libomp.so"}, r.Loaded)
		require.Equal(t, "3.11.7", r.Versions["Python"])
		require.Equal(t, "2.13.0", r.Versions["torch"])
		require.Contains(t, r.Versions, "Vivarium")
		text, err := os.ReadFile(r.File)
		require.NoError(t, err)
		require.NotContains(t, string(text), "sk-")
		require.Contains(t, string(text), "ValueError: no model")
		require.Equal(t, r.Page(), (<-s.Changed()).LastReport)
		s.leave(t)
	})
}

func TestNothingIsGatheredBeforeTheNextRunIsForked(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		forked := make(chan struct{})
		s := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) {
				select {
				case <-forked:
				default:
					return plan.Plan{}, nil
				}
				time.Sleep(forkTime / 2) // the second launch is under way
				return plan.Plan{}, nil
			}
		})
		s.Start()
		time.Sleep(10 * time.Second)
		close(forked)
		s.k.end(11, false)
		time.Sleep(forkTime / 4)
		synctest.Wait()
		require.Empty(t, s.toldRecords())
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		require.Contains(t, s.k.did(), "spawn run2")
		require.Equal(t, 1, len(s.toldRecords()))
		s.leave(t)
	})
}

func TestEvidenceThatComesLaterAmendsTheVerdictOnce(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	rig := testkit.NewCgroupRig(t, "v2")
	rig.Kills(t, "0")
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Memory = func(int) *postmortem.MemoryWatch { return postmortem.NewMemoryWatch(rig.Root, 4711, 0, nil) }
		})
		s.Start()
		time.Sleep(10 * time.Second)
		rig.Kills(t, "1")
		s.k.end(9, false)
		time.Sleep(time.Second)
		synctest.Wait()
		records := s.toldRecords()
		require.Equal(t, 2, len(records))
		require.Equal(t, crash.KindKilled, records[0].Verdict.Kind)
		require.False(t, records[0].Amended)
		require.Equal(t, crash.Memory{OOM: true, Source: "cgroup", Limit: 64 << 20, Peak: 67108800}, records[1].Memory)
		require.Equal(t, records[0].File, records[1].File)
		want := crash.Judge(crash.Evidence{Known: true, Signal: "SIGKILL", Uptime: records[0].Uptime, Memory: records[1].Memory, Python: made.Python.Path, Port: 8000, Dir: "/b"})
		require.Equal(t, want, records[1].Verdict)
		amendments := 0
		for _, w := range s.told() {
			if w == EventAmended {
				amendments++
			}
		}
		changed := want != records[0].Verdict
		require.Equal(t, changed, records[1].Amended)
		require.Equal(t, changed, amendments == 1)
		s.leave(t)
		w, err := record.ReadWant(keeper.BackendFolder(state, "/b"))
		require.NoError(t, err)
		require.Equal(t, want, w.Deaths[0].Verdict)
	})
}

func TestTheEnvironmentIsWalkedForNativeDeathsAndOnceUntilPackagesChange(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	synctest.Test(t, func(t *testing.T) {
		walks := 0
		found := []openmp.Runtime{{Path: "/b/.venv/torch/lib/libomp.dylib", Flavor: openmp.LLVM}}
		s := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Scan = func(context.Context, python.Interpreter) (openmp.Environment, error) {
				walks++ // the scans' own lock makes this safe
				time.Sleep(3 * time.Second)
				return openmp.Environment{Runtimes: found}, nil
			}
		})
		s.Start()
		time.Sleep(2 * time.Minute)
		s.k.endWith(3)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, walks, "an exception has nothing to do with libraries")
		for range 2 {
			s.k.end(11, false)
			time.Sleep(2 * time.Minute)
		}
		synctest.Wait()
		require.Equal(t, 1, walks)
		records := s.toldRecords()
		require.Equal(t, 4, len(records))
		require.Empty(t, records[1].OpenMP, "the first word does not wait for a walk")
		require.Equal(t, found, records[2].OpenMP)
		require.Equal(t, found, records[3].OpenMP, "known from the start")
		require.NoError(t, os.Mkdir(filepath.Join(made.Python.Site[0], "faiss_cpu-1.14.3.dist-info"), 0o755))
		require.NoError(t, os.Chtimes(made.Python.Site[0], testkit.Noon, testkit.Noon))
		s.k.end(11, false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, 2, walks)
		s.leave(t)
	})
}

func TestAnAppThatLeavesDoesNotWaitForAWalkAndKeepsTheRecord(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Scan = func(ctx context.Context, _ python.Interpreter) (openmp.Environment, error) {
				<-ctx.Done()
				return openmp.Environment{}, ctx.Err()
			}
		})
		s.Start()
		time.Sleep(10 * time.Second)
		s.k.end(11, false)
		time.Sleep(time.Second)
		left := time.Now()
		s.leave(t)
		require.Less(t, time.Since(left), finishTime)
		kept, err := record.All(keeper.BackendFolder(state, "/b"))
		require.NoError(t, err)
		require.Len(t, kept, 1)
		require.NotEmpty(t, kept[0].File)
	})
}

func TestWhoHasThePortIsNamedWhereThatIsTheQuestion(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	synctest.Test(t, func(t *testing.T) {
		claims := 0
		s := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Claim = func(context.Context, config.Config, port.Mine) (port.Finding, error) {
				if claims++; claims == 1 { // the first start finds it free
					return port.Finding{Free: true}, nil
				}
				return port.Finding{Owner: port.Owner{PID: 12, Name: "node"}}, nil
			}
		})
		s.Start()
		time.Sleep(time.Second)
		s.k.says("ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use")
		s.k.endWith(1)
		time.Sleep(time.Second)
		synctest.Wait()
		records := s.toldRecords()
		require.Equal(t, 2, len(records))
		require.Equal(t, crash.KindPortTaken, records[0].Verdict.Kind)
		require.Equal(t, "node (PID 12)", records[1].PortOwner)
		s.leave(t)
	})
}

func TestAWorkersDeathIsRecordedWithTheLogsTail(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	log := filepath.Join(t.TempDir(), "server.log")
	require.NoError(t, os.WriteFile(log, []byte("of an earlier run\n"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		s := setStage(t, state, func(w *platform.System) {
			load := w.Load
			w.Load = func(dir string) (config.Config, error) { c, err := load(dir); c.Log.File = log; return c, err }
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Use = func(keeper.Run, process.Usage, time.Duration, bool, *memory.Meter) (process.Usage, []process.Child, error) {
				select {
				case <-gone:
					return process.Usage{Procs: 1}, nil, nil
				default:
					return process.Usage{Procs: 2}, []process.Child{{PID: 77, Stamp: "s", Interpreter: true}}, nil
				}
			}
		})
		s.Start()
		time.Sleep(12 * time.Second)
		f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString("Fatal Python error: Segmentation fault\n")
		require.NoError(t, errors.Join(err, f.Close()))
		close(gone)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Contains(t, s.told(), EventWorkerDied)
		records := s.toldRecords()
		require.Equal(t, 1, len(records))
		require.Equal(t, 77, records[0].Worker)
		require.Equal(t, 77, records[0].PID)
		require.False(t, records[0].Known)
		require.Equal(t, "Fatal Python error: Segmentation fault", strings.Join(records[0].Tail, "\n"))
		require.Equal(t, records[0].Page(), (<-s.Changed()).LastReport)
		s.leave(t)
	})
}

func TestADeathWhileNobodyWatchedIsRecordedByTheNextApp(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first := setStage(t, state, nil)
		first.Start()
		time.Sleep(10 * time.Second)
		first.leave(t)
		k := newFakeKeeper()
		k.runs = 1
		exit := keeper.Exit{Run: keeper.Run{ID: "run1", PID: 101, Started: time.Now().Add(-time.Hour)}, At: time.Now(), Known: true, Signal: 11}
		k.exits <- exit
		time.Sleep(time.Minute)
		s := setStage(t, state, func(w *platform.System) {
			w.Attach = func(context.Context, string) (platform.Keeper, error) { return k, nil }
			w.Launch = func(context.Context, string, string) (platform.Keeper, error) { return k, nil }
		})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		records := s.toldRecords()
		require.Equal(t, 1, len(records))
		require.True(t, records[0].Away)
		require.Equal(t, crash.KindSegfault, records[0].Verdict.Kind)
		require.Empty(t, records[0].Samples)
		page := records[0].Page()
		s.leave(t)

		again := setStage(t, state, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, page, (<-again.Changed()).LastReport, "the page is found again by the next app")
		again.leave(t)
	})
}

func TestWhatVivariumEndedItselfIsNotAmended(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	rig := testkit.NewCgroupRig(t, "v2")
	rig.Kills(t, "0")
	synctest.Test(t, func(t *testing.T) {
		s := setStage(t, state, func(w *platform.System) {
			load := w.Load
			w.Load = func(dir string) (config.Config, error) {
				c, err := load(dir)
				c.Health.RestartHung = true
				return c, err
			}
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.Memory = func(int) *postmortem.MemoryWatch { return postmortem.NewMemoryWatch(rig.Root, 4711, 0, nil) }
			w.Scan = func(context.Context, python.Interpreter) (openmp.Environment, error) {
				return openmp.Environment{Runtimes: []openmp.Runtime{{Path: "/x/libomp.dylib"}}}, nil
			}
		})
		s.k.mu.Lock()
		s.k.stopSignal = 9 // the ladder went to its end
		s.k.mu.Unlock()
		s.Start()
		time.Sleep(10 * time.Second)
		rig.Kills(t, "1")
		s.setIll(true)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.NotEmpty(t, s.toldRecords())
		for _, r := range s.toldRecords() {
			require.Equal(t, crash.KindHung, r.Verdict.Kind)
			require.False(t, r.Amended)
		}
		require.Len(t, s.toldRecords()[len(s.toldRecords())-1].OpenMP, 1, "the evidence is kept all the same")
		require.NotContains(t, s.told(), EventAmended)
		s.leave(t)
	})
}

func TestAReportThatComesLaterIsInTheRecord(t *testing.T) {
	state, made := t.TempDir(), bed(t)
	s := testkit.Shelf{T: t, Dir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		st := setStage(t, state, func(w *platform.System) {
			w.Plan = func(config.Config) (plan.Plan, error) { return made, nil }
			w.ReportFolders = []string{s.Dir}
		})
		st.Start()
		time.Sleep(10 * time.Second)
		died := time.Now()
		st.k.end(9, false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, len(st.toldRecords()), "the first word does not wait")
		file := s.Put("JetsamEvent-x.ips", testkit.JetsamEvent(101, `,"reason":"vm-pageshortage"`), time.Now())
		time.Sleep(time.Second)
		synctest.Wait()
		records := st.toldRecords()
		require.Equal(t, 2, len(records))
		require.Equal(t, file, records[1].ReportFile)
		require.Equal(t, "JetsamEvent", records[1].Memory.Source)
		require.Equal(t, died.UTC(), records[1].At.UTC())
		st.k.endWith(3)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Equal(t, 3, len(st.toldRecords()), "nothing is looked for after an exit by itself")
		st.leave(t)
	})
}
