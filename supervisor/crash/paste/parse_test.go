package paste

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const sample = "Traceback (most recent call last):\r\n  File \"/srv/ö/boot.py\", line 3, in <module>\r\n    import umap\r\nModuleNotFoundError: No module named 'umap' 🐍\r\n"

func inUTF16(text string, order binary.AppendByteOrder, mark bool) (b []byte) {
	if mark {
		text = "\ufeff" + text
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func texts(t Text) (out []string) {
	for _, l := range t.Lines {
		out = append(out, l.Text)
	}
	return out
}

func TestATextIsTheSameInEveryEncoding(t *testing.T) {
	want := strings.Split(strings.TrimSuffix(strings.ReplaceAll(sample, "\r", ""), "\n"), "\n")
	for name, data := range map[string][]byte{
		"utf-8":                   []byte(sample),
		"utf-8 with a mark":       []byte("\ufeff" + sample),
		"utf-16le with a mark":    inUTF16(sample, binary.LittleEndian, true),
		"utf-16be with a mark":    inUTF16(sample, binary.BigEndian, true),
		"utf-16le without":        inUTF16(sample, binary.LittleEndian, false),
		"utf-16be without":        inUTF16(sample, binary.BigEndian, false),
		"lines of an old Mac":     []byte(strings.ReplaceAll(sample, "\n", "")),
		"lines of Unix":           []byte(strings.ReplaceAll(sample, "\r", "")),
		"two carriage returns":    []byte(strings.ReplaceAll(sample, "\r", "\r\r")),
		"utf-16le, cut in a unit": inUTF16(sample, binary.LittleEndian, true)[:2*len(utf16.Encode([]rune(sample)))+1],
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, want, texts(Parse(data))) })
	}
}

func TestBytesThatAreNoTextAreReplacedAndTheRestIsRead(t *testing.T) {
	got := texts(Parse([]byte("caf\xe9 \xff\xfe\xfdis open\nFatal Python error: Aborted\x00\n")))
	require.Equal(t, []string{"caf\ufffd \ufffdis open", "Fatal Python error: Aborted"}, got)
}

func TestNothingGivesNothing(t *testing.T) {
	for _, text := range []string{"", "\xff\xfe", "\ufeff", "\xef\xbb\xbf"} {
		got := Parse([]byte(text))
		require.Empty(t, got.Lines)
		require.Empty(t, got.Reports)
		require.False(t, got.Status.Known)
	}
}

func TestARawLineIsTheLineAsItStood(t *testing.T) {
	text := "> api-1  | \x1b[31mTraceback (most recent call last):\x1b[0m\n> api-1  |   File \"/a.py\", line 1, in <module>\n> api-1  | KeyError: 'x'\n"
	got := Parse([]byte(text))
	require.Len(t, got.Lines, 3)
	for i, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		require.Equal(t, l, got.Lines[i].Raw)
	}
	require.Equal(t, []string{"Traceback (most recent call last):", "  File \"/a.py\", line 1, in <module>", "KeyError: 'x'"}, texts(got))
}

func TestALevelIsToldAndAnOrdinaryRecordStays(t *testing.T) {
	for text, want := range map[string]Line{
		"INFO:     ready":     {Level: "INFO"},
		"WARNING:app.db:slow": {Level: "WARNING"},
		"[ERROR] no":          {Level: "ERROR"},
		"2026-03-04 05:06:07,123 - app - ERROR - no":          {Level: "ERROR", Time: "2026-03-04 05:06:07,123"},
		"2026-03-04 05:06:07.123 | WARNING  | app:run:7 - no": {Level: "WARNING", Time: "2026-03-04 05:06:07.123"},
		"[2026-03-04 05:06:07 +0000] [7] [CRITICAL] no":       {Level: "CRITICAL", Time: "2026-03-04 05:06:07 +0000"},
		"[03/04/26 05:06:07] nothing known":                   {},
		"2026-03-04T05:06:07.123456Z [error    ] no":          {Level: "error", Time: "2026-03-04T05:06:07.123456Z"},
		"05:06:07 INFO ready":                                 {Level: "INFO", Time: "05:06:07"},
		"Error: it is no record":                              {},
		"error reading the file":                              {},
		"Information is no level":                             {},
	} {
		got := Parse([]byte(text + "\n")).Lines
		require.Len(t, got, 1, text)
		require.Equal(t, want.Level, got[0].Level, text)
		require.Equal(t, want.Time, got[0].Time, text)
		require.Equal(t, text, got[0].Raw)
		require.True(t, strings.HasSuffix(text, got[0].Text) && (got[0].Text == text || got[0].Time != ""), "it reads %q", got[0].Text)
	}
}

// size is what a text gives beyond the lines as they stood, which are parts of the text and are held once.
func size(t Text) (n int) {
	for _, l := range t.Lines {
		n += len(l.Text) + len(l.Source) + len(l.Level) + len(l.Time)
	}
	for _, r := range t.Reports {
		n += len(r)
	}
	return n
}

