package project

import (
	"bufio"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rooms is the picture of the house: each package, and what it may import of the others. A package may import only what stands above its
// own line, so that no arrow runs upwards and there is no circle.
const rooms = `
assets
supervisor/crash/mask
supervisor/crash/paste
supervisor/crash/report
supervisor/crash/traceback
supervisor/deep
supervisor/power
supervisor/proc
supervisor/memory            <- supervisor/proc
supervisor/guard             <- supervisor/memory
supervisor/queue
supervisor/quiet
supervisor/reboot
supervisor/recorder
supervisor/safefile
supervisor/keeper            <- supervisor/proc supervisor/safefile
supervisor/openmp            <- supervisor/safefile
supervisor/crash/environment <- supervisor/openmp
supervisor/crash             <- supervisor/crash/environment supervisor/crash/mask supervisor/crash/paste supervisor/crash/report supervisor/crash/traceback supervisor/openmp
supervisor/openmp/cure       <- supervisor/openmp supervisor/safefile
supervisor/python            <- supervisor/crash/environment supervisor/safefile
supervisor/sampler           <- supervisor/crash/mask supervisor/proc
supervisor/servers
supervisor/config            <- supervisor/guard supervisor/proc supervisor/python supervisor/recorder supervisor/safefile supervisor/servers
supervisor/port              <- supervisor/config supervisor/crash supervisor/keeper supervisor/proc
supervisor/probe             <- supervisor/config supervisor/servers
supervisor/process           <- supervisor/crash/environment supervisor/memory supervisor/proc supervisor/python supervisor/servers
supervisor/project           <- supervisor/servers
supervisor/plan              <- supervisor/config supervisor/crash/environment supervisor/keeper supervisor/openmp supervisor/openmp/cure supervisor/process supervisor/project supervisor/python supervisor/servers
supervisor/ready             <- supervisor/config supervisor/crash supervisor/plan supervisor/port supervisor/python supervisor/servers
supervisor/stall             <- supervisor/crash/mask
supervisor/observation       <- supervisor/crash/mask supervisor/proc supervisor/process supervisor/recorder supervisor/safefile supervisor/stall
supervisor/record            <- supervisor/config supervisor/crash supervisor/crash/environment supervisor/crash/report supervisor/guard supervisor/keeper supervisor/memory supervisor/openmp supervisor/safefile supervisor/stall
supervisor/backoff           <- supervisor/record
supervisor/history           <- supervisor/memory supervisor/record supervisor/stall
supervisor/postmortem        <- supervisor/crash supervisor/crash/mask supervisor/crash/report supervisor/keeper supervisor/memory supervisor/openmp supervisor/plan supervisor/port supervisor/proc supervisor/python supervisor/record supervisor/safefile supervisor/stall
supervisor/platform          <- supervisor/config supervisor/crash supervisor/keeper supervisor/memory supervisor/observation supervisor/openmp supervisor/plan supervisor/port supervisor/postmortem supervisor/power supervisor/probe supervisor/proc supervisor/process supervisor/python supervisor/quiet supervisor/reboot supervisor/record supervisor/recorder supervisor/sampler
supervisor                   <- supervisor/backoff supervisor/config supervisor/crash supervisor/crash/environment supervisor/deep supervisor/guard supervisor/history supervisor/keeper supervisor/memory supervisor/observation supervisor/plan supervisor/platform supervisor/port supervisor/postmortem supervisor/power supervisor/probe supervisor/proc supervisor/process supervisor/python supervisor/queue supervisor/record supervisor/recorder supervisor/safefile supervisor/stall
app/logfile
app/page                     <- supervisor/crash supervisor/crash/environment supervisor/crash/mask supervisor/crash/report supervisor/memory supervisor/observation supervisor/openmp supervisor/record
app/dashboard                <- app/logfile app/page supervisor/keeper
app/wait
app/mcp                      <- app/wait
app/words                    <- supervisor supervisor/crash supervisor/memory supervisor/port supervisor/proc supervisor/process supervisor/record supervisor/stall
app/control                  <- app/words supervisor supervisor/config supervisor/crash supervisor/guard supervisor/keeper supervisor/memory supervisor/observation supervisor/port supervisor/probe supervisor/proc supervisor/process supervisor/record supervisor/safefile supervisor/stall
app/desktop                  <- app/words supervisor/config supervisor/proc supervisor/safefile
app/hook                     <- app/control supervisor supervisor/config supervisor/crash/mask supervisor/proc
app/login                    <- app/desktop app/words supervisor/keeper supervisor/safefile
app/notice                   <- app/desktop app/words assets supervisor supervisor/record
app/order                    <- app/control app/words supervisor supervisor/config supervisor/keeper supervisor/record
app/setup                    <- app/words supervisor/config supervisor/crash/environment supervisor/plan supervisor/proc supervisor/project supervisor/python supervisor/ready supervisor/safefile supervisor/servers
app/doctor                   <- app/control app/desktop app/login app/order app/setup app/words supervisor supervisor/config supervisor/crash supervisor/crash/environment supervisor/crash/mask supervisor/keeper supervisor/openmp supervisor/openmp/cure supervisor/plan supervisor/port supervisor/proc supervisor/process supervisor/python supervisor/record supervisor/recorder supervisor/safefile supervisor/servers
app                          <- app/control app/desktop app/doctor app/hook app/login app/notice app/order app/setup app/words assets supervisor supervisor/keeper supervisor/record supervisor/safefile
app/dashboard/source         <- app/control app/dashboard app/doctor app/page app/setup app/words supervisor supervisor/config supervisor/crash supervisor/keeper supervisor/observation supervisor/openmp supervisor/port supervisor/record supervisor/safefile
app/terminal                 <- app app/control app/hook app/words supervisor supervisor/config supervisor/crash supervisor/keeper supervisor/port supervisor/record
app/tray                     <- app app/login app/notice app/words assets supervisor/openmp
cmd/vivarium                 <- app app/control app/dashboard app/dashboard/source app/desktop app/doctor app/login app/mcp app/page app/setup app/terminal app/wait app/words assets supervisor supervisor/config supervisor/crash supervisor/crash/environment supervisor/crash/mask supervisor/crash/report supervisor/crash/traceback supervisor/keeper supervisor/observation supervisor/openmp supervisor/openmp/cure supervisor/plan supervisor/process supervisor/python supervisor/quiet supervisor/ready supervisor/record supervisor/safefile supervisor/stall
cmd/vivarium-keeper          <- supervisor/keeper
cmd/vivarium-menubar         <- app app/login app/tray supervisor/keeper supervisor/quiet
`

// pictures are names that a reader would have to look up. They may not come back as names of files, types or functions.
const pictures = `nest heir farewell doorbell inquest errand court kin neighbours carry aside letter goodPlan world`

// The sizes that a package and a file may have.
const (
	mostFiles     = 25   // without tests
	mostLines     = 5000 // of a package, without tests
	mostCoreLines = 4000 // of the two packages in which everything meets
)

// picture is the table of rooms, in its order.
func picture(t *testing.T) (order []string, allowed map[string][]string) {
	t.Helper()
	allowed = map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(rooms)) {
		name, may, _ := strings.Cut(strings.TrimSpace(line), "<-")
		name = strings.TrimSpace(name)
		for _, to := range strings.Fields(may) {
			require.Contains(t, order, to, "%s is to import %s, which stands below it", name, to)
		}
		order, allowed[name] = append(order, name), strings.Fields(may)
	}
	return order, allowed
}

