package logfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLevelsAreReadFromTheUsualForms(t *testing.T) {
	for text, want := range map[string]Level{
		"INFO:     Started server process [123]":                                                   Info,
		"\x1b[32mINFO\x1b[0m:     127.0.0.1:5 - \"GET / HTTP/1.1\" 200 OK":                         Info,
		"\x1b[31mERROR\x1b[0m:    Exception in ASGI application":                                   Error,
		"WARNING:root:careful":                                                                     Warning,
		"CRITICAL:app:no":                                                                          Critical,
		"2026-11-28 12:00:00,123 - my.app - ERROR - it failed":                                     Error,
		"2026-11-28 12:00:00,123 INFO my.app it works":                                             Info,
		"2026-11-28 12:00:00,123 [WARNING] my.app: careful":                                        Warning,
		"[2026-11-28 12:00:00 +0000] [123] [INFO] Booting worker with pid: 124":                    Info,
		"[2026-11-28 12:00:00 +0000] [123] [CRITICAL] WORKER TIMEOUT (pid:124)":                    Critical,
		"2026-11-28 12:00:00.123 | WARNING  | main:f:12 - careful":                                 Warning,
		"2026-11-28 12:00:00.123 | SUCCESS  | main:f:12 - done":                                    Info,
		"2026-11-28 12:00:00 [info     ] request               path=/a status=500":                 Info,
		"2026-11-28T12:00:00Z [error    ] failed":                                                  Error,
		"time=\"2026-11-28\" level=warning msg=\"careful\"":                                        Warning,
		"ts=1 lvl=error msg=x":                                                                     Error,
		"[2026-11-28 12:00:00,000: ERROR/MainProcess] Task failed":                                 Error,
		"W1128 12:00:00.123456  1234 file.cc:12] careful":                                          Warning,
		"E0000 00:00:00.000000 1234 cuda.cc:1] no":                                                 Error,
		"2026-11-28 12:00:00.123456: W tensorflow/core/util.cc:1] careful":                         Warning,
		"2026-11-28 12:00:00.123456: I tensorflow/core/util.cc:1] fine":                            Info,
		`{"timestamp":"2026","level":"error","event":"failed"}`:                                    Error,
		`{"asctime": "2026", "levelname": "WARNING", "message": "x"}`:                              Warning,
		`{"severity":"INFO","message":"x"}`:                                                        Info,
		`{"level":50,"time":1,"msg":"x"}`:                                                          Error,
		`{"levelno": 30, "msg": "x"}`:                                                              Warning,
		`{"text": "x", "record": {"level": {"icon": "i", "name": "CRITICAL", "no": 50}}}`:          Critical,
		"/a/b.py:12: UserWarning: careful":                                                         Warning,
		"app.worker DEBUG picked up":                                                               Debug,
		"Fatal Python error: Segmentation fault":                                                   Critical,
		"OMP: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized.": Critical,
		"libc++abi: terminating due to uncaught exception":                                         Critical,
		"Traceback (most recent call last):":                                                       Error,
		"plain words of a program":                                                                 None,
		"The ERROR count is zero":                                                                  None,
		"NON-ERROR output":                                                                         None,
		"errors: none":                                                                             None,
		"information for you":                                                                      None,
		"loading model, info at http://localhost":                                                  None,
		"{not json":                         None,
		`{"message": "the level of water"}`: None,
		"":                                  None,
	} {
		var j judge
		level, _ := j.classify([]byte(text))
		require.Equal(t, want, level, text)
	}
}

func TestARecordEndsWhereTheNextOneBegins(t *testing.T) {
	var j judge
	for _, step := range []struct {
		text  string
		level Level
		part  Part
	}{
		{"ERROR:    Exception in ASGI application", Error, NoPart},
		{"  + Exception Group Traceback (most recent call last):", Error, Head},
		{"  |   File \"a.py\", line 1, in f", Error, Body},
		{"  | ExceptionGroup: two (2 sub-exceptions)", Error, Body},
		{"  +-+---------------- 1 ----------------", Error, Body},
		{"plain", Error, Tail},
		{"plain", None, NoPart},
		{"CRITICAL:x:y", Critical, NoPart},
		{"Traceback (most recent call last):", Critical, Head},
		{"  File \"a.py\", line 1, in f", Critical, Body},
		{"", Critical, Body},
		{"module.SomeError: INFO is what it says", Critical, Tail},
		{"INFO:     next", Info, NoPart},
		{"    its second line", Info, NoPart},
		{"Traceback (most recent call last):", Error, Head},
		{"INFO:     another thread", Info, NoPart},
	} {
		level, part := j.classify([]byte(step.text))
		require.Equal(t, step.level, level, step.text)
		require.Equal(t, step.part, part, step.text)
	}
}

func TestLevelsAreReadAsTheyAreWritten(t *testing.T) {
	for l := None; l <= Critical; l++ {
		got, ok := ParseLevel(l.String())
		require.True(t, ok)
		require.Equal(t, l, got)
	}
	_, ok := ParseLevel("loud")
	require.False(t, ok)
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte("2026-11-28 12:00:00.123456: "), []byte("{\"level\": {"))
	f.Add([]byte("W1128 "), []byte("level="))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var j judge
		for range 2 {
			for _, text := range [][]byte{a, b} {
				level, part := j.classify(text)
				require.LessOrEqual(t, level, Critical)
				j.keyOf(text, part)
			}
		}
	})
}
