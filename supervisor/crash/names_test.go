package crash

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryKindHasANameOfItsOwn(t *testing.T) {
	seen := map[string]Kind{}
	kinds := []Kind{KindCannotStart, KindConfig, KindWorkerDied}
	for _, r := range rules {
		kinds = append(kinds, r.kind)
	}
	for _, k := range kinds {
		require.NotEqual(t, strings.ReplaceAll(string(k), "-", " "), k.Name(), "%s has no name in Kind.Name", k)
		require.LessOrEqual(t, len(k.Name()), 45, "it has to fit into a menu")
		if other, ok := seen[k.Name()]; ok {
			require.Equal(t, other, k, "two kinds have the name %q", k.Name())
		}
		seen[k.Name()] = k
	}
	require.Equal(t, "eaten by mice", Kind("eaten-by-mice").Name())
}