// arrows are the imports within the project on both systems, tests apart.
func arrows(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, goos := range []string{"linux", "darwin"} {
		for _, p := range list(t, goos, "1", "./cmd/...", "./app/...", "./assets/...", "./supervisor/...") {
			name := strings.TrimPrefix(p.ImportPath, module+"/")
			for _, i := range p.Imports {
				if to, ours := strings.CutPrefix(i, module+"/"); ours && !slices.Contains(found[name], to) {
					found[name] = append(found[name], to)
				}
			}
			if found[name] == nil {
				found[name] = []string{}
			}
		}
	}
	return found
}

func TestEachPackageImportsWhatThePictureShowsAndNothingElse(t *testing.T) {
	order, allowed := picture(t)
	found := arrows(t)
	for name, imports := range found {
		if strings.HasSuffix(name, "/testkit") {
			continue // for tests, which may know everything
		}
		require.Contains(t, order, name, "a new package has its line in the picture")
		for _, to := range imports {
			require.NotContains(t, to, "/testkit", "%s is no test", name)
		}
		slices.Sort(imports)
		require.ElementsMatch(t, allowed[name], imports, name)
	}
	require.ElementsMatch(t, order, slices.DeleteFunc(slices.Collect(maps.Keys(found)), func(n string) bool { return strings.HasSuffix(n, "/testkit") }))
}

