package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

func TestABackendThatCannotBeReachedIsNeitherStoppedNorWell(t *testing.T) {
	s := supervisor.Snapshot{Backend: "brain", State: supervisor.Unreachable, Since: time.Now(), Note: "the keeper cannot be reached: it is silent"}
	st := StatusOf(s, time.Now(), MaxTitle)
	require.Equal(t, "Unreachable · the server may be running", st.Line)
	require.Equal(t, s.Note, st.Detail)
	require.True(t, Active(s), "a process may be there")
	require.False(t, Alive(s), "nobody knows whether it answers")
	s.HeldBy = 12
	require.Contains(t, StatusLine(s, time.Now()), "Unreachable")
}
