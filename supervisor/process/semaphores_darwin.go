package process

import "time"

// macOS keeps named semaphores in the kernel and lists them nowhere.
func listSemaphores() map[string]time.Time { return map[string]time.Time{} }

func abandoned([]string) []string { return nil }
