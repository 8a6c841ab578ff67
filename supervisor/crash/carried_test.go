package crash

import (
	"encoding/json"
	"html"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// carried are ways in which the lines of a server reach whoever pastes them.
var carried = map[string]func(lines []string) []string{
	"compose":              before("backend-1  | "),
	"an older compose":     before("backend_1  | "),
	"Docker with times":    before("2026-03-04T05:06:07.123456789Z "),
	"Kubernetes":           before("2026-03-04T05:06:07.123456789Z stderr F "),
	"kubectl with names":   before("[pod/backend-7d9f8-abcde/backend] "),
	"Heroku":               before("2026-03-04T05:06:07.123456+00:00 app[web.1]: "),
	"journald":             before("Mar 04 05:06:07 host uvicorn[123]: "),
	"journald, ISO":        before("2026-03-04T05:06:07+0100 host uvicorn[123]: "),
	"syslog on its way":    before("<14>Mar 04 05:06:07 host uvicorn[123]: "),
	"syslog of RFC 5424":   before("<14>1 2026-03-04T05:06:07.003Z host uvicorn 123 - - "),
	"systemd's priorities": before("<3>"),
	"pm2":                  before("0|backend  | "),
	"pm2 with times":       before("0|backend  | 2026-03-04T05:06:07: "),
	"foreman":              before("05:06:07 web.1     | "),
	"overmind":             before("web    | "),
	"a time":               before("2026-03-04 05:06:07.123 "),
	"a quotation":          before("> "),
	"a quotation of one":   before("> > "),
	"a code block":         before("    "),
	"a tab":                before("\t"),
	"an unknown tool":      before("@shop/backend:dev: "),
	"a mark":               before("[backend] "),
	"a narrow window":      wrappedAt(80),
	"a wide window":        wrappedAt(120),
	"colours": func(lines []string) []string {
		return each(lines, func(l string) string { return "\x1b[31m" + l + "\x1b[0m" })
	},
	"lines of Windows": func(lines []string) []string { return each(lines, func(l string) string { return l + "\r" }) },
	"a window's width": func(lines []string) []string { return each(lines, func(l string) string { return l + "   " }) },
	"a page":           func(lines []string) []string { return each(lines, html.EscapeString) },
	"Docker's own file": func(lines []string) []string {
		return each(lines, func(l string) string {
			b, _ := json.Marshal(map[string]string{"log": l + "\n", "stream": "stderr", "time": "2026-03-04T05:06:07.123456789Z"})
			return string(b)
		})
	},
	"an issue": func(lines []string) []string {
		return append(append([]string{"My server dies. macOS 14, M2.", "", "```"}, lines...), "```", "", "Any ideas what to do?")
	},
}

func before(mark string) func([]string) []string {
	return func(lines []string) []string { return each(lines, func(l string) string { return mark + l }) }
}

// wrappedAt is what a terminal's window of that many columns makes of lines that are longer.
func wrappedAt(width int) func([]string) []string {
	return func(lines []string) (all []string) {
		for _, l := range lines {
			r := []rune(l)
			for ; len(r) > width; r = r[width:] {
				all = append(all, string(r[:width]))
			}
			all = append(all, string(r))
		}
		return all
	}
}

func each(lines []string, f func(string) string) []string {
	all := make([]string, len(lines))
	for i, l := range lines {
		all[i] = f(l)
	}
	return all
}

// wrapped are fixtures whose text is wrapped already: what would carry it then would have been inside of that.
var wrapped = []string{"issue-with-a-traceback-in-a-fence", "report-jetsam-in-an-issue", "report-quoted-and-indented", "trap-shared-log-of-two-services"}

func TestWhatCarriesAnOutputDoesNotChangeItsVerdict(t *testing.T) {
	tried := 0
	for _, path := range fixtures(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		e, _ := readFixture(t, path)
		if !e.Foreign || len(e.Tail) < 2 || slices.Contains(wrapped, name) { // one line alone shows no prefix that it has in common with others
			continue
		}
		tried++
		want := Judge(e)
		for how, carry := range carried {
			c := e
			c.Tail = carry(e.Tail)
			if strings.HasSuffix(how, "window") && len(c.Tail) < len(e.Tail)+2 {
				continue // one cut line alone may be a line
			}
			got := Judge(c)
			require.Equal(t, []string{string(want.Kind), want.Summary}, []string{string(got.Kind), got.Summary}, "%s: %s", name, how)
		}
	}
	require.Greater(t, tried, 50)
}
