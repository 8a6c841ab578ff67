package postmortem

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/stall"
)

func TestARunThatHungIsExplainedByItsStall(t *testing.T) {
	v := Hung(time.Hour, "it hung", stall.Stall{Kind: stall.KindLoop, Summary: "time.sleep blocks the event loop", Remedy: "await it"})
	require.Equal(t, crash.Verdict{Kind: v.Kind, Summary: "it hung: time.sleep blocks the event loop", Remedy: "await it"}, v)
	v = Hung(time.Hour, "it hung when it was stopped", stall.Stall{Kind: stall.KindWedged, Summary: "/work answers 500"})
	require.Equal(t, "it was wedged when it was stopped: /work answers 500", v.Summary)
	for _, st := range []stall.Stall{{}, {Kind: stall.KindUnknown, Summary: "the samples do not say"}} {
		require.Equal(t, Hung(time.Hour, "", stall.Stall{}), Hung(time.Hour, "it hung", st), "what is not known explains nothing")
	}
}
