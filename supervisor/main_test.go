package supervisor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/process"
)

// TestMain takes away the semaphores that killed Pythons leave: only what came during the tests and nobody has open.
func TestMain(m *testing.M) {
	before, started := process.Semaphores(), time.Now()
	code := m.Run()
	for _, name := range process.Abandoned(process.LeftBehind(before, process.Semaphores(), started)) {
		_ = os.Remove(filepath.Join("/dev/shm", name))
	}
	os.Exit(code)
}
