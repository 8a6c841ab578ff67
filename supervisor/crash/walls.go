package crash

import (
	"strings"
)

// Responsible is the program that macOS holds to account for a server that was started from here, and names in System Settings: Vivarium, or
// the terminal whose shell `vivarium run` was typed into. term is $TERM_PROGRAM.
func Responsible(interactive bool, term string) string {
	if !interactive {
		return "Vivarium"
	}
	known := map[string]string{
		"Apple_Terminal": "Terminal", "iTerm.app": "iTerm", "vscode": "Visual Studio Code", "WarpTerminal": "Warp", "ghostty": "Ghostty",
		"WezTerm": "WezTerm", "Hyper": "Hyper", "zed": "Zed", "kitty": "kitty", "Alacritty": "Alacritty",
	}
	if name := known[term]; name != "" {
		return name
	}
	return "the app that started the server (your terminal, or your editor)"
}

func responsible(app string) string {
	if app == "" {
		return "Vivarium"
	}
	return app
}

// silence are the shapes in which programs tell that they may not listen to the microphone, or that all they hear is nothing. macOS gives a
// program without the permission silence and no error, so that the second shape is only probably one.
var (
	denied  = pattern(`(?i)\b(microphone|audio (input|capture|recording)|recording)\b[^\n]{0,60}\b(permission|access|authori[sz]ation)\b[^\n]{0,40}\b(denied|not (been )?(granted|determined|authori[sz]ed)|refused|missing|required)|\bnot authori[sz]ed to (capture|record) audio|\bAVAuthorizationStatus(Denied|Restricted)\b`)
	silence = pattern(`(?i)\b(microphone|mic|audio input|input device|recording|recorded audio|captured audio)\b[^\n]{0,60}\b((is|was|are|were|seems?|appears?)( to be)? (completely |entirely |all |only )?(silent|silence|zeros?)|all[ -]zeros?|only (silence|zeros?)|contains? (only |nothing but )?(silence|zeros?))\b`)
)

// Wall is a permission of macOS that a server runs into and lives on, as the lines of its log tell. dir is the backend's folder, app whom
// macOS holds to account. A line that a person wrote about permissions in general is none: an errno, a place that macOS guards, or the
// microphone's own words are needed.
func Wall(lines []string, dir, app string) (Verdict, bool) {
	app = responsible(app)
	for i, line := range lines {
		switch {
		case noRoute().MatchString(line):
			if where := private().FindString(strings.Join(lines[frames(lines, i):i+1], "\n")); where != "" {
				return noNetwork(line, where, app), true
			}
		case notAllowed().MatchString(line):
			if v, ok := guardedFile(line, notAllowed().FindStringSubmatch(line), dir, app); ok {
				return v, true
			}
		case denied().MatchString(line):
			return noMicrophone(line, "macOS does not let Python listen to the microphone", app), true
		case silence().MatchString(line):
			return noMicrophone(line, "the microphone is silent: macOS "+probably+" does not let Python listen to it", app), true
		}
	}
	return Verdict{}, false
}

// frames is where the traceback begins that ends with line i, or i.
func frames(lines []string, i int) int {
	from := i
	for from > 0 && i-from < 60 && (strings.HasPrefix(lines[from-1], " ") || strings.HasPrefix(lines[from-1], "Traceback")) {
		from--
	}
	return from
}

func noNetwork(line, where, app string) Verdict {
	return Verdict{
		Kind: KindPermission, Line: line, Confidence: probably, Summary: "macOS " + probably + " does not let Python into the local network: no route to " + where,
		Remedy: "Allow " + app + " in System Settings, Privacy & Security, Local Network, and start the server again. If the switch is on already, switch it off and on.",
	}
}

// guardedFile is for a file below a folder that macOS guards; m are the places of its name in notAllowed.
func guardedFile(line string, m []string, dir, app string) (Verdict, bool) {
	file := m[1] + m[2] + m[3]
	if !strings.HasPrefix(file, "/") && dir != "" {
		file = dir + "/" + file
	}
	for _, w := range walls {
		if strings.Contains(file+"/", w.part) {
			return Verdict{
				Kind: KindPermission, Line: line, Summary: "macOS does not let Python into " + w.name + ": " + file,
				Remedy: "Allow " + app + " in System Settings, Privacy & Security, " + w.pane + ", and start the server again; or move the folder to your home folder, outside of it.",
			}, true
		}
	}
	return Verdict{}, false
}

func noMicrophone(line, summary, app string) Verdict {
	v := Verdict{
		Kind: KindPermission, Line: line, Summary: summary,
		Remedy: "Allow " + app + " in System Settings, Privacy & Security, Microphone, and start the server again.",
	}
	if strings.Contains(summary, probably) {
		v.Confidence = probably
		v.Remedy += " If it is allowed already, look at the input level in Sound."
	}
	return v
}
