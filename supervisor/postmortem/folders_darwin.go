package postmortem

import (
	"os/user"
	"runtime"
)

// ReportFolders asks for the person's real home folder: ReportCrash does not look at $HOME.
func ReportFolders() []string {
	me, err := user.Current()
	if err != nil {
		return reportFolders(runtime.GOOS, "/var/empty")
	}
	return reportFolders(runtime.GOOS, me.HomeDir)
}
