package stall

import (
	"fmt"
	"strconv"
	"strings"
)

// ShortMemory says in words how memory is short for a process, "" if it is not, or if that is not known here.
func ShortMemory(pid int) string { return shortMemory(pid) }

// Bounds of what is told: below them a machine does its work.
const (
	muchWaiting = 10.0      // per cent of the last ten seconds in which something waited for memory
	muchSwapped = 256 << 20 // bytes of the process that are swapped out
	littleLeft  = 0.03      // of the machine's memory
)

// memory is what Linux tells of it.
type memory struct {
	waiting          float64 // "some avg10" of the pressure file
	swapped          uint64  // of the process
	total, available uint64
}

func (m memory) words() string {
	var parts []string
	if m.waiting >= muchWaiting {
		parts = append(parts, fmt.Sprintf("%.0f %% of the time something waits for memory", m.waiting))
	}
	if m.swapped >= muchSwapped && (m.waiting > 0 || m.low()) { // what was swapped out long ago, and is not missed, does no harm
		parts = append(parts, gigabytes(m.swapped)+" of this process are swapped out")
	}
	if m.low() {
		parts = append(parts, gigabytes(m.available)+" of "+gigabytes(m.total)+" are left")
	}
	return strings.Join(parts, ", ")
}

func (m memory) low() bool { return m.total > 0 && float64(m.available) < littleLeft*float64(m.total) }

func gigabytes(n uint64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// parsePressure reads the share of the last ten seconds from a pressure file: "some avg10=12.34 avg60=…".
func parsePressure(text string) float64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "some" {
			continue
		}
		if value, ok := strings.CutPrefix(f[1], "avg10="); ok {
			if n, err := strconv.ParseFloat(value, 64); err == nil && n >= 0 && n <= 100 {
				return n
			}
		}
	}
	return 0
}

// parseKilobytes reads "VmSwap:     1234 kB" from a file of such lines, in bytes; 0 if there is none.
func parseKilobytes(text, key string) uint64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			f := strings.Fields(rest)
			if len(f) != 2 || f[1] != "kB" {
				return 0
			}
			n, err := strconv.ParseUint(f[0], 10, 53)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// cgroupOf reads the folder of the process in the one tree of control groups (version 2) from /proc/PID/cgroup; "" if there is none.
func cgroupOf(text string) string {
	for line := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && strings.HasPrefix(path, "/") && !strings.Contains(path, "..") {
			return path
		}
	}
	return ""
}
