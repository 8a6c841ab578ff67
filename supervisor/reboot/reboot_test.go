package reboot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

const (
	full    = "panic-full-2026-05-01-140315.0002.ips"
	json15  = "Kernel_2026-05-01-140302_mac.panic"
	textual = "Kernel-2018-08-08-221530.panic"
)

func TestPanicsOfEachFormAreRead(t *testing.T) {
	p, ok := ReadPanic(fixture(t, full))
	require.True(t, ok)
	require.Equal(t, Panic{
		At: time.Unix(0x69f49534, 0), Text: `"completeMemory() prepare count underflow" @IOGPUMemory.cpp:550`, Driver: "com.apple.AGXG16X", Task: "python3.12",
	}, p)

	p, ok = ReadPanic(fixture(t, json15))
	require.True(t, ok)
	require.Equal(t, "com.apple.driver.watchdog", p.Driver)
	require.Equal(t, "watchdogd", p.Task)
	require.True(t, p.watchdog())
	require.Equal(t, "2026-05-01 12:03:02", p.At.UTC().Format(time.DateTime), "the header's, as the kernel's own is missing")
	require.Contains(t, p.Text, "no successful checkins from com.apple.WindowServer in 120 seconds")

	p, ok = ReadPanic(fixture(t, textual))
	require.True(t, ok)
	require.Equal(t, time.Date(2018, 8, 8, 22, 15, 22, 0, time.Local), p.At)
	require.Equal(t, "com.apple.driver.AppleMuxControl", p.Driver)
	require.True(t, p.graphics())
}

func TestAPanicOnTwoLinesAndOneWithoutABacktraceAreRead(t *testing.T) {
	p, ok := ReadPanic([]byte("panic(cpu 0): \"IOGPUGroupMemory::remove_memory_object() memory object not found\"\n              @IOGPUGroupMemory.cpp:323\n"))
	require.True(t, ok)
	require.Equal(t, `"IOGPUGroupMemory::remove_memory_object() memory object not found" @IOGPUGroupMemory.cpp:323`, p.Text)
	require.Equal(t, " in the GPU driver", p.place())
	require.True(t, p.At.IsZero())
}

func TestAPanicWithoutTheUsualWordsIsReadWhereTheReportIsNamedOne(t *testing.T) {
	for report, want := range map[string]string{
		`{"bug_type":"210","timestamp":"2026-05-01 14:03:02.00 +0200"}` + "\n" + `{"macOSProcessedStackshotData":"bm9uZQ==","macOSPanicString":"Nested panic detected - entry count: 2 panic_caller: 0xffffff80109d360e\nNested panic string:\nlock"}`: "Nested panic detected - entry count: 2 panic_caller: 0xffffff80109d360e",
		`{"bug_type":"210"}` + "\n" + `{"panicString":"\nSOCD report detected: (AP watchdog expired)\n"}`:                                                                                                                                              "SOCD report detected: (AP watchdog expired)",
	} {
		p, ok := ReadPanic([]byte(report))
		require.True(t, ok, report)
		require.Equal(t, want, p.Text)
	}
	_, ok := ReadPanic([]byte(`{"bug_type":"288"}` + "\n" + `{"panicString":"a stackshot"}`))
	require.False(t, ok)
}

func TestWhatIsNoPanicIsNotTakenForOne(t *testing.T) {
	for _, text := range []string{
		"", "{", "{}", "{\"bug_type\":\"309\"}\n{\"pid\":1}", `{"panicString":17}`, `{"panicString":"nothing"}`, "Process: python3 [12]\nException Type: EXC_CRASH",
		`{"bug_type":"298"}` + "\n" + `{"largestProcess":"python3.12"}`, "\x00\xff\xfe",
	} {
		_, ok := ReadPanic([]byte(text))
		require.False(t, ok, text)
	}
}

var now = time.Date(2026, 5, 1, 14, 30, 0, 0, time.Local)

func TestARestartIsToldInOneSentence(t *testing.T) {
	started, seen, booted := now.Add(-210*time.Minute), now.Add(-31*time.Minute), now.Add(-28*time.Minute)
	gpu := Panic{At: now.Add(-30 * time.Minute), Text: `"x" @IOGPUMemory.cpp:550`, Driver: "com.apple.AGXG16X"}
	for name, c := range map[string]struct {
		facts   Facts
		summary string
		remedy  string
	}{
		"a panic of the GPU": {Facts{Mac: true, Panics: []Panic{gpu}}, "the Mac restarted at 14:02 after a kernel panic in the GPU driver (AGXG16X); the server had run 3 h", "smaller context"},
		"the watchdog": {Facts{Mac: true, End: Forced, Panics: []Panic{{At: gpu.At, Text: "watchdog timeout: no checkins from watchdogd in 90 seconds", Driver: "com.apple.driver.AppleARMWatchdogTimer"}}},
			"the Mac restarted at 14:02 after a kernel panic: it had not answered its own watchdog; the server had run 3 h", "Memory"},
		"a panic elsewhere":         {Facts{Mac: true, Panics: []Panic{{At: gpu.At, Text: "\"oops\"", Driver: "org.example.driver.Thing"}}}, "the Mac restarted at 14:02 after a kernel panic in org.example.driver.Thing; the server had run 3 h", "update both"},
		"a panic of last week":      {Facts{Mac: true, Panics: []Panic{{At: now.Add(-7 * 24 * time.Hour), Driver: "com.apple.AGXG16X"}}}, "the Mac restarted at 14:02; the server had run 2 h 59 min", "Nothing is known"},
		"a panic after the restart": {Facts{Mac: true, Panics: []Panic{{At: now.Add(-time.Minute), Driver: "com.apple.AGXG16X"}}}, "the Mac restarted at 14:02; the server had run 2 h 59 min", "Nothing is known"},
		"in good order":             {Facts{End: Orderly}, "the computer restarted at 14:02; the server had run 2 h 59 min", "asked to go"},
		"forced":                    {Facts{End: Forced}, "the computer restarted at 14:02 without a clean end: its power was cut, or it was frozen and was switched off; the server had run 2 h 59 min", "frozen"},
		"an empty battery":          {Facts{End: LowPower}, "the computer restarted at 14:02 after its battery was empty; the server had run 2 h 59 min", "Plug it in"},
		"too hot":                   {Facts{End: Hot}, "the computer restarted at 14:02 after it was too hot; the server had run 2 h 59 min", "vents"},
	} {
		c.facts.Started, c.facts.Seen, c.facts.Booted = started, seen, booted
		told := Judge(c.facts, now)
		require.Equal(t, c.summary, told.Summary, name)
		require.Contains(t, told.Remedy, c.remedy, name)
		require.False(t, told.At.After(booted), name)
	}
}

