package memory

import (
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFootprintStandsWhereApplesHeaderHasIt(t *testing.T) {
	text, err := os.ReadFile("testdata/rusage_info_v4.h")
	require.NoError(t, err)
	flavor := regexp.MustCompile(`#define RUSAGE_INFO_V4\s+(\d+)`).FindSubmatch(text)
	require.NotNil(t, flavor)
	require.Equal(t, strconv.Itoa(rusageInfoV4), string(flavor[1]))

	offsets, next := map[string]int{}, 0
	for _, m := range regexp.MustCompile(`(?m)^\tuint(8|64)_t\s+(\w+)(?:\[(\d+)\])?;`).FindAllStringSubmatch(string(text), -1) {
		bits, _ := strconv.Atoi(m[1])
		count := 1
		if m[3] != "" {
			count, _ = strconv.Atoi(m[3])
		}
		require.Zero(t, next%(bits/8), "%s needs no padding before it", m[2])
		offsets[m[2]] = next
		next += bits / 8 * count
	}
	require.Equal(t, offsetResident, offsets["ri_resident_size"])
	require.Equal(t, offsetPhysical, offsets["ri_phys_footprint"])
	require.Equal(t, rusageSize, next)

	var b [rusageSize]byte
	binary.NativeEndian.PutUint64(b[offsets["ri_resident_size"]:], 1_400_000_000)
	binary.NativeEndian.PutUint64(b[offsets["ri_phys_footprint"]:], 18_000_000_000)
	require.Equal(t, Figure{RSS: 1_400_000_000, Used: 18_000_000_000, Held: 18_000_000_000}, footprintIn(&b))
}

func TestWhatIsMappedFromFilesIsUsedButNotHeld(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want Figure
	}{
		"a model in page cache": {"Name:\tpython3\nVmPeak:\t 9000 kB\nVmRSS:\t    7000 kB\nRssAnon:\t    1000 kB\nRssFile:\t    5500 kB\nRssShmem:\t     500 kB\nVmSwap:\t     250 kB\nThreads:\t3\n",
			Figure{7000 << 10, 7250 << 10, 1750 << 10}},
		"an old kernel":  {"VmRSS:\t7000 kB\nVmSwap:\t0 kB\n", Figure{7000 << 10, 7000 << 10, 7000 << 10}},
		"a zombie":       {"Name:\tpython3\nState:\tZ (zombie)\n", Figure{}},
		"no such thing":  {"", Figure{}},
		"what overflows": {"VmRSS:\t99999999999999999999 kB\nRssAnon:\t18014398509481984 kB\n", Figure{}},
	} {
		require.Equal(t, tt.want, statusFigure([]byte(tt.text)), name)
	}
}

func TestTheFairShareIsReadFromTheRollup(t *testing.T) {
	const rollup = "55d0a2a00000-7ffd5b5fe000 ---p 00000000 00:00 0    [rollup]\nRss:            900000 kB\nPss:            300000 kB\nPss_Dirty:      200000 kB\nPss_Anon:       210000 kB\nPss_File:        80000 kB\nPss_Shmem:       10000 kB\nSwap:             4000 kB\nSwapPss:          1000 kB\nLocked:              0 kB\n"
	f, ok := rollupFigure([]byte(rollup))
	require.True(t, ok)
	require.Equal(t, Figure{300000 << 10, 301000 << 10, 221000 << 10}, f)
	for name, text := range map[string]string{"empty": "", "a kernel before 5.4": "[rollup]\nRss: 9 kB\nPss: 3 kB\nSwapPss: 0 kB\n", "words": "Pss: many kB\nPss_Anon: few kB\n"} {
		_, ok := rollupFigure([]byte(text))
		require.False(t, ok, name)
	}
}

func TestTheSystemsWantOfMemoryHasThreeLevels(t *testing.T) {
	psi := func(some, full string) string {
		return "some avg10=" + some + " avg60=0.00 avg300=0.00 total=1508664\nfull avg10=" + full + " avg60=0.00 avg300=0.00 total=192223\n"
	}
	for name, tt := range map[string]struct {
		text string
		want Pressure
	}{
		"all is well":        {psi("0.00", "0.00"), Pressure{Level: Normal}},
		"some wait":          {psi("12.50", "0.50"), Pressure{Level: Warning, Some: 0.125, Full: 0.005}},
		"everybody waits":    {psi("80.00", "61.00"), Pressure{Level: Critical, Some: 0.8, Full: 0.61}},
		"without full":       {"some avg10=3.00 avg60=0.00 avg300=0.00 total=1\n", Pressure{Level: Normal, Some: 0.03}},
		"not in this kernel": {"", Pressure{}},
		"nonsense":           {"some avg10=NaN\nfull avg10=-1\nsome avg60=99.00\n", Pressure{}},
		"beyond all":         {"some avg10=1e9\n", Pressure{}},
	} {
		require.Equal(t, tt.want, linuxPressure(tt.text), name)
	}
	require.Equal(t, Pressure{Level: Normal, Free: 0.64}, macPressure(1, 64))
	require.Equal(t, Pressure{Level: Warning, Free: 0.2}, macPressure(2, 20))
	require.Equal(t, Pressure{Level: Critical, Free: 0.04}, macPressure(4, 4))
	require.Equal(t, Pressure{Free: 1}, macPressure(3, 400), "a level that nobody knows")
}

func TestTheWorseOfTwoLevelsIsKept(t *testing.T) {
	require.Equal(t, Critical, Worse(Warning, Critical))
	require.Equal(t, Warning, Worse(Warning, Normal))
	require.Equal(t, Normal, Worse(Unknown, Normal))
	require.Equal(t, Normal, Worse(Normal, "of a newer version"))
}

func FuzzReadersOfTheKernelsTexts(f *testing.F) {
	f.Add("VmRSS:\t7000 kB\nRssAnon: 5 kB\n")
	f.Add("Pss: 3 kB\nPss_Anon: 1 kB\n")
	f.Add("some avg10=12.50 avg60=0.00\nfull avg10=1.00\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := statusFigure([]byte(text))
		require.GreaterOrEqual(t, s.Used, s.RSS)
		_, _ = rollupFigure([]byte(text))
		p := linuxPressure(text)
		require.True(t, p.Some >= 0 && p.Some <= 1 && p.Full >= 0 && p.Full <= 1)
	})
}
