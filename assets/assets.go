// Package assets holds what the programs carry with them: the icons and the demo backend.
package assets

import (
	"embed"
	"fmt"
)

//go:generate sh icons/render.sh

//go:embed icons/template/*.png icons/colour/*.png
var icons embed.FS

//go:embed icons/vivarium.png
var appIcon []byte

// State is what an icon tells, in the menu bar and on a notice.
type State uint8

// The states, from the least to the most urgent: of several backends the most urgent one shows.
const (
	Stopped State = iota
	Healthy
	Starting
	Unhealthy // also busy
	Crashed   // crashed, gave up, or a broken configuration
	NumStates
)

// Icons are the names of the icons, one for each State. Each has a shape of its own, so that colour is never needed to tell them apart.
var Icons = [NumStates]string{"stopped", "healthy", "starting", "unhealthy", "crashed"}

// Icon is the 48 px PNG of an icon: black and alpha for macOS, which tints it to suit the menu bar; the coloured twin
// elsewhere. It is never empty: the tray library panics on an empty one, so an unknown name is shown as "crashed".
func Icon(name, goos string) []byte {
	set := "colour"
	if goos == "darwin" {
		set = "template"
	}
	png, err := icons.ReadFile(fmt.Sprintf("icons/%s/%s.png", set, name))
	if err != nil {
		return Icon("crashed", goos)
	}
	return png
}

// AppIcon is the app's own icon, a PNG of 256 px, for notices and windows.
func AppIcon() []byte { return appIcon }
