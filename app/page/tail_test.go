package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheDecidingLineIsTheLastOneThatSaysIt(t *testing.T) {
	lines := []string{"ValueError: no", "  noise", "10%|█ | ValueError: no", "ValueError: no", "bye ValueError: no more"}
	for said, want := range map[string]int{
		"ValueError: no": 3, "ValueError: n…": 3, "noise": 1, "10%|█": 2, "absent": -1, "": -1, "…": -1, "  ValueError: no ": 3,
	} {
		require.Equal(t, want, find(lines, said), said)
	}
}
