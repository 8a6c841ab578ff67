package paste

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// passedOn are the forms in which programs pass each line of another's output on.
var passedOn = map[string]func(i int, line string) string{
	"logging's default":   func(_ int, l string) string { return "ERROR:stderr:" + l },
	"logging with a time": func(i int, l string) string { return fmt.Sprintf("2026-02-10 09:20:31,%03d [ERROR] %s", i*7, l) },
	"logging with dashes": func(i int, l string) string {
		return fmt.Sprintf("2026-02-10 09:20:31,%03d - STDERR - ERROR - %s", i, l)
	},
	"gunicorn": func(i int, l string) string {
		return fmt.Sprintf("[2026-02-10 09:20:%02d +0000] [71] [ERROR] %s", i, l)
	},
	"celery": func(i int, l string) string {
		return fmt.Sprintf("[2026-02-10 09:20:31,%03d: WARNING/ForkPoolWorker-1] %s", i, l)
	},
	"loguru": func(i int, l string) string {
		return fmt.Sprintf("2026-02-10 09:20:31.%03d | ERROR    | __main__:write:17 - %s", i, l)
	},
	"glog": func(i int, l string) string {
		return fmt.Sprintf("E0210 09:20:31.%06d      71 redirect.py:12] %s", i, l)
	},
	"a desktop program": func(i int, l string) string {
		return fmt.Sprintf("[2026-02-10 09:20:31.%03d] [error] [backend] %s", i, l)
	},
	"a launcher":         func(_ int, l string) string { return "[backend] stderr: " + l },
	"a word in brackets": func(_ int, l string) string { return "[Python Error]: " + l },
	"tauri": func(i int, l string) string {
		return fmt.Sprintf("[2026-02-10][09:20:%02d][app::sidecar][ERROR] %s", i, l)
	},
	"logfmt": func(i int, l string) string {
		return fmt.Sprintf("time=2026-02-10T09:20:%02dZ level=ERROR msg=%q", i, l)
	},
	"JSON": func(i int, l string) string {
		return asJSON(map[string]any{"timestamp": i, "level": "error", "message": l})
	},
	"JSON of other keys":    func(i int, l string) string { return asJSON(map[string]any{"ts": i, "severity": "ERROR", "msg": l}) },
	"nothing in front":      func(_ int, l string) string { return l },
	"the form of a logger":  func(_ int, l string) string { return "ERROR | root | " + l },
	"a number that changes": func(i int, l string) string { return fmt.Sprintf("worker(%d): %s", i*i, l) },
}

