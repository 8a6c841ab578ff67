package postmortem

// WatchMemory knows nothing: macOS tells by a JetsamEvent report.
func WatchMemory(int) *MemoryWatch { return nil }
