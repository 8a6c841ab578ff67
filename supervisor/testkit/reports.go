package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// CrashReport is as much of a crash report as a search reads, and a register that no int64 holds.
func CrashReport(pid int, died time.Time) string {
	return fmt.Sprintf(`{"app_name":"python3.11","timestamp":%q,"bug_type":"309"}
{"pid":%d,"procName":"python3.11","captureTime":%q,"threads":[{"threadState":{"x":[{"value":18446744073709551615}]}}],"usedImages":[{}]}
`, died.Format("2006-01-02 15:04:05.00 -0700"), pid, died.Format("2006-01-02 15:04:05.0000 -0700"))
}

func JetsamEvent(pid int, reason string) string {
	return fmt.Sprintf(`{"bug_type":"298","timestamp":"2026-03-01 12:00:04.00 +0000"}
{"bug_type":"298","memoryStatus":{"pageSize":16384},"largestProcess":"Safari","processes":[
{"pid":1104,"name":"Safari","rpages":119425,"lifetimeMax":119425},
{"pid":%d,"name":"python3.11","rpages":1000,"lifetimeMax":2000%s}]}
`, pid, reason)
}

// Shelf is a folder of reports.
type Shelf struct {
	T   *testing.T
	Dir string
}

// Put writes a file as the system would have at that time.
func (s Shelf) Put(name, text string, at time.Time) string {
	s.T.Helper()
	path := filepath.Join(s.Dir, name)
	require.NoError(s.T, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.T, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(s.T, os.Chtimes(path, at, at))
	return path
}
