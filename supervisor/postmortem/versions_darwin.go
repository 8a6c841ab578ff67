package postmortem

import "golang.org/x/sys/unix"

// systemVersion is "15.1". The kernel has told it since macOS 10.13.4.
func systemVersion() string {
	version, err := unix.Sysctl("kern.osproductversion")
	if err != nil {
		return "unknown"
	}
	return version
}