// sources are the Go files of a folder, tests apart.
func sources(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(top(t), folder, "*.go"))
	require.NoError(t, err)
	texts := map[string][]byte{}
	for _, path := range all {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		texts[filepath.Base(path)], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	return texts
}

func TestNoPackageIsTooLargeToKnow(t *testing.T) {
	for name := range arrows(t) {
		texts := sources(t, name)
		lines := 0
		for _, text := range texts {
			lines += bytes.Count(text, []byte("\n"))
		}
		most := mostLines
		if name == "supervisor" || name == "app" {
			most = mostCoreLines
		}
		require.LessOrEqual(t, len(texts), mostFiles, "files of %s", name)
		require.LessOrEqual(t, lines, most, "lines of %s", name)
	}
}

func TestEachPackageSaysWhatLivesThere(t *testing.T) {
	for name := range arrows(t) {
		var doc []string
		for _, text := range sources(t, name) {
			before, _, _ := bytes.Cut(text, []byte("\npackage "))
			var comment []string
			for s := bufio.NewScanner(bytes.NewReader(before)); s.Scan(); {
				if line, ok := strings.CutPrefix(s.Text(), "// "); ok {
					comment = append(comment, line)
				}
			}
			if len(comment) > 0 && regexp.MustCompile(`^(Package|Command) `).MatchString(comment[0]) {
				doc = append(doc, strings.Join(comment, " "))
			}
		}
		require.Len(t, doc, 1, "doc comments of %s", name)
		require.GreaterOrEqual(t, len(doc[0]), 80, "the doc comment of %s", name)
	}
}

func TestNoPictureStandsForAWordOfTheTrade(t *testing.T) {
	words := strings.Fields(pictures)
	named := regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |\t)(` + strings.Join(words, "|") + `)(?:\(| (?:struct|interface|func|=))`)
	for name := range arrows(t) {
		for file, text := range sources(t, name) {
			stem, _, _ := strings.Cut(strings.TrimSuffix(file, ".go"), "_")
			require.NotContains(t, words, stem, "%s/%s", name, file)
			require.Empty(t, named.FindAllString(string(text), -1), "%s/%s", name, file)
		}
	}
}

// The drawing leaves out an arrow where a longer way leads to the same room: what is left is what one has to know.
func TestThePageOfTheArchitectureDrawsTheRoomsAndTheirArrows(t *testing.T) {
	order, allowed := picture(t)
	reach := map[string]map[string]bool{}
	for _, name := range order { // what it imports stands above it, and is known already
		reach[name] = map[string]bool{}
		for _, to := range allowed[name] {
			reach[name][to] = true
			maps.Copy(reach[name], reach[to])
		}
	}
	var b strings.Builder
	b.WriteString("\n```mermaid\nflowchart TD\n")
	for _, name := range slices.Backward(order) {
		for _, to := range allowed[name] {
			shorter := func(by string) bool { return by != to && reach[by][to] }
			if !slices.ContainsFunc(allowed[name], shorter) {
				b.WriteString("  " + name + " --> " + to + "\n")
			}
		}
	}
	b.WriteString("```\n")
	written(t, "packaging/docs/architecture.md", "<!-- rooms: written by `go test ./packaging/checks/project -update` -->", "<!-- end of rooms -->", b.String())
}
