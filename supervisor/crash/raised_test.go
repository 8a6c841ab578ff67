package crash

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var raised = []string{
	"Traceback (most recent call last):", `  File "/b/main.py", line 3, in <module>`, `  File "/b/store.py", line 9, in load`,
	"ValueError: the store is of version 3",
}

func TestAnExceptionThatTheOutputDoesNotShowDecides(t *testing.T) {
	e := Evidence{Code: 1, Known: true, Tail: []string{"INFO: loading"}, Dir: "/b"}
	require.Equal(t, KindExitCode, Judge(e).Kind)
	e.Raised = raised
	require.True(t, Unsaid(e))
	v := Judge(e)
	require.Equal(t, KindException, v.Kind)
	require.Contains(t, v.Summary, "the store is of version 3")
	require.Equal(t, raised[3], v.Line)
}

func TestAKnownCauseIsRecognisedInARecordedException(t *testing.T) {
	v := Judge(Evidence{Code: 1, Known: true, Raised: []string{
		"Traceback (most recent call last):", `  File "/b/main.py", line 1, in <module>`, "ModuleNotFoundError: No module named 'torch'",
	}})
	require.Equal(t, KindMissingModule, v.Kind)
}

func TestAnExceptionThatTheOutputShowsChangesNothing(t *testing.T) {
	e := Evidence{Code: 1, Known: true, Tail: append([]string{"INFO: loading"}, raised...), Dir: "/b"}
	without := Judge(e)
	e.Raised = raised
	require.False(t, Unsaid(e))
	require.Equal(t, without, Judge(e))
	require.False(t, Unsaid(Evidence{}))
	require.False(t, Unsaid(Evidence{Raised: []string{"", "  "}}))
}

func TestASecretInARecordedExceptionIsMasked(t *testing.T) {
	v := Judge(Evidence{Code: 1, Known: true, Raised: []string{
		"Traceback (most recent call last):", `  File "/b/main.py", line 1, in <module>`, "ValueError: bad key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
	}})
	require.NotContains(t, v.Summary+v.Line, "abcdefghijklmnopqrstuvwxyz")
}
