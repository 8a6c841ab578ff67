package main

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-app/vivarium/app/mcp"
)

// maxSearched is how many of the newest lines are looked through.
const maxSearched = 50_000

var (
	logTime = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?`)
	})
	logError = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?:^|[\s\["|])(?:ERROR|CRITICAL|FATAL|Error|error|Fatal|fatal)\b|Traceback \(most recent call last\)|^[\w.]*(?:Error|Exception)(?::|$)|Segmentation fault`)
	})
	logWarning = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?:^|[\s\["|])(?:WARN|WARNING|Warning|warning)\b|^\S+:\d+: \w*Warning: `)
	})
)

// filterLog gives the last lines that pass, and whether older ones pass, too. A line that says no time or level of its own has that of the line
// which it continues.
func filterLog(lines []string, q mcp.LogQuery, now time.Time) (passed []string, more bool, err error) {
	search := strings.ToLower(q.Search)
	var at time.Time
	timed := false
	level, inTraceback := "", false
	for _, line := range lines {
		if t, ok := timeOf(line, now); ok {
			at, timed = t, true
		}
		level, inTraceback = levelOf(line, level, inTraceback)
		switch {
		case q.Since > 0 && (at.IsZero() || now.Sub(at) > q.Since):
		case q.Level == "error" && level != "error", q.Level == "warning" && level == "":
		case search != "" && !strings.Contains(strings.ToLower(line), search):
		default:
			passed = append(passed, line)
		}
	}
	if q.Since > 0 && !timed && len(lines) > 0 {
		return nil, false, errors.New("the lines of this log have no times: leave since out, and ask for a tail")
	}
	if over := len(passed) - q.Tail; over > 0 {
		passed, more = passed[over:], true
	}
	return passed, more, nil
}

// timeOf reads the time in a line's beginning; without a zone it is this computer's.
func timeOf(line string, now time.Time) (time.Time, bool) {
	head := line[:min(len(line), 120)]
	m := logTime().FindStringSubmatch(head)
	if m == nil {
		return time.Time{}, false
	}
	text := m[1] + "-" + m[2] + "-" + m[3] + "T" + m[4]
	if m[5] == "" {
		t, err := time.ParseInLocation("2006-01-02T15:04:05", text, now.Location())
		return t, err == nil
	}
	zone := m[5]
	if len(zone) == 5 {
		zone = zone[:3] + ":" + zone[3:]
	}
	t, err := time.Parse(time.RFC3339, text+zone)
	return t, err == nil
}

// levelOf is "error", "warning" or "" for a line; before is that of the line above.
func levelOf(line, before string, inTraceback bool) (level string, traceback bool) {
	continues := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") || line == ""
	switch {
	case strings.Contains(line, "Traceback (most recent call last)"):
		return "error", true
	case inTraceback && continues:
		return "error", true
	case inTraceback:
		return "error", false // the line that names the exception
	case logError().MatchString(line):
		return "error", false
	case logWarning().MatchString(line):
		return "warning", false
	case continues:
		return before, false
	}
	return "", false
}
