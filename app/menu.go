package app

import (
	"path/filepath"
	"time"

	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
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
		name := words.NameOf(all[0])
		m.Sections[0] = section(all[0], now, name+": ")
		m.Tooltip = words.Short("Vivarium"+words.Between+m.Sections[0].Items[ItemStatus].Title, words.MaxLine)
	default:
		m.several(all, now)
	}
	return m
}

func (m *Menu) several(all []supervisor.Snapshot, now time.Time) {
	line := words.SummaryOf(all)
	m.Sections[0].Items[ItemStatus] = Item{Title: line, Shown: true}
	m.Tooltip = words.Short("Vivarium"+words.Between+line, words.MaxLine)
	names := namesOf(all)
	for i, s := range all[:min(len(all), words.MaxBackends)] {
		sec := section(s, now, "")
		sec.Title = words.Short(names[i]+": "+briefTitle(s), words.MaxTitle)
		m.Sections[i+1] = sec
	}
}

// briefTitle is the state for a submenu's title: what changes every second stays inside.
func briefTitle(s supervisor.Snapshot) string {
	switch {
	case words.Misconfigured(s) && !words.Active(s):
		return "configuration problem"
	case s.State == supervisor.Stopped && s.HeldBy != 0:
		return "kept by vivarium run"
	case s.State == supervisor.Stopped && s.Owner.Copy:
		return words.WithoutEnv
	}
	return words.StateWord(s)
}

// namesOf tells backends of the same name apart by the folder they lie in.
func namesOf(all []supervisor.Snapshot) []string {
	count := map[string]int{}
	for _, s := range all {
		count[words.NameOf(s)]++
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = words.NameOf(s)
		if count[names[i]] > 1 && s.Dir != "" {
			names[i] += " (" + words.Short(filepath.Base(filepath.Dir(s.Dir)), 30) + ")"
		}
	}
	return names
}

// IconOf is the icon of one backend.
func IconOf(s supervisor.Snapshot) assets.State {
	switch s.State {
	case supervisor.Starting, supervisor.Stopping:
		return assets.Starting
	case supervisor.Healthy:
		if len(s.Missing) > 0 {
			return assets.Unhealthy
		}
		return assets.Healthy
	case supervisor.Unhealthy, supervisor.Unreachable:
		return assets.Unhealthy
	case supervisor.Restarting, supervisor.GaveUp:
		return assets.Crashed
	}
	switch {
	case words.Misconfigured(s):
		return assets.Crashed
	case s.Owner.Copy:
		return assets.Unhealthy
	}
	return assets.Stopped
}

func section(s supervisor.Snapshot, now time.Time, prefix string) Section {
	var sec Section
	st := words.StatusOf(s, now, words.MaxTitle-len([]rune(prefix)))
	broken := words.Misconfigured(s) && s.ConfigFile != s.Dir // a folder that is gone cannot be edited
	show := func(item int, title string, enabled bool) {
		if title = words.Short(title, words.MaxTitle); title != "" {
			sec.Items[item] = Item{Title: title, Shown: true, Enabled: enabled}
		}
	}
	show(ItemStatus, prefix+st.Line, broken && !words.Active(s))
	show(ItemDetail, st.Detail, false)
	show(ItemNote, st.Note, false)
	show(ItemLast, words.LastOf(s, now), s.LastReport != "")
	if words.Misconfigured(s) && words.Active(s) { // it runs with the last good one
		problem, _ := words.ConfigProblem(s)
		show(ItemDetail, problem, broken)
	}
	intents(s, show)
	show(ItemDashboard, wordDashboard, true)
	show(ItemOpenLog, wordOpenLog, s.Log != "")
	show(ItemMore, wordMore, true)
	show(ItemStacks, wordStacks, words.Alive(s) && s.Run.PID != 0)
	show(ItemDoctor, wordDoctor, true)
	if s.URL != "" {
		show(ItemOpenBrowser, wordOpenBrowser, words.Alive(s) || s.Owner.Copy)
		show(ItemCopyURL, wordCopyURL, true)
	}
	show(ItemCopyEnvironment, wordCopyEnv, true)
	show(ItemEditConfig, wordEditConfig, true)
	show(ItemReveal, wordReveal, true)
	show(ItemRemove, wordRemove, true)
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
			show(ItemTakeOver, words.TakeOver, true)
			return
		}
		show(ItemStart, wordStart, true)
	case supervisor.GaveUp:
		show(ItemTryAgain, words.TryAgain, true)
		if s.Owner.Copy {
			show(ItemTakeOver, words.TakeOver, true)
		}
	case supervisor.Restarting:
		show(ItemStart, wordStartNow, true)
		show(ItemStop, wordStop, true)
	case supervisor.Stopping:
		show(ItemStop, wordStopNow, true)
	case supervisor.Unreachable: // it is done once somebody hears of it
		show(ItemStop, wordStop, true)
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
	show(TailSettings, wordSettings)
	if o.LoginShown {
		show(TailLogin, wordLogin)
		t[TailLogin].Checked = o.Login
	}
	if o.ToolShown {
		show(TailTool, words.Chosen(o.Tool, wordRemoveTool, wordInstallTool))
	}
	if o.QuietShown {
		show(TailQuiet, wordQuiet)
		t[TailQuiet].Checked = o.Quiet
	}
	show(TailTest, wordTest)
	show(TailHelp, wordHelp)
	show(TailManual, wordManual)
	show(TailDiagnostics, wordDiagnostics)
	show(TailAbout, wordAbout)
	show(TailQuit, wordQuit)
	for _, s := range all {
		if words.Alive(s) && s.HeldBy == 0 {
			show(TailLeave, wordLeave)
		}
	}
	return t
}
