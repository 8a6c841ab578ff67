package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheDecidingLineIsSeenAtOnceAndWhatStandsFarAboveIsFolded(t *testing.T) {
	lines := make([]string, 200)
	for _, c := range []struct{ deciding, first, n int }{
		{100, 93, 200}, {195, 171, 200}, {-1, 171, 200}, {5, 1, 200}, {11, 1, 200}, {12, 5, 200}, {-1, 1, 33}, {-1, 5, 34}, {-1, 1, 1},
	} {
		tail := newTail(lines[:c.n], c.deciding)
		require.Equal(t, c.first, tail.Last()[0].Number, "%+v", c)
		require.Len(t, tail.Earlier(), c.first-1)
		require.Len(t, tail.Last(), c.n-c.first+1)
	}
	require.Empty(t, newTail(nil, -1).Earlier())
	require.Empty(t, newTail(nil, -1).Last())
}

func TestTheDecidingLineIsTheLastOneThatSaysIt(t *testing.T) {
	lines := []string{"ValueError: no", "  noise", "10%|█ | ValueError: no", "ValueError: no", "bye ValueError: no more"}
	for said, want := range map[string]int{
		"ValueError: no": 3, "ValueError: n…": 3, "noise": 1, "10%|█": 2, "absent": -1, "": -1, "…": -1, "  ValueError: no ": 3,
	} {
		require.Equal(t, want, find(lines, said), said)
	}
}
