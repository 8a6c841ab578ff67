package app

import "github.com/vivarium-app/vivarium/app/notice"

// The titles of menu items that never change.
const (
	wordStart       = "Start"
	wordStartNow    = "Start Now"
	wordStop        = "Stop"
	wordStopNow     = "Stop Now"
	wordRestart     = notice.WordRestart
	wordDashboard   = "Dashboard…"
	wordOpenLog     = notice.WordOpenLog
	wordOpenBrowser = "Open in Browser"
	wordMore        = "More"
	wordCopyURL     = "Copy URL"
	wordCopyEnv     = "Copy Environment"
	wordEditConfig  = "Edit Configuration"
	wordReveal      = "Reveal Folder"
	wordStacks      = "What Is It Doing?"
	wordDoctor      = "Doctor…"
	wordAdd         = "Add Backend…"
	wordDemo        = "Try the Demo"
	wordRemove      = "Remove Backend"
	wordSettings    = "Settings"
	wordLogin       = "Launch at Login"
	wordInstallTool = "Install Command Line Tool…"
	wordRemoveTool  = "Remove Command Line Tool"
	wordQuiet       = "Quiet Crash Dialogs"
	wordTest        = "Send Test Notification"
	wordHelp        = "Help"
	wordManual      = "Vivarium Help"
	wordDiagnostics = "Copy Diagnostics"
	wordAbout       = "About Vivarium"
	wordQuit        = "Quit"
	wordLeave       = "Quit and Leave Running"
	wordNoBackend   = "Add a backend to begin"
)
