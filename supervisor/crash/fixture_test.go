package crash

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

// update writes the verdicts into the fixtures, to be read by a person before they are committed.
var update = flag.Bool("update", false, "write the verdicts of testdata/verdicts anew")

// A fixture is a header of "key: value" lines, an empty line, the output, and if there is one the system's report below its mark; then the
// verdict below its own. A new crash is a new file.
const (
	reportMark  = "-- report --\n"
	verdictMark = "-- verdict --\n"
)

func readFixture(t *testing.T, path string) (e Evidence, want string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	text, want, ok := strings.Cut(string(raw), verdictMark)
	require.True(t, ok, "no %q", verdictMark)
	text, found, reported := strings.Cut(text, reportMark)
	header, output, ok := strings.Cut(text, "\n\n")
	require.True(t, ok, "no empty line after the header")
	e.Known, e.OS = true, "linux"
	for _, l := range strings.Split(header, "\n") {
		key, value, ok := strings.Cut(l, ": ")
		require.True(t, ok, "header %q", l)
		require.NoError(t, e.set(t, key, value), "header %q", l)
	}
	if output != "" {
		e.Tail = strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	}
	if reported {
		e.Report, err = report.Parse(strings.NewReader(found))
		require.NoError(t, err)
	}
	return e, want
}

// set takes a line of a fixture's header.
func (e *Evidence) set(t *testing.T, key, value string) (err error) {
	t.Helper()
	switch key {
	case "code":
		e.Known = true
		e.Code, err = strconv.Atoi(value)
	case "port":
		e.Port, err = strconv.Atoi(value)
	case "port owner":
		e.PortOwner = value
	case "signal":
		e.Known, e.Signal = true, value
	case "python":
		e.Python = value
	case "install":
		e.Install = value
	case "os":
		e.OS = value
	case "dir":
		e.Dir = value
	case "uptime":
		e.Uptime, err = time.ParseDuration(value)
	case "known":
		e.Known, err = strconv.ParseBool(value)
	case "asked":
		e.Asked, err = strconv.ParseBool(value)
	case "hung":
		e.Hung, err = strconv.ParseBool(value)
	case "foreign": // a text of elsewhere: nothing is known of its end
		e.Foreign, err = strconv.ParseBool(value)
		e.Known = false
	case "worker":
		e.Worker, err = strconv.ParseBool(value)
	case "missing": // names
		e.Missing = strings.Fields(value)
	case "memory": // source, limit and peak in bytes
		e.Memory.OOM = true
		_, err = fmt.Sscan(value, &e.Memory.Source, &e.Memory.Limit, &e.Memory.Peak)
	case "openmp": // a copy on disk: flavor, package, UUID ("-" for none), path
		var r openmp.Runtime
		var id string
		_, err = fmt.Sscan(value, &r.Flavor, &r.Package, &id, &r.Path)
		r.Real = r.Path
		r.Slices = []openmp.Slice{{Arch: "arm64", ID: strings.Trim(id, "-")}}
		e.OpenMP = append(e.OpenMP, r)
	case "loaded": // a path
		e.Loaded = append(e.Loaded, value)
	default:
		t.Fatalf("unknown header %q", key)
	}
	return err
}

func verdictText(v Verdict) string {
	text := fmt.Sprintf("kind: %s\nsummary: %s\nremedy: %s\nline: %s\n", v.Kind, v.Summary, v.Remedy, v.Line)
	if v.Confidence != "" {
		text += "confidence: " + v.Confidence + "\n"
	}
	return text
}

func fixtures(t testing.TB) []string {
	files, err := filepath.Glob("testdata/verdicts/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}
