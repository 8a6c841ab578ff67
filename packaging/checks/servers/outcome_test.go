//go:build servers

package servers

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the outcome of the rows that were tried into packaging/docs/servers.md")

const page = "../../docs/servers.md"

// outcome is a row of the table that is told at the end.
type outcome struct {
	Row, Title, Version, By, Command string
	Up, Server, Worker, Stop, Hand   string
	Slow                             string // why it may take longer to stop
	Limit                            time.Duration
	Says                             bool // where it listens, in words that the table knows
	Green                            bool
}

// version is of the package that the row is about: the first that is installed.
func version(t *testing.T, env string, packages []string) string {
	t.Helper()
	if len(packages) == 0 {
		return ""
	}
	var all []string
	for _, p := range packages {
		name, _, _ := strings.Cut(strings.FieldsFunc(p, func(r rune) bool { return strings.ContainsRune("[<>=", r) })[0], " ")
		found, err := filepath.Glob(filepath.Join(env, "lib", "python3*", "site-packages", strings.ReplaceAll(name, "-", "_")+"-*.dist-info"))
		require.NoError(t, err)
		if len(found) > 0 {
			v := strings.TrimSuffix(filepath.Base(found[0]), ".dist-info")
			all = append(all, name+" "+v[strings.IndexByte(v, '-')+1:])
		}
	}
	return strings.Join(all, ", ")
}

func (o *outcome) line() string {
	mark := "yes"
	if !o.Green {
		mark = "**no**"
	}
	stop, up := "", ""
	if o.Up != "" {
		up = "yes"
	}
	if o.Stop != "" { // how many seconds depends on the computer; that it was in time does not
		stop = fmt.Sprintf("within %.0f s", o.Limit.Seconds())
	}
	if o.Slow != "" {
		stop += ": " + o.Slow
	}
	none := func(s string) string { return cmp.Or(s, "–") }
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s | %s | %s |", o.Row, none(o.Version), none(up), none(o.Server), none(o.Worker), none(stop), none(o.Hand), mark)
}

const head = `# Real servers, tried

Each row of the table of servers that is tried has packages from PyPI in an environment of its own. ` + "`vivarium init`" + ` finds it in a folder as people have it; ` + "`vivarium run`" + ` gets it
healthy; then a worker and the server itself are killed with SIGKILL, which has to be told as that; a stop after the end of its start has to leave no process, within two seconds where the row gives no reason for more, or longer as the computer is busy;
and a copy that was started by hand has to be taken over. "–" is what a row has not: workers, or a port.
This page is written by ` + "`make servers update=yes`" + `; a row that was not tried keeps what the last run said.

`

// tell prints the table, and writes it into the page where that is asked for.
func tell(t *testing.T, all []*outcome) {
	rows := map[string]string{}
	green := 0
	for _, o := range all {
		rows[o.Row] = o.line()
		if o.Green {
			green++
		}
		fmt.Printf("%-12s %-5v up %-7s stop %-7s server %-6s worker %-36s by hand %-11s says where: %-5v %s\n", o.Row, o.Green, o.Up, o.Stop, o.Server, o.Worker, o.Hand, o.Says, o.Command)
	}
	fmt.Printf("%d of %d rows are whole\n", green, len(all))
	if !*update {
		return
	}
	old, err := os.ReadFile(page)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	for line := range strings.Lines(string(old)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name = name[:strings.IndexByte(name, '`')]
			if _, new := rows[name]; !new {
				rows[name] = strings.TrimSpace(line)
			}
		}
	}
	text := head + "Python " + pythonVersion(t) + ", " + runtime.GOOS + "/" + runtime.GOARCH + ".\n\n" +
		"| server | versions | healthy | server killed | worker killed | stop | started by hand | whole |\n|---|---|---|---|---|---|---|---|\n"
	var known []string
	for _, b := range readBackends(t) {
		known = append(known, b.row)
	}
	for _, name := range known {
		if rows[name] != "" && !slices.Contains(known[:slices.Index(known, name)], name) {
			text += rows[name] + "\n"
		}
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

func pythonVersion(t *testing.T) string {
	return strings.TrimSpace(strings.TrimPrefix(command(t, ".", "python3", "--version"), "Python "))
}
