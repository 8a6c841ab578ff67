package main

import (
	"fmt"
	"path/filepath"
)

// reason is why the app has a key that a person, or Apple, might ask about.
type reason struct{ key, why string }

// entitlements are those of the app and of its keeper, which take turns at being responsible for a backend: macOS refuses a child of
// a program with the hardened runtime what that program is not entitled to, and tells neither of them why.
//
// What one might expect and what is left out:
//   - cs.allow-dyld-environment-variables: DYLD_INSERT_LIBRARIES is set for Python alone, another program with its own signature.
//   - cs.disable-library-validation, cs.allow-jit, cs.allow-unsigned-executable-memory: no library of others is loaded, and Go
//     makes no code while it runs.
//   - app-sandbox: a supervisor starts, signals and ends programs that are not its own.
//   - personal-information.*: what a server of models does with calendars and contacts, it does by Apple events or not at all.
//
// The file itself has no comments: the kernel's reader of entitlements takes none.
var entitlements = []reason{
	{"com.apple.security.device.audio-input", "a speech recognition server listens to the microphone; without it, it hears silence"},
	{"com.apple.security.device.camera", "an image recognition server uses the camera"},
	{"com.apple.security.automation.apple-events", "a backend that is an agent controls other apps by osascript; Vivarium itself controls none"},
}

// usages are the texts with which macOS asks a person in the name of the app.
var usages = []reason{
	{"NSDocumentsFolderUsageDescription", "a backend's folder is often below Documents"},
	{"NSDesktopFolderUsageDescription", "or on the desktop"},
	{"NSDownloadsFolderUsageDescription", "or where it was downloaded to"},
	{"NSRemovableVolumesUsageDescription", "models are large, and kept on external disks"},
	{"NSNetworkVolumesUsageDescription", "or on a server"},
	{"NSLocalNetworkUsageDescription", "macOS 15 and later: without it connect(2) to the local network fails with EHOSTUNREACH"},
	{"NSMicrophoneUsageDescription", "goes with device.audio-input; without a text macOS ends the program that asks"},
	{"NSCameraUsageDescription", "goes with device.camera, likewise"},
	{"NSAppleEventsUsageDescription", "goes with automation.apple-events"},
}

// keeperPlist is the Info.plist of the keeper's bundle: packaging/mac/Keeper.plist with the version and the texts of the app.
func keeperPlist(root string, app map[string]any) (map[string]any, error) {
	info, err := readInfo(filepath.Join(root, "packaging", "mac", "Keeper.plist"))
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"CFBundleShortVersionString", "CFBundleVersion", "VivariumVersion"} {
		info[key] = app[key]
	}
	for _, u := range usages {
		text, ok := app[u.key]
		if !ok {
			return nil, fmt.Errorf("Info.plist has no %s", u.key)
		}
		info[u.key] = text
	}
	return info, nil
}
