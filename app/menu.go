package app

import (
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/supervisor"
)

// MenuOptions is what the menu shows beside the backends.
type MenuOptions struct {
	Login      bool // the app starts at login
	LoginShown bool // it can be made to
	Tool       bool // the command line is linked to where shells look
	ToolShown  bool // it can be
	Quiet      bool // macOS tells of crashes with notifications
	QuietShown bool // it can be made to
}

// Render makes the menu of the backends' snapshots. It is pure, and its titles are short, printable and valid UTF-8 whatever the
// snapshots hold. Section 0 is the one backend, or one line about several or none; section i+1 is backend i of several.
func Render(all []supervisor.Snapshot, now time.Time, o MenuOptions) Menu {
	m := Menu{Tooltip: "Vivarium", Tail: tail(all, o)}
	for _, s := range all { // also of those there is no room for
		m.Icon = max(m.Icon, IconOf(s))
	}
	switch len(all) {
	case 0:
		m.Sections[0].Items[ItemStatus] = Item{Title: wordNoBackend, Shown: true}
	case 1:
		name := nameOf(all[0])
		m.Sections[0] = section(all[0], now, name+": ")
		m.Tooltip = Short("Vivarium"+between+m.Sections[0].Items[ItemStatus].Title, maxTitle)
	default:
		m.several(all, now)
	}
	return m
}

func (m *Menu) several(all []supervisor.Snapshot, now time.Time) {
	line := summaryOf(all)
	m.Sections[0].Items[ItemStatus] = Item{Title: line, Shown: true}
	m.Tooltip = Short("Vivarium"+between+line, maxTitle)
	names := namesOf(all)
	for i, s := range all[:min(len(all), maxBackends)] {
		sec := section(s, now, "")
		sec.Title = Short(names[i]+": "+briefTitle(s), maxTitle)
		sec.Items[ItemRemove] = Item{Title: wordRemove, Shown: true, Enabled: true}
		m.Sections[i+1] = sec
	}
}

// briefTitle is the state for a submenu's title: what changes every second stays inside.
func briefTitle(s supervisor.Snapshot) string {
	switch {
	case misconfigured(s) && !active(s):
		return "configuration problem"
	case s.State == supervisor.Stopped && s.HeldBy != 0:
		return "kept by vivarium run"
	case s.State == supervisor.Stopped && s.Owner.Copy:
		return wordWithoutEnv
	}
	return StateWord(s)
}

// namesOf tells backends of the same name apart by the folder they lie in.
func namesOf(all []supervisor.Snapshot) []string {
	count := map[string]int{}
	for _, s := range all {
		count[nameOf(s)]++
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = nameOf(s)
		if count[names[i]] > 1 && s.Dir != "" {
			names[i] += " (" + Short(filepath.Base(filepath.Dir(s.Dir)), 30) + ")"
		}
	}
	return names
}

// IconOf is the icon of one backend.
func IconOf(s supervisor.Snapshot) Icon {
	switch s.State {
	case supervisor.Starting, supervisor.Stopping:
		return IconStarting
	case supervisor.Healthy:
		if len(s.Missing) > 0 {
			return IconUnhealthy
		}
		return IconHealthy
	case supervisor.Unhealthy:
		return IconUnhealthy
	case supervisor.Restarting, supervisor.GaveUp:
		return IconCrashed
	}
	switch {
	case misconfigured(s):
		return IconCrashed
	case s.Owner.Copy:
		return IconUnhealthy
	}
	return IconStopped
}

func section(s supervisor.Snapshot, now time.Time, prefix string) Section {
	var sec Section
	st := statusOf(s, now, maxTitle-len([]rune(prefix)))
	broken := misconfigured(s) && s.ConfigFile != s.Dir // a folder that is gone cannot be edited
	show := func(item int, title string, enabled bool) {
		if title = Short(title, maxTitle); title != "" {
			sec.Items[item] = Item{Title: title, Shown: true, Enabled: enabled}
		}
	}
	show(ItemStatus, prefix+st.line, broken && !active(s))
	show(ItemDetail, st.detail, false)
	show(ItemNote, st.note, false)
	show(ItemLast, lastOf(s, now), s.LastReport != "")
	if misconfigured(s) && active(s) { // it runs with the last good one
		problem, _ := configProblem(s)
		show(ItemDetail, problem, broken)
	}
	intents(s, show)
	show(ItemOpenLog, wordOpenLog, s.Log != "")
	if s.URL != "" {
		show(ItemOpenBrowser, wordOpenBrowser, alive(s) || s.Owner.Copy)
		show(ItemCopyURL, wordCopyURL, true)
	}
	show(ItemCopyEnvironment, wordCopyEnv, true)
	show(ItemEditConfig, wordEditConfig, true)
	show(ItemReveal, wordReveal, true)
	show(ItemDoctor, wordDoctor, true)
	return sec
}

// intents shows what makes sense to ask for in this state.
func intents(s supervisor.Snapshot, show func(item int, title string, enabled bool)) {
	if s.HeldBy != 0 { // another program decides; these two go to it
		if s.State != supervisor.Stopping {
			show(ItemStop, wordStop, true)
		}
		show(ItemRestart, wordRestart, true)
		return
	}
	switch s.State {
	case supervisor.Stopped:
		if s.Owner.Copy {
			show(ItemTakeOver, wordTakeOver, true)
			return
		}
		show(ItemStart, wordStart, true)
	case supervisor.GaveUp:
		show(ItemTryAgain, wordTryAgain, true)
		if s.Owner.Copy {
			show(ItemTakeOver, wordTakeOver, true)
		}
	case supervisor.Restarting:
		show(ItemStart, wordStartNow, true)
		show(ItemStop, wordStop, true)
	case supervisor.Stopping:
		show(ItemStop, wordStopNow, true)
	default:
		show(ItemStop, wordStop, true)
		show(ItemRestart, wordRestart, true)
	}
}

func tail(all []supervisor.Snapshot, o MenuOptions) [numTail]Item {
	var t [numTail]Item
	show := func(item int, title string) { t[item] = Item{Title: title, Shown: true, Enabled: true} }
	show(TailAdd, wordAdd)
	if len(all) == 0 {
		show(TailDemo, wordDemo)
	}
	if len(all) == 1 {
		show(TailRemove, wordRemove)
	}
	if o.LoginShown {
		show(TailLogin, wordLogin)
		t[TailLogin].Checked = o.Login
	}
	if o.ToolShown {
		show(TailTool, chosen(o.Tool, wordRemoveTool, wordInstallTool))
	}
	if o.QuietShown {
		show(TailQuiet, wordQuiet)
		t[TailQuiet].Checked = o.Quiet
	}
	show(TailAbout, wordAbout)
	show(TailHelp, wordHelp)
	show(TailDiagnostics, wordDiagnostics)
	show(TailTest, wordTest)
	show(TailQuit, wordQuit)
	for _, s := range all {
		if alive(s) && s.HeldBy == 0 {
			show(TailLeave, wordLeave)
		}
	}
	return t
}
