package recorder

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhoAsksForOneFileWaitsForHisTurnAndForNoOther(t *testing.T) {
	var turns Turns
	done, err := turns.take(t.Context(), "a")
	require.NoError(t, err)
	other, err := turns.take(t.Context(), "b")
	require.NoError(t, err, "another file")
	other()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = turns.take(ctx, "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	done()
	again, err := turns.take(t.Context(), "a")
	require.NoError(t, err)
	again()

	var nobody *Turns
	done, err = nobody.take(t.Context(), "a")
	require.NoError(t, err)
	done()
}
