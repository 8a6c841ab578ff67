package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/openmp"
)

func TestADoctorsPageBeginsWithWhatMatters(t *testing.T) {
	pass := DoctorCheck{"VIV001", "configuration", "pass", "vivarium.toml", ""}
	init := DoctorCheck{"VIV001", "configuration", "warn", "there is none", "run `vivarium init`"}
	meet := DoctorCheck{"VIV007", "prediction", "warn", "two meet", "run `vivarium doctor --fix`"}
	port := DoctorCheck{"VIV012", "port", "fail", "it is taken", "end <that> program"}
	for name, c := range map[string]struct {
		checks  []DoctorCheck
		heading string
		first   string
	}{
		"all well":                     {[]DoctorCheck{pass}, "All is well", ""},
		"a conflict before a trifle":   {[]DoctorCheck{init, meet}, "It works, and 2 things deserve a look", "<code>vivarium doctor --fix</code>"},
		"one thing":                    {[]DoctorCheck{init, pass}, "It works, and one thing deserves a look", "<code>vivarium init</code>"},
		"what keeps it from working":   {[]DoctorCheck{meet, port}, "Not well: one thing keeps the server from working", "end &lt;that&gt; program"},
		"nothing was looked at at all": {nil, "All is well", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, Words{}.Doctor(&b, Doctor{Backend: "brain", At: time.Unix(0, 0).UTC(), Checks: c.checks, Version: "1"}))
			text := b.String()
			require.Contains(t, text, "<h1>"+c.heading+"</h1>")
			_, after, todo := strings.Cut(text, "What to do first")
			require.Equal(t, c.first != "", todo)
			if todo {
				require.Contains(t, strings.SplitN(after, "</div>", 2)[0], c.first)
			}
			if i, j := strings.Index(text, "<b>Not well"), strings.Index(text, "Look at this"); i >= 0 && j >= 0 {
				require.Less(t, i, j, "the worst first")
			}
			require.NotContains(t, text, "http://")
		})
	}
}

func TestADoctorsPageShowsTheConflictAndNoSecret(t *testing.T) {
	a := openmp.Runtime{Path: "/home/ada/b/.venv/lib/python3.11/site-packages/faiss/libomp.so", Real: "/a", Flavor: openmp.LLVM, Package: "faiss-cpu"}
	b := openmp.Runtime{Path: "/home/ada/b/.venv/lib/python3.11/site-packages/torch/lib/libomp.so", Real: "/b", Flavor: openmp.LLVM, Package: "torch"}
	var out bytes.Buffer
	require.NoError(t, Words{Home: "/home/ada"}.Doctor(&out, Doctor{
		Backend: "brain", Dir: "/home/ada/b", Copies: Copies{Runtimes: []openmp.Runtime{a, b}, Together: []openmp.Runtime{a, b}}, Prediction: "two meet",
		Checks: []DoctorCheck{{"VIV012", "port", "fail", "taken by x --api-key sk-proj-AbCdEf1234567890", ""}},
	}))
	text := out.String()
	require.Contains(t, text, "in conflict")
	require.Contains(t, text, "two meet")
	require.Contains(t, text, "~/b")
	require.NotContains(t, text, "/home/ada")
	require.NotContains(t, text, "AbCdEf1234567890")
}
