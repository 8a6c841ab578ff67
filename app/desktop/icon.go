package desktop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vivarium-app/vivarium/supervisor/proc"
	"github.com/vivarium-app/vivarium/supervisor/safefile"
)

// IconHidden is what a person is told about an icon that cannot be seen, and what to do.
const IconHidden = "the icon of Vivarium cannot be seen in the menu bar: other icons or the notch cover it, or it is switched off in " +
	"System Settings → Menu Bar; opening Vivarium again shows how your backend is"

const (
	iconName  = "icon.json"
	iconLimit = 1 << 10
)

// iconFact is what the state folder has about the icon of one process. The app may be killed and the file stay: PID and stamp together say
// whether that process still runs, where the PID alone may belong to another one by now.
type iconFact struct {
	PID    int    `json:"pid"`
	Stamp  string `json:"stamp"`
	Hidden bool   `json:"hidden"`
	Told   bool   `json:"told"` // a person was told, once for ever: an icon that comes and goes is no news
}

// NoteIcon notes for other programs whether this program's icon can be seen. tell: it cannot, and a person was never told.
func NoteIcon(state string, hidden bool) (tell bool, err error) {
	was := readIcon(state)
	tell = hidden && !was.Told
	self, err := proc.Find(os.Getpid())
	if err != nil {
		return tell, fmt.Errorf("identifying this process: %w", err)
	}
	text, err := json.Marshal(iconFact{PID: self.PID, Stamp: self.Stamp, Hidden: hidden, Told: was.Told || hidden})
	if err == nil {
		err = safefile.Replace(filepath.Join(state, iconName), append(text, '\n'))
	}
	return tell, err
}

// HiddenIcon says whether the icon of the app that runs now cannot be seen.
func HiddenIcon(state string) bool {
	fact := readIcon(state)
	return fact.Hidden && fact.PID > 0 && proc.Alive(proc.Process{PID: fact.PID, Stamp: fact.Stamp})
}

func readIcon(state string) (fact iconFact) {
	text, err := safefile.ReadState(filepath.Join(state, iconName), iconLimit)
	if err != nil || json.Unmarshal(text, &fact) != nil {
		return iconFact{}
	}
	return fact
}
