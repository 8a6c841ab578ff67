package notice

import (
	"fmt"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
)

// The words around notices and the system: the notice that is sent for a test, the ways that notices take, and what was set.
const (
	// WordRestart and WordOpenLog are the titles of a notice's buttons, and of the items in the menu that they stand for.
	WordRestart = "Restart"
	WordOpenLog = "Open Log"

	wordTestTitle = "Vivarium: a test"
	wordTestBody  = "This is how you are told why Python died, and what to do. It also stands in the menu and in the log."
)

// Test is a notice that says how notices look. told is called with the way that it took.
func Test(told func(Way, error)) Notice {
	n := Say(wordTestTitle, assets.Healthy, wordTestBody)
	n.Class = ClassFinal // also if it is sent twice in a minute
	n.Told = told
	return n
}

// plainWay is beeep's.
func plainWay(goos string) Way {
	if goos == "darwin" {
		return Way{
			By:   "by terminal-notifier or osascript, without buttons: macOS shows it under that program's name, or as Script Editor",
			Hint: "System Settings → Notifications → Script Editor (or terminal-notifier): Allow Notifications. Until that is allowed macOS shows nothing, and says nothing",
		}
	}
	return Way{By: "over D-Bus or by notify-send, without buttons", Hint: linuxHint}
}

const linuxHint = "look for Do Not Disturb, and for Vivarium, in your desktop's notification settings"

// wordNoCenter is why there is none.
func wordNoCenter(goos string) string {
	if goos == "darwin" {
		return "macOS knows notifications of an app's own only for one that was opened as Vivarium.app"
	}
	return ""
}

// busWay is that of a notification service on Linux.
func busWay(server string) Way {
	return Way{By: "over D-Bus, with buttons, shown by " + server, Hint: linuxHint}
}

// MacWay is that of macOS's own notification service.
func MacWay() Way {
	return Way{
		By:   "by macOS's own notifications, with buttons, under the name Vivarium",
		Hint: "System Settings → Notifications → Vivarium: Allow Notifications, style Banners or Alerts; and look whether a Focus is on",
	}
}

// TestText says how the test went.
func TestText(way Way, err error) string {
	if err != nil {
		return "The notice could not be sent.\n\n" + words.Sentences(err.Error(), words.Prefixed("To allow it: ", way.Hint))
	}
	text := "A notice was sent " + words.EndSentence(way.By)
	if way.Why != "" {
		text += "\n\nThe better way was not taken: " + words.EndSentence(way.Why)
	}
	return text + fmt.Sprintf("\n\nIf you did not see it: %s", words.EndSentence(way.Hint))
}
