package app

import (
	"fmt"
	"os"
	"sync"

	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// appLogSize is how large the app's own log may grow before it becomes vivarium.log.1.
const appLogSize = 5 << 20

// logFile is the app's own log. It is a writer of whole lines, as slog's handlers are; it is shared by goroutines.
type logFile struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path, max: appLogSize}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("opening the app's log: %w", err)
	}
	return l, nil
}

func (l *logFile) open() error {
	f, err := safefile.OpenState(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	l.file, l.size = f, 0
	if st, err := f.Stat(); err == nil {
		l.size = st.Size()
	}
	return nil
}

// Write never fails for good: a log that cannot be rotated goes on in the old file.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, os.ErrClosed
	}
	if l.size > 0 && l.size+int64(len(line)) > l.max {
		l.rotate()
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return n, err
}

func (l *logFile) rotate() {
	if os.Rename(l.path, l.path+".1") != nil {
		return
	}
	old := l.file
	if l.open() != nil {
		l.file = old // it goes on as vivarium.log.1
		return
	}
	_ = old.Close()
}

// Close ends the log; what comes after it is dropped.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
