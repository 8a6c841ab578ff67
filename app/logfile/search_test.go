package logfile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// searched are the lines that match, the newest first, and how many there are.
func searched(t testing.TB, s *Snapshot, pattern string, fold bool, before Position, limit int) ([]string, int64) {
	t.Helper()
	p, err := Compile(pattern, fold)
	require.NoError(t, err)
	var lines []string
	var last Found
	require.NoError(t, s.Search(ctx, p, before, limit, func(f Found) error {
		for _, place := range f.Places {
			c, err := s.After(ctx, place, 1, Form{Unfold: true})
			require.NoError(t, err)
			lines = append(lines, texts(c.Rows)...)
		}
		require.GreaterOrEqual(t, f.Done, last.Done)
		last = f
		return nil
	}))
	require.Equal(t, last.Total, last.Done)
	return lines, last.Count
}

func TestASearchGoesFromTheNewestLineToTheOldest(t *testing.T) {
	l := write(t, numbered(200, 250), numbered(100, 200), numbered(0, 100))
	s := look(t, l)
	lines, n := searched(t, s, `line \d*7$`, false, Position{}, 100)
	require.EqualValues(t, 25, n)
	require.Len(t, lines, 25)
	require.Equal(t, []string{"line 247", "line 237"}, lines[:2])
	require.Equal(t, "line 7", lines[24])

	lines, n = searched(t, s, "LINE 1", true, Position{}, 3)
	require.EqualValues(t, 1+10+100, n, "all are counted, the newest are shown")
	require.Equal(t, []string{"line 199", "line 198", "line 197"}, lines)

	lines, _ = searched(t, s, "line", false, Position{s.files[1].id, 0}, 2)
	require.Equal(t, []string{"line 99", "line 98"}, lines, "from a place on")
}

func TestASearchFindsWhatPackageRegexpFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	words := []string{"error", "ERROR", "Error", "Kelvin", "K\u212a", "mas\u017f", "ä", "\xff", "code=12", "", " ", "foo", "fooo", "bar", "x", "\r", "日本"}
	var b strings.Builder
	for range 6000 {
		for range r.IntN(6) {
			b.WriteString(words[r.IntN(len(words))])
			if r.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(strings.Repeat("long ", searchBlock) + "needle\nlast foo")
	text := b.String()
	s := look(t, write(t, text))
	for _, fold := range []bool{false, true} {
		for _, pattern := range []string{
			"error", "foo|bar", "fo+", "^foo", "bar$", `\bfoo\b`, `code=\d+`, "k", "mass", "ä", `\x{fffd}`, "[fb]o", "x?", "(?:ab|ba)r", "(foo){2}", ".", "^$", `\s$`, "日.", "needle",
			`[^a-z ]`, `\Bo\B`, "(?s).foo", "(foo|bar) (foo|bar)", "(?m)^x$", `\AError`, `o\z`, "e.*r.*o", "[[:upper:]]{5}", `\pL+12`, "E", "foo\n", "(?-i)error",
		} {
			t.Run(fmt.Sprint(pattern, fold), func(t *testing.T) {
				full := pattern
				if fold {
					full = "(?i)" + pattern
				}
				re := regexp.MustCompile(full)
				var want int64
				for _, l := range strings.Split(text, "\n") {
					if re.MatchString(strings.TrimSuffix(l, "\r")) {
						want++
					}
				}
				_, n := searched(t, s, pattern, fold, Position{}, 0)
				require.Equal(t, want, n)
			})
		}
	}
}

func TestEveryLineOfALargeLogIsSearchedOnce(t *testing.T) {
	var b strings.Builder
	for i := 0; b.Len() < 3*segmentSize+12345; i++ {
		fmt.Fprintf(&b, "%d %s\n", i, strings.Repeat("x", i%3000))
	}
	s := look(t, write(t, b.String()))
	lines := strings.Count(b.String(), "\n")
	for _, pattern := range []string{`^\d+ `, " ", `\d$|x$| $`} {
		_, n := searched(t, s, pattern, false, Position{}, 0)
		require.EqualValues(t, lines, n, pattern)
	}
	var places []Position
	p, err := Compile(" ", false)
	require.NoError(t, err)
	require.NoError(t, s.Search(ctx, p, Position{}, 1<<20, func(f Found) error {
		places = append(places, f.Places...)
		return nil
	}))
	require.Len(t, places, lines)
	for i := 1; i < len(places); i++ {
		require.Less(t, places[i].Offset, places[i-1].Offset)
	}
}

func TestALineOfTenMegabytesCountsOnce(t *testing.T) {
	s := look(t, write(t, "first\n"+strings.Repeat("0123456789", 1<<20)+"\nlast 0123\n"))
	_, n := searched(t, s, "0123", false, Position{}, 0)
	require.EqualValues(t, 2, n)
	_, n = searched(t, s, `\d{4}`, false, Position{}, 0)
	require.EqualValues(t, 2, n)
}

func TestASearchEndsWhenNobodyWantsItAnyMore(t *testing.T) {
	s := look(t, write(t, strings.Repeat(strings.Repeat("x", 99)+"\n", 5*segmentSize/100)))
	p, err := Compile("y*x", false)
	require.NoError(t, err)
	stop, cancel := context.WithCancel(ctx)
	reports := 0
	err = s.Search(stop, p, Position{}, 10, func(Found) error {
		reports++
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, reports, 5, "not every segment is searched any more")
	tired := errors.New("tired")
	require.ErrorIs(t, s.Search(ctx, p, Position{}, 10, func(Found) error { return tired }), tired)
}

func TestPatternsThatCannotBeReadAreErrors(t *testing.T) {
	for _, bad := range []string{"", "(", "[z-a]", `\p{Nope}`, "a{5000}", "(?=x)", strings.Repeat("x", 2000)} {
		_, err := Compile(bad, false)
		require.Error(t, err, bad)
	}
}

func TestARequiredTextIsFound(t *testing.T) {
	for pattern, want := range map[string]string{
		"abc": "abc", `\d+ ms`: " ms", "(abc)+": "abc", "(?:x|yz)w": "w", "foo|bar": "bar foo", "a{3}": "a", "a*": "", `\d`: "", "(?i)key": "ey", "(?i)kiss": "i",
		"error: .* in": "error: ", "x?abcd.": "abcd", "(foo|b?)": "", "[ab]cd": "cd",
	} {
		p, err := Compile(pattern, false)
		require.NoError(t, err)
		var got []string
		for _, l := range p.rarest(nil) {
			got = append(got, string(l.text))
		}
		require.ElementsMatch(t, strings.Fields(want), strings.Fields(strings.Join(got, " ")), pattern)
	}
	p, err := Compile("everywhere.*rarely", false)
	require.NoError(t, err)
	require.Equal(t, "rarely", string(p.rarest([]byte("everywhere\neverywhere\n"))[0].text), "what the log has less of")
}

func FuzzTheMatcherAgreesWithPackageRegexp(f *testing.F) {
	for _, p := range []string{`\bfoo\b`, "^a|b$", "(?i)strasse", `\x{fffd}+`, "a.c", `[^\x00-\x7f]`, "(a|ab)(c|bcd)(d*)", `\B`, "x{0}", "(?:)"} {
		f.Add(p, []byte("foo abcd \xff straße"), false)
		f.Add(p, []byte(""), true)
	}
	f.Fuzz(func(t *testing.T, pattern string, text []byte, fold bool) {
		if len(pattern) > 60 || len(text) > 300 {
			return
		}
		p, err := Compile(pattern, fold)
		if err != nil {
			return
		}
		line := []byte(strings.NewReplacer("\n", "", "\r", "").Replace(string(text)))
		want := p.expression.Match(line)
		require.Equal(t, want, newMatcher(p.prog).matches(line))
		s := look(t, write(t, string(line)+"\n"))
		n := int64(0)
		require.NoError(t, s.Search(ctx, p, Position{}, 0, func(f Found) error { n = f.Count; return nil }))
		require.Equal(t, want, n == 1)
	})
}

func TestManyStatesAreForgotten(t *testing.T) {
	p, err := Compile("(?:a|b)*a(?:a|b){14}c", false)
	require.NoError(t, err)
	m := newMatcher(p.prog)
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		line := make([]byte, 100)
		for i := range line {
			line[i] = "abc"[r.IntN(9)/4%3]
		}
		require.Equal(t, p.expression.Match(line), m.matches(line))
		require.LessOrEqual(t, len(m.states), maxStates+len(line)+1)
	}
}
