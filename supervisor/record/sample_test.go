package record

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASampleByAnEarlierVivariumHasItsResidentMemoryAlone(t *testing.T) {
	require.EqualValues(t, 7, Sample{RSS: 7}.Used())
	require.EqualValues(t, 9, Sample{Memory: 9, RSS: 7}.Used())
}