func TestTheLastSignOfLifeIsTheLatestBeforeTheBoot(t *testing.T) {
	f := Facts{Started: now.Add(-time.Hour), Booted: now}
	require.Equal(t, f.Started, Judge(f, now).At, "nothing is known")
	f.Seen = now.Add(-50 * time.Minute)
	require.Equal(t, f.Seen, Judge(f, now).At)
	f.Last = now.Add(-40 * time.Minute)
	require.Equal(t, f.Last, Judge(f, now).At)
	f.Seen = now.Add(time.Minute)
	require.Equal(t, f.Last, Judge(f, now).At, "a file that was touched after the boot tells nothing")
	require.Contains(t, Judge(f, now.Add(48*time.Hour)).Summary, "restarted at 1 May 14:30")
}

func TestTheEndOfTheJournalTellsHowABootEnded(t *testing.T) {
	at := func(lines ...string) string {
		for i, l := range lines {
			lines[i] = "1777636800.250000 host " + l + "\n"
		}
		return strings.Join(lines, "")
	}
	for name, c := range map[string]struct {
		text string
		want End
	}{
		"nothing": {"", Unknown}, "no access": {"Hint: You are currently not seeing messages from other users\n", Unknown},
		"in good order":    {at("systemd[1]: Reached target reboot.target - System Reboot.", "systemd-journald[300]: Journal stopped"), Orderly},
		"switched off":     {at("systemd-shutdown[1]: Syncing filesystems and block devices."), Orderly},
		"cut off":          {at("kernel: usb 1-1: new device", "python3[4711]: INFO request handled"), Forced},
		"an empty battery": {at("upowerd[900]: Battery is critical, taking critical action", "systemd[1]: Reached target Power-Off"), LowPower},
		"too hot":          {at("kernel: thermal thermal_zone0: critical temperature reached (105 C), shutting down"), Hot},
	} {
		end, last := journalEnd(c.text)
		require.Equal(t, c.want, end, name)
		if c.want != Unknown {
			require.Equal(t, int64(1777636800), last.Unix(), name)
		}
	}
}

func TestLastTellsHowABootEnded(t *testing.T) {
	mac := func(words ...string) string {
		return strings.Join(words, " time                          Fri May  1 14:02 \n") + " \n\nwtmp begins Wed Apr  1 10:00\n"
	}
	linux := "reboot   system boot  6.1.0-1-amd64    Fri May  1 14:02   still running\nreboot   system boot  6.1.0-1-amd64    Thu Apr 30 09:00   still running\n"
	require.Equal(t, Orderly, lastEnd(mac("reboot", "shutdown", "reboot")))
	require.Equal(t, Forced, lastEnd(mac("reboot", "reboot", "shutdown")))
	require.Equal(t, Unknown, lastEnd(mac("reboot")))
	require.Equal(t, Unknown, lastEnd(""))
	require.Equal(t, Forced, lastEnd(linux))
}

func TestReportsAreFoundNewestFirstAndOthersAreLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{full, json15, textual} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), fixture(t, name), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "python3.12-2026-05-01-140000.ips"), fixture(t, full), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "panic-base-2026.ips"), []byte("half a rep"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "panic-x.ips"), 0o700))
	require.Len(t, panicReports([]string{dir, "/nowhere"}, time.Now().Add(-time.Hour)), 3)
	require.Empty(t, panicReports([]string{dir}, time.Now().Add(time.Hour)))
}

func TestThisComputerTellsWhenItWasStarted(t *testing.T) {
	f := Look(time.Now().Add(-time.Minute), time.Time{})
	require.True(t, f.Booted.Before(time.Now()))
	require.False(t, f.Booted.IsZero())
}

func FuzzReadPanic(f *testing.F) {
	for _, name := range []string{full, json15, textual} {
		f.Add(fixture(f, name))
	}
	f.Add([]byte("panic(cpu 0):\n@"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := ReadPanic(b)
		if !ok {
			require.Equal(t, Panic{}, p)
			return
		}
		require.LessOrEqual(t, utf8.RuneCountInString(p.Text), 300)
		told := Judge(Facts{Mac: true, Started: time.Unix(0, 0), Booted: now, Panics: []Panic{p}}, now)
		require.NotEmpty(t, told.Summary)
		require.NotEmpty(t, told.Remedy)
	})
}

func FuzzEnds(f *testing.F) {
	f.Add("1777636800.25 host x\nreboot\nshutdown\n")
	f.Fuzz(func(t *testing.T, text string) {
		journalEnd(text)
		lastEnd(text)
	})
}
