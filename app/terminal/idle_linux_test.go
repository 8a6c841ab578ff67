package terminal

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyWhatIsAViewOnTheProgramsFileIsForgotten(t *testing.T) {
	smaps := `00400000-00800000 r-xp 00000000 fe:01 1311 /usr/local/bin/my vivarium
Rss: 3000 kB
Anonymous: 0 kB
00800000-00c00000 r--p 00400000 fe:01 1311 /usr/local/bin/my vivarium
Anonymous:             0 kB
00c00000-00c10000 r--p 00800000 fe:01 1311 /usr/local/bin/my vivarium
Anonymous:            64 kB
00c10000-00c20000 rw-p 00810000 fe:01 1311 /usr/local/bin/my vivarium
Anonymous:             0 kB
00c20000-00c30000 r--p 00810000 fe:01 1312 /usr/lib/libc.so
Anonymous:             0 kB
c000000000-c000400000 rw-p 00000000 00:00 0 
Anonymous:          1000 kB
7ffd0000-7ffe0000 r-xp 00000000 00:00 0 [vdso]
Anonymous: 0 kB
`
	require.Equal(t, []mapping{{0x400000, 0x800000}, {0x800000, 0xc00000}}, cleanMappings(smaps, "/usr/local/bin/my vivarium"))
	require.Empty(t, cleanMappings("garbage\nAnonymous: 0 kB\n", "/x"))
	require.Empty(t, cleanMappings("", "/x"))
}

func TestAProgramGoesOnWithLessOfItselfInMemory(t *testing.T) {
	resident := func() (kilobytes int) {
		text, err := os.ReadFile("/proc/self/smaps_rollup")
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if n, _ := fmt.Sscanf(line, "Rss: %d", &kilobytes); n == 1 {
				return kilobytes
			}
		}
		t.Fatal("no Rss")
		return 0
	}
	before := resident()
	idle()
	after := resident()
	require.Less(t, after, before)
	t.Logf("%d kB before, %d kB after", before, after)
}
