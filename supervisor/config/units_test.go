package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"50MB": 50_000_000, "50 MB": 50_000_000, "1GiB": 1 << 30, "1.5MiB": 3 << 19, "2048": 2048, "64k": 64_000, "64KiB": 64 << 10, "64ki": 64 << 10,
		"5m": 5_000_000, "4096B": 4096, "1TiB": 1 << 40, " 1GB ": 1_000_000_000,
	} {
		n, problem := parseSize(text)
		require.Empty(t, problem, text)
		require.Equal(t, want, n, text)
	}
	n, problem := parseSize(int64(4096))
	require.Empty(t, problem)
	require.EqualValues(t, 4096, n)
	for _, text := range []string{"", "MB", "-1MB", "1PB", "50 mega", "1e6", "100iB", "0", "1023", "1.1TiB", "99999999999999999999999999", "NaN", "Inf", "0x10"} {
		_, problem := parseSize(text)
		require.NotEmpty(t, problem, text)
	}
	for _, v := range []any{true, 1.5, nil, []any{}, int64(-1)} {
		_, problem := parseSize(v)
		require.NotEmpty(t, problem, v)
	}
}

func TestDurationsAreShownShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24h", time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 90 * time.Second: "1m30s", 50 * time.Millisecond: "50ms", 0: "0s",
	} {
		require.Equal(t, want, shortDuration(d))
	}
}

func TestDistanceCountsLetters(t *testing.T) {
	for _, d := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"port", "port", 0}, {"prot", "port", 1}, {"helth", "health", 1}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}} {
		require.Equal(t, d.n, distance(d.a, d.b), d)
	}
	require.Equal(t, 64, distance(strings.Repeat("a", 65), "a"))
}
