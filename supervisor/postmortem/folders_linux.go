package postmortem

import "runtime"

func ReportFolders() []string { return reportFolders(runtime.GOOS, "") }
