package memory

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyMacOSsOwnJudgementIsPutIntoWords(t *testing.T) {
	require.Equal(t, "macOS calls the memory pressure critical, with 4 % left", macPressure(4, 4).Words())
	require.Equal(t, "macOS calls the memory pressure warning, with 20 % left", macPressure(2, 20).Words())
	require.Empty(t, macPressure(1, 80).Words())
	require.Empty(t, macPressure(0, 80).Words())
	require.Empty(t, linuxPressure("some avg10=90.00 avg60=0 avg300=0 total=1\nfull avg10=80.00 avg60=0 avg300=0 total=1\n").Words())
}
