// Package paste takes a text apart before anybody judges it: what people paste is a program's output with something around it,
// an encoding, colours, Markdown, the prefixes of the tools that carried it, JSON, a shell's word about the exit, a macOS crash report.
// Parse gives back what the program itself printed, what the words around it say of its exit, and the reports that stand inside.
// The package knows shapes of lines and nothing of causes: it must not know what a verdict is, and it imports the standard library alone.
// Begin with Parse and Copied.
package paste

// Text is a text that was taken apart.
type Text struct {
	// Lines are the lines that the program itself printed, cleaned, in the order in which they are to be read.
	Lines []Line
	// Status is what the words around the program's output say of its exit.
	Status Status
	// Reports are the macOS crash reports (the text form, and the JSON of an .ips file) that stand anywhere inside.
	// Each is cleaned and ready for a reader of reports; their lines are not among Lines.
	Reports []string
}

// Line is one line of a program's output.
type Line struct {
	Text   string // what the program printed
	Raw    string // the line as it stood in the text
	Source string // who printed it, as a prefix names it: "api-1", "EngineCore pid=71"; empty where nothing does
	Level  string // the level of a logging form, as it stood: "ERROR"
	Time   string // the time of a logging form, as it stood
}

// Status is how a process ended, as the words around its output tell it. Nothing is known where Known is false.
type Status struct {
	Known      bool
	Code       int  // as it stood: 139 is not translated
	Signal     int  // the signal's number as this text's system counts it, 0 if none is named
	OOMKilled  bool // the kernel or the container's keeper ended it for its memory
	CoreDumped bool
	Line       string // the line as it stood
	By         string // whose words these are: "zsh", "bash", "systemd", "docker", "kubernetes", …
}

// Parse takes a program's output apart: encoding, markup, prefixes, escaped JSON.
// It never fails: what it does not know stays as it is. What it gives is never longer than four times the text.
func Parse(data []byte) Text {
	text := decode(data)
	return parse(text, split(text))
}

// Copied is Parse for a text that somebody may have copied from a terminal, whose window cut its lines.
func Copied(data []byte) Text {
	text := decode(data)
	return parse(text, unwrapped(split(text)))
}

func parse(text string, ls []line) Text {
	ls = markup(text, ls)
	dedentWhole(ls)
	ls, found := reports(text, heads(carriers(ls)))
	if inner, changed := records(text, ls); changed { // what a container's log file has in its strings may be a report as well
		var more []string
		ls, more = reports(text, carriers(inner))
		found = append(found, more...)
	}
	s, ls, dead := status(text, ls)
	ls = arrange(tracebacks(ls), dead)
	t := Text{Lines: make([]Line, len(ls)), Status: s, Reports: found}
	for i, l := range ls {
		t.Lines[i] = l.Line
	}
	return t
}
