package port

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const procNetTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F40 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:C001 0100007F:1F40 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:1F40 0100007F:C002 06 00000000:00000000 03:00000B2C 00000000     0        0 0 3 0000000000000000
   4: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0000000000000000 100 0 0 10 0
   5: 1F400000:0050 00000000:1F40 0A 00000000:00000000 00:00000000 00000000     0        0 4715 1 0000000000000000 100 0 0 10 0
   6: 00000000:1F40 00000000:0000 0A 00000000:00000000
   7: XX000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4716 1 0000000000000000 100 0 0 10 0
`

const procNetTCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5001 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000    99        0 5002 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000    99        0 5003 1 0000000000000000 100 0 0 10 0
`

func TestOnlyListenSocketsOnThePortAreReadFromTheKernelsTables(t *testing.T) {
	if netip.MustParseAddr("127.0.0.1") != mustKernelAddr(t, "0100007F") {
		t.Skip("the text is from a little-endian machine")
	}
	ls, err := parseSockets(strings.NewReader(procNetTCP), 8000)
	require.NoError(t, err)
	require.Equal(t, []listener{{addr: netip.MustParseAddr("127.0.0.1"), port: 8000, uid: 1000, inode: 4711}}, ls)
	all, err := parseSockets(strings.NewReader(procNetTCP), 0)
	require.NoError(t, err)
	require.Greater(t, len(all), len(ls))
	for _, l := range all {
		require.NotZero(t, l.port)
	}
	ls, err = parseSockets(strings.NewReader(procNetTCP6), 8000)
	require.NoError(t, err)
	require.Equal(t, []listener{
		{addr: netip.MustParseAddr("::"), port: 8000, uid: 0, inode: 5001},
		{addr: netip.MustParseAddr("::1"), port: 8000, uid: 99, inode: 5002},
		{addr: netip.MustParseAddr("127.0.0.1"), port: 8000, uid: 99, inode: 5003},
	}, ls)
}

func mustKernelAddr(t *testing.T, s string) netip.Addr {
	a, ok := kernelAddr(s)
	require.True(t, ok)
	return a
}

func TestAnAddressThatTheKernelNeverPrintsIsNone(t *testing.T) {
	for _, s := range []string{"", "0100007", "01007F", "zz00007F", strings.Repeat("0", 40)} {
		_, ok := kernelAddr(s)
		require.False(t, ok, s)
	}
}
