package paste

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// numbers are the signals by name, as the system that this runs on counts them.
var numbers = map[string]syscall.Signal{
	"SIGHUP": syscall.SIGHUP, "SIGINT": syscall.SIGINT, "SIGQUIT": syscall.SIGQUIT, "SIGILL": syscall.SIGILL, "SIGTRAP": syscall.SIGTRAP,
	"SIGABRT": syscall.SIGABRT, "SIGIOT": syscall.SIGABRT, "SIGBUS": syscall.SIGBUS, "SIGFPE": syscall.SIGFPE, "SIGKILL": syscall.SIGKILL,
	"SIGUSR1": syscall.SIGUSR1, "SIGSEGV": syscall.SIGSEGV, "SIGUSR2": syscall.SIGUSR2, "SIGPIPE": syscall.SIGPIPE, "SIGALRM": syscall.SIGALRM,
	"SIGTERM": syscall.SIGTERM, "SIGXCPU": syscall.SIGXCPU, "SIGXFSZ": syscall.SIGXFSZ, "SIGSYS": syscall.SIGSYS,
}

// linuxNames are the signals by number; macOS has others at 10 and 12.
var linuxNames = []string{"", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM"}

// signalNumber is the number of a signal that a text names "SIGSEGV", "SEGV", or by a number of its own system. 0 if there is none such.
func signalNumber(name string, darwin bool) int {
	if n, err := strconv.Atoi(name); err == nil {
		switch {
		case darwin && n == 10:
			name = "SIGBUS"
		case darwin && n == 12:
			name = "SIGSYS"
		case n > 0 && n < len(linuxNames):
			name = linuxNames[n]
		default:
			return 0
		}
	}
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	return int(numbers[name])
}

// The words of shells for signals, from the catalogues of bash and of the C library: a line of each signal, and one of what stands for
// "core dumped".
//
//go:embed words.txt
var wordList string

type signalWords struct {
	english, all map[string]string // by the words in lower case: the signal's name
	core         []string
	longest      int             // bytes
	first        [1 << 16]bool   // the first two bytes of all, and
	heads        map[string]bool // the first bytes, as they stand and in lower case: most texts begin with none
}

const headBytes = 3

func pair(s string) uint16 { return uint16(s[0])<<8 | uint16(s[1]) }

var words = sync.OnceValue(func() *signalWords {
	w := new(signalWords)
	w.english, w.all, w.heads = map[string]string{}, map[string]string{}, map[string]bool{}
	for l := range strings.Lines(wordList) {
		head, list, _ := strings.Cut(strings.TrimSpace(l), "|")
		name, language, _ := strings.Cut(head, " ")
		for stands := range strings.SplitSeq(list, "|") {
			text := strings.ToLower(stands)
			if name == "core" {
				w.core = append(w.core, text)
				continue
			}
			w.heads[stands[:headBytes]], w.heads[text[:headBytes]] = true, true
			w.heads[strings.ToUpper(text[:1])+text[1:headBytes]] = true
			for _, s := range []string{stands, text, strings.ToUpper(text[:1]) + text[1:], strings.ToUpper(text[:headBytes])} {
				w.first[pair(s)] = true
			}
			if language == "en" {
				w.english[text] = name
			}
			w.all[text] = name
			w.longest = max(w.longest, len(text))
		}
	}
	return w
})

// spoken is what a text says at its head in a shell's words.
type spoken struct {
	signal string
	number string // ": 11" behind the words, as on a Mac
	core   bool
	local  bool // in another language than English
	rest   string
}

// speak reads a shell's words for a signal at the head of a text, with what may stand behind them: ": 11", "(core dumped)".
func speak(s string) (w spoken, ok bool) {
	known := words()
	if len(s) < headBytes || !known.first[pair(s)] || !known.heads[s[:headBytes]] && (s[1] < 'A' || s[1] > 'Z' || !known.heads[strings.ToLower(s[:headBytes])]) {
		return w, false
	}
	low := strings.ToLower(s[:min(len(s), known.longest+8)])
	for end := len(low); end > 2; end-- { // the longest words: "Abgebrochen (Killed)" is not "Abgebrochen"
		if end < len(low) && (isLetter(low[end]) || low[end]&0xc0 == 0x80) || low[end-1] == ' ' {
			continue
		}
		name, found := known.all[low[:end]]
		if !found || len(strings.ToLower(s[:min(len(s), end)])) != end {
			continue
		}
		_, english := known.english[low[:end]]
		w = spoken{signal: name, local: !english, rest: s[end:]}
		break
	}
	if w.signal == "" {
		return w, false
	}
	if after, is := strings.CutPrefix(w.rest, ": "); is {
		if rest, is := digits(after, 1, 2); is {
			w.number, w.rest = after[:len(after)-len(rest)], rest
		}
	}
	t := strings.TrimLeft(w.rest, " ")
	for _, open := range []string{"(", "（"} {
		inside, is := strings.CutPrefix(t, open)
		if !is {
			continue
		}
		for _, c := range known.core {
			if strings.HasPrefix(strings.ToLower(inside[:min(len(inside), 2*len(c))]), c) {
				w.core = true
				rest := inside[min(len(inside), len(c)):]
				w.rest = strings.TrimLeft(rest, ")） ")
				return w, true
			}
		}
	}
	if after, is := strings.CutPrefix(t, "- core dumped"); is {
		w.core, w.rest = true, after
	}
	return w, true
}
