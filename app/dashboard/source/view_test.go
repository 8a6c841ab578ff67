package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/port"
	"github.com/vivarium-app/vivarium/supervisor/record"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func died(s *supervisor.Snapshot, ago time.Duration) {
	s.Last = crash.Verdict{Kind: crash.KindSegfault, Summary: "Python died of a segmentation fault", Remedy: "Read the stack."}
	s.LastAt = testkit.Midday.Add(-ago)
	s.LastReport = "/state/b/1/crashes/20261126T140211.000Z-r1.html"
}

func TestABackendIsShownWithWhatCanBeDoneAboutIt(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*supervisor.Snapshot)
		unkept  bool
		state   string
		word    string
		can     []string
		trouble string // "" none
		note    string // part of it
		line    string // part of it
	}{
		"healthy": {
			change: func(*supervisor.Snapshot) {}, state: "healthy", word: "Healthy", can: []string{"stop", "restart", "open", "reveal", "stacks"},
		},
		"healthy again after a crash": {
			change: func(s *supervisor.Snapshot) { died(s, time.Minute) }, state: "healthy", word: "Healthy",
			can: []string{"stop", "restart", "open", "reveal", "stacks"}, trouble: "Python died of a segmentation fault",
		},
		"healthy for long after a crash": {
			change: func(s *supervisor.Snapshot) { died(s, time.Hour) }, state: "healthy", word: "Healthy", can: []string{"stop", "restart", "open", "reveal", "stacks"},
		},
		"it does not answer": {
			change: func(s *supervisor.Snapshot) {
				s.State, s.Health = supervisor.Unhealthy, record.Health{Phase: record.PhaseHung, Problem: "no answer within 3 s", Good: testkit.Midday.Add(-time.Minute)}
			},
			state: "unhealthy", word: "Unhealthy: hung", can: []string{"stop", "restart", "open", "reveal", "stacks"},
			trouble: "it runs, and does not answer: no answer within 3 s", note: "no answer within 3 s",
		},
		"it does not answer, and why is known": {
			change: func(s *supervisor.Snapshot) {
				s.State, s.Health = supervisor.Unhealthy, record.Health{Phase: record.PhaseHung, Problem: "no answer within 3 s"}
				s.Stall = stall.Stall{Kind: "loop-blocked", Summary: "the event loop is blocked by time.sleep", Remedy: "Make it def."}
			},
			state: "unhealthy", word: "Unhealthy: hung", can: []string{"stop", "restart", "open", "reveal", "stacks"},
			trouble: "the event loop is blocked by time.sleep",
		},
		"it gave up an hour ago": {
			change: func(s *supervisor.Snapshot) { s.State = supervisor.GaveUp; died(s, time.Hour) },
			state:  "gave-up", word: "Gave up", can: []string{"start", "reveal"}, trouble: "Python died of a segmentation fault",
		},
		"it gave up, a copy has the port": {
			change: func(s *supervisor.Snapshot) { s.State, s.Owner = supervisor.GaveUp, port.Owner{PID: 4, Copy: true} },
			state:  "gave-up", word: "Gave up", can: []string{"start", "take-over", "open", "reveal"},
		},
		"a copy was started by hand": {
			change: func(s *supervisor.Snapshot) { s.State, s.Owner = supervisor.Stopped, port.Owner{PID: 4, Copy: true} },
			state:  "unhealthy", word: "Without the crash environment", can: []string{"take-over", "open", "reveal"}, note: "Take Over",
		},
		"restarting": {
			change: func(s *supervisor.Snapshot) { s.State = supervisor.Restarting; died(s, time.Second) },
			state:  "restarting", word: "Restarting", can: []string{"start", "stop", "reveal"}, trouble: "Python died of a segmentation fault",
		},
		"stopping": {
			change: func(s *supervisor.Snapshot) { s.State = supervisor.Stopping }, state: "stopping", word: "Stopping", can: []string{"hurry", "reveal"},
		},
		"the configuration is broken": {
			change: func(s *supervisor.Snapshot) {
				s.State, s.ConfigProblem, s.ConfigFile = supervisor.Stopped, "/srv/brain/vivarium.toml:3: port: wants a number; write port = 8000", "/srv/brain/vivarium.toml"
			},
			state: "gave-up", word: "Configuration problem", can: []string{"start", "reveal"}, line: "vivarium.toml:3: port: wants a number · write port = 8000",
		},
		"it runs on with the last good configuration": {
			change: func(s *supervisor.Snapshot) {
				s.ConfigProblem, s.ConfigFile = "/srv/brain/vivarium.toml:3: port: wants a number; write port = 8000", "/srv/brain/vivarium.toml"
			},
			state: "healthy", word: "Healthy", can: []string{"stop", "restart", "open", "reveal", "stacks"}, note: "wants a number",
		},
		"it outlived its app": {
			change: func(*supervisor.Snapshot) {}, unkept: true, state: "healthy", word: "Healthy", can: []string{"stop", "open", "reveal"}, note: "vivarium run",
		},
		"stopped, and nobody keeps it": {
			change: func(s *supervisor.Snapshot) { s.State = supervisor.Stopped }, unkept: true, state: "stopped", word: "Stopped", can: []string{"reveal"}, note: "vivarium run",
		},
	} {
		t.Run(name, func(t *testing.T) {
			was := testkit.HealthySnapshot()
			c.change(&was)
			b := (&Source{}).backend(control.StatusRow(was, testkit.Midday), was.Dir, !c.unkept, testkit.Midday)
			require.Equal(t, c.state, b.State)
			require.Equal(t, c.word, b.Word)
			require.Equal(t, c.can, b.Can)
			require.Contains(t, b.Note, c.note)
			require.Contains(t, b.Line, c.line)
			if c.note == "" {
				require.Empty(t, b.Note)
			}
			if c.trouble == "" {
				require.Nil(t, b.Trouble)
				return
			}
			require.Equal(t, c.trouble, b.Trouble.Summary)
			if !b.Trouble.Stall {
				require.Equal(t, "20261126T140211.000Z-r1", b.Trouble.ID, "it leads to the report")
			}
		})
	}
}

func TestOfABackendOfWhichNothingIsKnownSomethingIsShown(t *testing.T) {
	b := (&Source{}).backend(control.Row{}, "/srv/brain", false, testkit.Midday)
	require.Equal(t, "brain", b.Name)
	require.Equal(t, "stopped", b.State)
	require.Equal(t, "/srv/brain/logs/server.log", b.Log)
	require.Nil(t, b.Trouble)
}
