package doctor

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

func TestAFolderThatMacOSGuardsIsToldWithThePaneThatOpensIt(t *testing.T) {
	refused := &os.PathError{Op: "open", Err: unix.EPERM}
	for _, c := range []struct {
		dir    string
		err    error
		state  CheckState
		text   string
		remedy string
	}{
		{"/Users/ada/code/brain", nil, Pass, "does not guard", ""},
		{"/Users/ada/Documents/brain", nil, Warn, "is in Documents", "Privacy & Security → Files & Folders"},
		{"/Users/ada/Desktop", nil, Warn, "is in Desktop", "Files & Folders"},
		{"/Users/ada/Documents/brain", refused, Fail, "does not let this program into Documents", "your terminal app"},
		{"/Users/ada/Downloads/a/b", refused, Fail, "into Downloads", "move the folder out of Downloads"},
		{"/Users/ada/Library/Mobile Documents/com~apple~CloudDocs/brain", nil, Warn, "is in iCloud Drive", "Files & Folders"},
		{"/Volumes/Stick/brain", refused, Fail, "into another volume", "Files & Folders"},
		{"/Users/ada/Library/Application Support/Vivarium/demo", nil, Pass, "does not guard", ""},
		{"/Users/ada/Library/Mail/brain", refused, Fail, "does not let this program into /Users/ada/Library/Mail/brain", "Full Disk Access"},
		{"/Users/ada/code/Documents/brain", nil, Pass, "does not guard", ""},
		{"/Users/ada/DocumentsOld", nil, Pass, "does not guard", ""},
		{"/Users/ada/Documents/gone", os.ErrNotExist, Warn, "is in Documents", "Files & Folders"},
	} {
		e := &examiner{goos: "darwin", config: config.Config{Dir: c.dir}}
		e.privacy(func() (string, error) { return "/Users/ada", nil }, func(string) ([]os.DirEntry, error) { return nil, c.err })
		require.Len(t, e.x.Checks, 1)
		got := e.x.Checks[0]
		require.Equal(t, "VIV022", got.Code)
		require.Equal(t, c.state, got.State, c.dir)
		require.Contains(t, got.Text, c.text)
		require.Contains(t, got.Remedy, c.remedy)
	}
}

func TestElsewhereNothingIsSaidOfMacOSsPrivacy(t *testing.T) {
	for _, e := range []*examiner{{goos: "linux"}, {goos: "darwin"}} {
		e.privacy(func() (string, error) { return "", errors.New("no home") }, os.ReadDir)
		require.Empty(t, e.x.Checks)
	}
}
