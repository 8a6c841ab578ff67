package supervisor

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMain takes away the semaphores that killed Pythons leave: only what came during the tests and nobody has open.
func TestMain(m *testing.M) {
	before, started := Semaphores(), time.Now()
	code := m.Run()
	for _, name := range Abandoned(LeftBehind(before, Semaphores(), started)) {
		_ = os.Remove(filepath.Join("/dev/shm", name))
	}
	os.Exit(code)
}
