package safefile

import (
	"io"
	"os"
	"strings"
)

// LastLines reads the end of a log file, not before the byte from, where the present run began; nil if it cannot. A rotated file is
// shorter than that: then all of it is the present run's.
func LastLines(path string, from int64) []string {
	const size = 64 << 10
	f, err := Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	end := Size(path)
	if from > end {
		from = 0
	}
	from = max(from, end-size)
	text, err := io.ReadAll(io.NewSectionReader(f, from, end-from))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}

// Size is a regular file's size, 0 if there is none.
func Size(path string) int64 {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return 0
	}
	return st.Size()
}