func asJSON(fields map[string]any) string {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// printed are texts as programs print them.
var printed = map[string]string{
	"a traceback": `loading the index
Traceback (most recent call last):
  File "/srv/app/boot.py", line 12, in <module>
    index = load("kb.idx")
            ^^^^^^^^^^^^^^
  File "/srv/app/store.py", line 40, in load
    return annoy.open(path)
OSError: Unable to open: No such file or directory (2)`,
	"a chain": `Traceback (most recent call last):
  File "/srv/app/boot.py", line 3, in load
    return table[key]
KeyError: 'kb'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app/boot.py", line 12, in <module>
    load("kb")
RuntimeError: no such index`,
	"a group": `  + Exception Group Traceback (most recent call last):
  |   File "/srv/app/serve.py", line 30, in main
  |     async with asyncio.TaskGroup() as group:
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/app/serve.py", line 18, in warm_up
    |     model.load()
    | ValueError: no weights
    +------------------------------------`,
	"OpenMP": `OMP: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized.
OMP: Hint This means that multiple copies of the OpenMP runtime have been linked into the program.
Fatal Python error: Aborted`,
}

func TestWhatAProgramPassesOnLineByLineIsReadAsItWasPrinted(t *testing.T) {
	for what, text := range printed {
		want := printedLines(Parse([]byte(text)))
		for form, head := range passedOn {
			t.Run(what+" behind "+form, func(t *testing.T) {
				ls := strings.Split(text, "\n")
				for i := range ls {
					ls[i] = strings.TrimRight(head(i, ls[i]), " ")
				}
				got := Parse([]byte(strings.Join(ls, "\n") + "\n"))
				require.Equal(t, want, printedLines(got))
				for _, l := range got.Lines {
					require.Empty(t, l.Level, "it was passed on, not logged: %q", l.Text)
				}
			})
		}
	}
}

// printedLines are the lines that are not blank: a head alone may have lost its line.
func printedLines(t Text) []string {
	var out []string
	for _, l := range t.Lines {
		if strings.TrimSpace(l.Text) != "" {
			out = append(out, strings.TrimRight(l.Text, " "))
		}
	}
	return out
}

func TestAHeadThatOnlyAPartOfTheLinesHasIsTakenOffThat(t *testing.T) {
	got := Parse([]byte(`INFO:     Started server process [71]
INFO:     Waiting for application startup.
ERROR:stderr:Traceback (most recent call last):
ERROR:stderr:  File "/srv/app/boot.py", line 12, in <module>
ERROR:stderr:    index = load("kb.idx")
ERROR:stderr:OSError: Unable to open: No such file or directory (2)
INFO:     Shutting down
`))
	require.Equal(t, []string{
		"INFO:     Started server process [71]",
		"INFO:     Waiting for application startup.",
		"Traceback (most recent call last):",
		`  File "/srv/app/boot.py", line 12, in <module>`,
		`    index = load("kb.idx")`,
		"OSError: Unable to open: No such file or directory (2)",
		"INFO:     Shutting down",
	}, printedLines(got))
	require.Equal(t, "INFO", got.Lines[0].Level)
	require.Empty(t, got.Lines[2].Level)
}

// A library that logs a traceback with its head before every line has logged it: somebody caught it.
func TestATracebackThatWasLoggedKeepsItsLevel(t *testing.T) {
	got := Parse([]byte(`INFO 03-04 05:06:01 [api_server.py:1839] still here
ERROR 03-04 05:06:07 [core.py:708] EngineCore failed to start.
ERROR 03-04 05:06:07 [core.py:708] Traceback (most recent call last):
ERROR 03-04 05:06:07 [core.py:708]   File "/srv/core.py", line 699, in run
ERROR 03-04 05:06:07 [core.py:708]     engine.start()
ERROR 03-04 05:06:07 [core.py:708] RuntimeError: no device
`))
	require.Equal(t, "Traceback (most recent call last):", got.Lines[2].Text)
	for _, l := range got.Lines[1:] {
		require.Equal(t, "ERROR", l.Level, l.Text)
	}
}

func TestWhatLinesHaveInCommonIsNotAlwaysAHead(t *testing.T) {
	for what, text := range map[string]string{
		"an access log":       "INFO:     127.0.0.1:59100 - \"GET / HTTP/1.1\" 200 OK\nINFO:     127.0.0.1:59101 - \"GET / HTTP/1.1\" 200 OK\nINFO:     127.0.0.1:59104 - \"GET / HTTP/1.1\" 200 OK",
		"npm":                 "npm ERR! code 1\nnpm ERR! Traceback (most recent call last):\nnpm ERR! errno 1",
		"frames without head": "  File \"/a.py\", line 1, in a\n  File \"/b.py\", line 2, in b\n  File \"/c.py\", line 3, in c",
		"two lines":           "backend: Traceback\nbackend: nothing",
		"the same sentence":   "retrying in 1 s\nretrying in 2 s\nretrying in 4 s",
	} {
		t.Run(what, func(t *testing.T) {
			ls := split(text)
			all := make([]int, len(ls))
			for i := range ls {
				all[i] = i
			}
			behead(ls, all, true)
			for i, l := range ls {
				require.Equal(t, strings.Split(text, "\n")[i], l.Text)
			}
		})
	}
}

func TestAPairOfWordsWithAnEqualsSignIsNoRecord(t *testing.T) {
	for text, want := range map[string]string{
		`time=2026-02-10T09:20:31Z level=error msg="boot failed: \"kb\""`: `boot failed: "kb"`,
		`level=WARN msg=slow took=3s`:                                     "slow",
		`level=error but the rest is a sentence`:                          "",
		`msg="no level"`:                                                  "",
		`level=info`:                                                      "",
		`level=error msg="never closed`:                                   "",
		`x = 3`:                                                           "",
		`=`:                                                               "",
	} {
		f, ok := logfmt(text)
		require.Equal(t, want != "", ok, text)
		if ok {
			require.Equal(t, want, f.message, text)
		}
	}
}
