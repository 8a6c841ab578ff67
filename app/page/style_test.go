package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var custom = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`)

// palettes are the page's colours: by day, by night, and on paper.
func palettes(t *testing.T) []map[string]string {
	t.Helper()
	var all []map[string]string
	for _, block := range strings.Split(style(), ":root {")[1:] {
		block, _, _ = strings.Cut(block, "}")
		p := map[string]string{}
		for _, m := range custom.FindAllStringSubmatch(block, -1) {
			p[m[1]] = m[2]
		}
		all = append(all, p)
	}
	require.Len(t, all, 3)
	return all
}

// luminance and contrast are those of https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	require.NoError(t, err, colour)
	linear := func(c uint64) float64 {
		v := float64(c&255) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestEveryTextCanBeReadByDayByNightAndOnPaper(t *testing.T) {
	for i, p := range palettes(t) {
		for text, grounds := range map[string][]string{
			"text": {"ground", "sheet", "soft", "bad-soft", "own-soft", "mark"}, "quiet": {"ground", "sheet", "soft", "own-soft"},
			"bad": {"ground", "sheet", "bad-soft"}, "good": {"sheet", "good-soft"}, "own": {"own-soft"},
		} {
			for _, ground := range grounds {
				require.GreaterOrEqual(t, contrast(t, p[text], p[ground]), 4.5, "palette %d: %s on %s", i, text, ground)
			}
		}
		for _, line := range []string{"memory", "cpu", "health", "bad"} {
			require.GreaterOrEqual(t, contrast(t, p[line], p["sheet"]), 3.0, "palette %d: the line %s", i, line)
		}
	}
}

func TestEveryColourOfThePageIsOneOfItsPalette(t *testing.T) {
	palette := palettes(t)[0]
	for _, m := range regexp.MustCompile(`var\(--([a-z-]+)\)`).FindAllStringSubmatch(style(), -1) {
		if m[1] != "mono" {
			require.Contains(t, palette, m[1])
		}
	}
	_, rules, _ := strings.Cut(style(), "* { box-sizing")
	rules, _, _ = strings.Cut(rules, "@media print")
	require.NotRegexp(t, `#[0-9a-f]{3,6}\b`, rules)
}
