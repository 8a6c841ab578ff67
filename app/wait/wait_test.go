package wait

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhenWaitingIsOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		goal   Goal
		sight  Sight
		answer Answer
		reason string
	}{
		{"healthy is healthy", Healthy, Sight{Held: true, Runs: true, State: "healthy"}, Done, ""},
		{"healthy with a configuration that broke meanwhile", Healthy, Sight{Held: true, Runs: true, State: "healthy", ConfigProblem: "x"}, Done, ""},
		{"nobody keeps it yet", Healthy, Sight{}, Continue, "no Vivarium program keeps it yet"},
		{"it runs, but nobody says whether it is well", Healthy, Sight{Runs: true}, Continue, "no Vivarium program keeps it yet"},
		{"a broken configuration ends it", Healthy, Sight{ConfigProblem: "vivarium.toml:3: port"}, Failed, "vivarium.toml:3: port"},
		{"giving up ends it, with the cause", Healthy, Sight{Held: true, State: "gave-up", Summary: "no module named x", Remedy: "pip install x"}, Failed, "Vivarium gave up starting it: no module named x. pip install x"},
		{"a crash does not: the next start may do", Healthy, Sight{Held: true, State: "restarting", Summary: "killed"}, Continue, "it is restarting: killed"},
		{"unhealthy may become healthy", Healthy, Sight{Held: true, Runs: true, State: "unhealthy", Problem: "answered 500"}, Continue, "it is unhealthy: answered 500"},
		{"stopped may be started", Healthy, Sight{Held: true, State: "stopped"}, Continue, "it is stopped"},

		{"it waits for another one", Healthy, Sight{Held: true, State: "starting", Awaits: "db, which is starting"}, Continue, "it waits for db, which is starting"},
		{"it waits for one that gave up", Healthy, Sight{Held: true, State: "starting", Awaits: "db, which gave up", Stuck: true}, Failed, "it waits for db, which gave up"},

		{"nothing runs and nobody keeps it", Stopped, Sight{}, Done, ""},
		{"stopped is stopped", Stopped, Sight{Held: true, State: "stopped"}, Done, ""},
		{"a broken configuration is no matter once it is stopped", Stopped, Sight{Held: true, State: "stopped", ConfigProblem: "x"}, Done, ""},
		{"given up and nothing left", Stopped, Sight{Held: true, State: "gave-up"}, Done, ""},
		{"stopped, but something of it lives", Stopped, Sight{Held: true, Runs: true, State: "stopped"}, Continue, "its last processes are being ended"},
		{"it runs without its app", Stopped, Sight{Runs: true}, Continue, "it runs, and no Vivarium program keeps it"},
		{"between two runs it is not stopped", Stopped, Sight{Held: true, State: "restarting"}, Continue, "it is restarting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, reason := Judge(c.goal, c.sight)
			require.Equal(t, c.answer, answer)
			require.Equal(t, c.reason, reason)
		})
	}
}

func TestOnlyGoalsThatExistAreRead(t *testing.T) {
	for text, want := range map[string]Goal{"": Healthy, "healthy": Healthy, "stopped": Stopped} {
		g, err := ParseGoal(text)
		require.NoError(t, err)
		require.Equal(t, want, g)
	}
	_, err := ParseGoal("happy")
	require.ErrorContains(t, err, "healthy or stopped")
}
