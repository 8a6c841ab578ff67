package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crashReport is as much of a crash report as a search reads, and a register that no int64 holds.
func crashReport(pid int, died time.Time) string {
	return fmt.Sprintf(`{"app_name":"python3.11","timestamp":%q,"bug_type":"309"}
{"pid":%d,"procName":"python3.11","captureTime":%q,"threads":[{"threadState":{"x":[{"value":18446744073709551615}]}}],"usedImages":[{}]}
`, died.Format("2006-01-02 15:04:05.00 -0700"), pid, died.Format("2006-01-02 15:04:05.0000 -0700"))
}

func jetsamEvent(pid int, reason string) string {
	return fmt.Sprintf(`{"bug_type":"298","timestamp":"2026-03-01 12:00:04.00 +0000"}
{"bug_type":"298","memoryStatus":{"pageSize":16384},"largestProcess":"Safari","processes":[
{"pid":1104,"name":"Safari","rpages":119425,"lifetimeMax":119425},
{"pid":%d,"name":"python3.11","rpages":1000,"lifetimeMax":2000%s}]}
`, pid, reason)
}

// shelf is a folder of reports.
type shelf struct {
	t   *testing.T
	dir string
}

// put writes a file as the system would have at that time.
func (s shelf) put(name, text string, at time.Time) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(s.t, os.Chtimes(path, at, at))
	return path
}
