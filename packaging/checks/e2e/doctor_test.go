//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// check is a row of `vivarium doctor --json`, as a program reads it.
type check struct {
	V                       int
	Code, Name, State, Text string
	Remedy                  string
}

// checks are the doctor's rows by their codes, and its exit code.
func (r *rig) checks() (map[string]check, int) {
	r.t.Helper()
	out, code := r.do("doctor", "--json", r.dir)
	all := map[string]check{}
	for line := range strings.Lines(out) {
		var c check
		require.NoError(r.t, json.Unmarshal([]byte(line), &c), line)
		require.Equal(r.t, 1, c.V)
		all[c.Code] = c
	}
	return all, code
}

func TestTheDoctorSeesTheCrashBeforeItHappensAndProvesItInTheRunningServer(t *testing.T) {
	t.Parallel()
	r := fastapi(t, "[health]\ninterval = \"200ms\"")
	before, code := r.checks()
	require.Zero(t, code, before)
	require.Equal(t, "pass", before["VIV002"].State, before)
	require.Equal(t, "pass", before["VIV004"].State, before)
	require.Regexp(t, `faiss-cpu.s LLVM, torch.s LLVM`, before["VIV006"].Text)
	predicted := before["VIV007"]
	require.Equal(t, "warn", predicted.State)
	require.Regexp(t, `^2 OpenMP runtimes meet in one process \(.*faiss.*torch.*\)`, predicted.Text)
	require.Contains(t, predicted.Remedy, "vivarium doctor --fix")
	require.NotContains(t, before, "VIV008", "nothing runs yet")
	require.Contains(t, before["VIV012"].Text, "is free")
	require.Contains(t, before["VIV023"].Text, "the next start brings it into the server")
	require.Equal(t, "pass", before["VIV025"].State, before)

	f := r.run()
	f.await("healthy")
	during, code := r.checks()
	require.Zero(t, code, during)
	require.Equal(t, "warn", during["VIV008"].State)
	require.Regexp(t, `^2 OpenMP runtimes meet in one process \(.*faiss.*torch.*\)`, during["VIV008"].Text, "what was predicted is loaded")
	require.Equal(t, "pass", during["VIV010"].State, during)
	require.Equal(t, "pass", during["VIV013"].State, during)
	require.Contains(t, during["VIV023"].Text, "it reached the server (PID ")
	require.Contains(t, during["VIV012"].Text, "the backend runs")

	looked(r)
	out, code := r.do("status", r.dir)
	require.Zero(t, code)
	require.Regexp(t, `openmp +2 runtimes \(.*torch`, out)
	f.stop()
}

func TestTheDoctorsPageMarksInARealBrowserWhatMeets(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	r := fastapi(t, "")
	out, code := r.do("page", "--doctor", r.dir)
	require.Zero(t, code, out)
	path := strings.TrimSpace(out)
	b.look(1000, "light", true)
	b.visit(path)
	b.quiet(path)
	require.Regexp(t, `^It works, and .* a look$`, b.text("document.querySelector('h1').innerText"))
	require.Contains(t, b.text("document.querySelector('.remedy').innerText"), "vivarium doctor --fix")
	var clashes int
	b.eval("document.querySelectorAll('.graph .clash').length", &clashes)
	require.NotZero(t, clashes)
	require.Contains(t, b.text("[...document.querySelectorAll('.graph .clash')].map(e => e.textContent).join(' ')"), "torch/lib/libomp.so")
	require.NotContains(t, b.text("[...document.querySelectorAll('.graph .clash')].map(e => e.textContent).join(' ')"), "cmeel", "what nobody imports is in no conflict")
	require.Contains(t, b.text("document.querySelector('.checks .warn').innerText"), "VIV007", "what matters stands first")
	require.Greater(t, colours(b.picture("doctor")), 20)

	b.look(360, "dark", true)
	b.visit(path)
	var over int
	b.eval("document.documentElement.scrollWidth - innerWidth", &over)
	require.LessOrEqual(t, over, 0, "nothing sticks out on a narrow screen")
	require.Less(t, brightness(b.picture("doctor-dark")), 60)
}
