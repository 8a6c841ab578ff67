package login

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/vivarium-app/vivarium/app/words"
)

const plistHeader = xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` + "\n"

// LaunchAgent is the property list that makes launchd start program at login. After a crash launchd starts it again, after an
// exit with 0 it does not: that is a Quit. See launchd.plist(5).
func LaunchAgent(label, program, log string) ([]byte, error) {
	for _, s := range []string{label, program, log} {
		if !xmlSafe(s) {
			return nil, fmt.Errorf("%q has characters that a property list cannot hold", s)
		}
	}
	entries := []plistEntry{
		{"Label", label},
		{"ProgramArguments", []string{program}},
		{"RunAtLoad", true},
		{"KeepAlive", []plistEntry{{"SuccessfulExit", false}}},
		{"ProcessType", "Interactive"},                   // an app with a face, not a background job to be throttled
		{"LimitLoadToSessionType", "Aqua"},               // a menu bar is needed
		{"AssociatedBundleIdentifiers", []string{label}}, // macOS 13 and later: the app's name in Login Items
		{"ThrottleInterval", 10},                         // seconds between two starts, launchd's own default, said aloud
	}
	if log != "" {
		entries = append(entries, plistEntry{"StandardOutPath", log}, plistEntry{"StandardErrorPath", log})
	}
	var b bytes.Buffer
	b.WriteString(plistHeader)
	e := xml.NewEncoder(&b)
	e.Indent("", "\t")
	root := xml.StartElement{Name: xml.Name{Local: "plist"}, Attr: []xml.Attr{{Name: xml.Name{Local: "version"}, Value: "1.0"}}}
	err := errors.Join(e.EncodeToken(root), encodePlist(e, entries), e.EncodeToken(root.End()), e.Close())
	b.WriteByte('\n')
	return b.Bytes(), err
}

// plistEntry is a key of a dictionary. Values are string, int, bool, []string and []plistEntry.
type plistEntry struct {
	key   string
	value any
}

func encodePlist(e *xml.Encoder, value any) error {
	element := func(name string, content any) error {
		return e.EncodeElement(content, xml.StartElement{Name: xml.Name{Local: name}})
	}
	inside := func(name string, each func() error) error {
		start := xml.StartElement{Name: xml.Name{Local: name}}
		return errors.Join(e.EncodeToken(start), each(), e.EncodeToken(start.End()))
	}
	switch v := value.(type) {
	case string:
		return element("string", v)
	case int:
		return element("integer", v)
	case bool:
		return element(words.Chosen(v, "true", "false"), "")
	case []string:
		return inside("array", func() error {
			for _, s := range v {
				if err := element("string", s); err != nil {
					return err
				}
			}
			return nil
		})
	case []plistEntry:
		return inside("dict", func() error {
			for _, entry := range v {
				if err := errors.Join(element("key", entry.key), encodePlist(e, entry.value)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return fmt.Errorf("a property list cannot hold a %T", value)
}

// xmlSafe: XML 1.0 can hold it. What it cannot, the encoder would replace silently, and launchd would start something else.
func xmlSafe(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// agentProgram reads the first of ProgramArguments.
func agentProgram(text []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	key, inKey, inString, wanted := "", false, false, false
	var word strings.Builder
	for {
		t, err := d.Token()
		if err == io.EOF {
			return "", errors.New("it has no ProgramArguments")
		}
		if err != nil {
			return "", fmt.Errorf("it is no property list: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			inKey, inString = t.Name.Local == "key", t.Name.Local == "string"
			word.Reset()
		case xml.CharData:
			word.Write(t)
		case xml.EndElement:
			switch {
			case inKey:
				key = word.String()
				wanted = key == "ProgramArguments"
			case inString && wanted:
				return word.String(), nil
			}
			inKey, inString = false, false
		}
	}
}
