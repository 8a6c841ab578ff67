package supervisor

import "runtime"

func systemReports() []string { return reportFolders(runtime.GOOS, "") }