// What people copy has lost its end, or got blanks there: no text is short or odd enough to stop the reading.
func TestAnyPartOfATextIsRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	bar := "100%|██████████| 10/10 [00:01<00:00,  9.21it/s]"
	texts := []string{bar, bar + " ", bar + "\t\t", bar + "Killed", "<", "<1", "<1>", "<1>1 ", "<1>1 2026-03-04T05:06:07Z", "<1>1 2026-03-04T05:06:07Z a b c d [", "0|a|2026-03-04T05:06:07:"}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		text, _, _ := strings.Cut(string(raw), parsedMark)
		texts = append(texts, text)
	}
	for _, text := range texts {
		lines := strings.Split(text, "\n")
		for n := range lines {
			for _, end := range []int{0, 1, len(lines[n]) / 2, len(lines[n])} {
				cut := lines[n][:min(end, len(lines[n]))]
				Copied([]byte(cut))
				Copied([]byte(cut + "   "))
				Copied([]byte(strings.Join(lines[:n], "  \n") + "\n" + cut))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(f, err)
	for _, path := range files {
		raw, err := os.ReadFile(path)
		require.NoError(f, err)
		text, _, _ := strings.Cut(string(raw), parsedMark)
		f.Add([]byte(text))
		f.Add(inUTF16(text, binary.LittleEndian, true))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		got := Copied(data)
		require.Less(t, time.Since(began), 2*time.Second)
		require.LessOrEqual(t, size(got), 4*len(data)+64)
		for _, l := range got.Lines {
			require.True(t, utf8.ValidString(l.Text) && utf8.ValidString(l.Raw))
			require.NotContains(t, l.Text, "\n")
			require.NotContains(t, l.Text, "\x1b")
		}
	})
}

// hostile are texts each of whose lines begins something that has no end.
func hostile(n int) map[string]string {
	out := map[string]string{}
	for name, part := range map[string]string{
		"braces": "{\n", "report keys": "Process: a\n", "report keys and lines": "Exception Type: x\nfoo\n\n", "quotes": "> > > > > > >\n", "frames": "File \"x\", line 1, in\n",
		"prefixed frames": "x 1  File \"x\", line 1\n", "headers": "x Traceback (most recent call last):\n", "json": "{\"a\": {\"b\": [\n", "json lists": `{"level":"e","exception":[{"exc_type":"a"},` + "\n",
		"escaped": `exc_info="Traceback (most recent call last):\n` + "\n", "brackets": "[a] [b] [c] [d]\n", "colons": strings.Repeat("1: 2 ", 50) + "\n", "fences": "```\n", "tags": "<pre><pre <details\n",
		"carriage returns": "a\rb\rc\r", "escapes": "\x1b[", "statements": "exit status 1\n", "killed": "Killed\n", "named ends": "a1-1 exited with code 137\n", "partial": "2026-03-04T05:06:07.1Z stderr P x\n",
		"sources": "(a pid=1) Traceback (most recent call last):\n(b pid=2) x\n", "ips": `{"bug_type":"309","usedImages":[` + "\n", "entities": "&lt;&quot;", "orphans": "[0m[31m", "commas": ",", "backspaces": "a\b",
		"exceptions": `{"exceptions":[`, "frames as data": `"frames":[{"filename":"a","lineno":1},`, "spaces": "  ", "blank quotes": ">\n\n",
	} {
		out[name] = strings.Repeat(part, n/len(part))
	}
	out["frames as data"] = `{"level":"error","exception":[{"exc_type":"A","frames":[` + strings.Repeat(`{"filename":"a"},`, n/18)
	out["commas"] = `{"level":"error","exception":[{"exc_type":"A","frames":[` + strings.Repeat(`,`, n) + `{"filename":"a"}`
	out["many names"] = ""
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "c%d-1  | x\nc%d-1 exited with code 1\n", i, i)
	}
	out["many names"] = b.String()
	return out
}

func TestATextOfAnySortIsReadInTimeThatGrowsWithItsLengthAlone(t *testing.T) {
	took := func(text string) time.Duration {
		best := time.Hour
		for range 3 {
			began := time.Now()
			got := Parse([]byte(text))
			best = min(best, time.Since(began))
			require.LessOrEqual(t, size(got), 4*len(text)+64)
		}
		return best
	}
	short, long := hostile(16<<10), hostile(128<<10)
	for name := range long {
		t.Run(name, func(t *testing.T) {
			a, b := took(short[name]), took(long[name])
			for try := 0; try < 3 && b > 8*4*a; try++ { // the machine may be busy: the best of each counts
				a, b = max(a, took(short[name])), min(b, took(long[name]))
			}
			require.Less(t, b, 8*4*a+10*time.Millisecond, "eight times the length took %v for %v", b, a)
		})
	}
}

func BenchmarkParse(b *testing.B) {
	var log strings.Builder
	for i := 0; log.Len() < 1<<20; i++ {
		switch i % 40 {
		case 7:
			fmt.Fprintf(&log, "2026-03-04 05:%02d:07,123 - engine - WARNING - slow answer in %d ms\n", i%60, i)
		case 9:
			log.WriteString("Traceback (most recent call last):\n  File \"/srv/app/boot.py\", line 12, in answer\n    return index[key]\nKeyError: 'k'\n")
		case 11:
			fmt.Fprintf(&log, "Batches:  61%%|██████    | 610/1000 [02:14<01:26,  4.52it/s]\rBatches:  62%%|██████    | 620/1000\n")
		default:
			fmt.Fprintf(&log, "INFO:     10.0.0.%d:5%04d - \"POST /v1/embeddings HTTP/1.1\" 200 OK\n", i%250, i%10000)
		}
	}
	prefixed := "api-1  | " + strings.ReplaceAll(log.String(), "\n", "\napi-1  | ")
	records := strings.Repeat(`{"timestamp":"2026-03-04T05:06:07.123456Z","level":"info","event":"answered","path":"/v1/embeddings","ms":12}`+"\n", 1<<20/100)
	for _, c := range []struct{ name, text string }{{"log", log.String()}, {"compose", prefixed}, {"json", records}} {
		for _, n := range []int{64 << 10, 1 << 20} {
			data := []byte(c.text[:n])
			b.Run(fmt.Sprintf("%s/%dK", c.name, n>>10), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					Parse(data)
				}
			})
		}
	}
}
