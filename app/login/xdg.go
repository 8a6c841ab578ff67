package login

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// autostartEntry is an XDG autostart entry, see the Desktop Application Autostart Specification.
func autostartEntry(program string) ([]byte, error) {
	// GLib expands the field codes of an Exec line, %% among them, but looks for the program before it does: a % never starts.
	if !utf8.ValidString(program) || strings.ContainsFunc(program, unicode.IsControl) || strings.Contains(program, "%") {
		return nil, fmt.Errorf("a desktop entry cannot hold the path %q", program)
	}
	return []byte(`[Desktop Entry]
Type=Application
Version=1.5
Name=Vivarium
Comment=Keeps your Python backends running
Exec=` + escapeValue(quoteExec(program)) + `
Icon=vivarium
Terminal=false
StartupNotify=false
X-GNOME-Autostart-enabled=true
`), nil
}

// quoteExec quotes one argument of Exec: in double quotes, with a backslash before what would be special there.
func quoteExec(arg string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "`", "\\`", `$`, `\$`, `\`, `\\`).Replace(arg) + `"`
}

// escapeValue is the other level: every string of a desktop entry has escapes of its own, so that a backslash in a path is written
// as four.
func escapeValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
}

// readAutostartEntry gives the program that an entry starts, and whether it is switched on: desktops switch an entry off by Hidden or
// by X-GNOME-Autostart-enabled.
func readAutostartEntry(text []byte) (program string, on bool, err error) {
	on = true
	found, inside := false, false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == "[Desktop Entry]"
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !inside || !ok || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Exec":
			found = true
			if program, err = firstOfExec(unescapeValue(value)); err != nil {
				return "", false, err
			}
		case "Hidden":
			on = on && value != "true"
		case "X-GNOME-Autostart-enabled":
			on = on && value != "false"
		}
	}
	if !found {
		return "", false, errors.New("it has no Exec line")
	}
	return program, on, nil
}

func unescapeValue(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 's':
			b.WriteByte(' ')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '\\':
			b.WriteByte('\\')
		default: // unknown: as it stands
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// firstOfExec is the program of an Exec line, quoted or not.
func firstOfExec(s string) (string, error) {
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, `"`) {
		word, _, _ := strings.Cut(s, " ")
		if word == "" {
			return "", errors.New("its Exec line is empty")
		}
		return strings.ReplaceAll(word, "%%", "%"), nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return strings.ReplaceAll(b.String(), "%%", "%"), nil
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", errors.New("the quotes of its Exec line do not end")
}
