package crash

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerThatLivesAndRunsIntoAPermissionOfMacOSIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		log, summary, pane string
		sure               bool
	}{
		"the local network": {
			"INFO request handled\nTraceback (most recent call last):\n  File \"/b/main.py\", line 3, in call\n    s.connect((\"192.168.1.20\", 1883))\nOSError: [Errno 65] No route to host",
			"macOS probably does not let Python into the local network: no route to 192.168.1.20", "Local Network", false},
		"the local network, in one line": {
			"ERROR mqtt: connecting to homeassistant.local:1883: [Errno 65] No route to host",
			"macOS probably does not let Python into the local network: no route to homeassistant.local", "Local Network", false},
		"Documents": {
			"PermissionError: [Errno 1] Operation not permitted: '/Users/ann/Documents/data/index.faiss'",
			"macOS does not let Python into Documents: /Users/ann/Documents/data/index.faiss", "Files & Folders", true},
		"iCloud Drive": {
			"OSError: [Errno 1] Operation not permitted: '/Users/ann/Library/Mobile Documents/com~apple~CloudDocs/x.txt'",
			"macOS does not let Python into iCloud Drive: /Users/ann/Library/Mobile Documents/com~apple~CloudDocs/x.txt", "Files & Folders", true},
		"another volume, by a name in the folder": {
			"PermissionError: [Errno 1] Operation not permitted: 'models'",
			"macOS does not let Python into another volume: /Volumes/Big/b/models", "Files & Folders", true},
		"the microphone, denied": {
			"2026-05-01 ERROR whisper: microphone access was denied", "macOS does not let Python listen to the microphone", "Microphone", true},
		"the microphone, by Apple's word": {
			"capture failed: AVAuthorizationStatusDenied", "macOS does not let Python listen to the microphone", "Microphone", true},
		"the microphone, silent": {
			"WARNING: recorded audio is all zeros, is a microphone connected?", "the microphone is silent: macOS probably does not let Python listen to it", "Microphone", false},
	} {
		v, ok := Wall(strings.Split(c.log, "\n"), "/Volumes/Big/b", "iTerm")
		require.True(t, ok, name)
		require.Equal(t, KindPermission, v.Kind, name)
		require.Equal(t, c.summary, v.Summary, name)
		require.Contains(t, v.Remedy, "Allow iTerm in System Settings, Privacy & Security, "+c.pane, name)
		require.Equal(t, c.sure, v.Confidence == "", name)
		require.NotEmpty(t, v.Line, name)
	}
}

func TestWhatIsNoPermissionOfMacOSIsNotTold(t *testing.T) {
	for _, log := range []string{
		"", "INFO: 192.168.1.20 asked for /", "OSError: [Errno 65] No route to host", "connecting to 8.8.8.8: [Errno 65] No route to host",
		"PermissionError: [Errno 1] Operation not permitted: '/etc/hosts'", "PermissionError: [Errno 13] Permission denied: '/Users/ann/Documents/x'",
		"INFO microphone permission is needed for dictation", "INFO listening to the microphone", "silence of 2 s detected, ending the sentence", "loss is all zeros",
		"  File \"/b/net.py\", line 1, in f\nOSError: [Errno 65] No route to host\nINFO 192.168.1.20",
	} {
		_, ok := Wall(strings.Split(log, "\n"), "/b", "")
		require.False(t, ok, log)
	}
}

func TestWhomMacOSHoldsToAccountIsNamed(t *testing.T) {
	require.Equal(t, "Vivarium", Responsible(false, "iTerm.app"))
	require.Equal(t, "iTerm", Responsible(true, "iTerm.app"))
	require.Contains(t, Responsible(true, ""), "your terminal")
	require.Contains(t, Responsible(true, "tmux"), "your terminal")
}

func FuzzWall(f *testing.F) {
	f.Add("Traceback\n  10.0.0.1\nOSError: [Errno 65] No route to host", "/b")
	f.Add("PermissionError: [Errno 1] Operation not permitted: 'x'", "/Volumes/b")
	f.Fuzz(func(t *testing.T, log, dir string) {
		if v, ok := Wall(strings.Split(log, "\n"), dir, ""); ok {
			require.NotEmpty(t, v.Summary)
			require.NotEmpty(t, v.Remedy)
			require.Contains(t, log, v.Line)
		}
	})
}
