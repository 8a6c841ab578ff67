package page

import (
	"strings"
	"unicode/utf8"

	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

// piece of a long line that is masked at once: mask.Line cuts what is longer than a line of a report.
const maskPiece = 300

var maskMark = strings.TrimSpace(strings.TrimPrefix(mask.Line("password=x"), "password="))

// MaskLine takes secrets out of a line of any length, and leaves everything else as it is.
func MaskLine(text string) string {
	if len(text) <= maskPiece {
		return maskPart(text)
	}
	var b strings.Builder
	for text != "" {
		n := breakAt(text)
		b.WriteString(maskPart(text[:n]))
		text = text[n:]
	}
	return b.String()
}

func maskPart(s string) string {
	if masked := mask.Line(s); strings.Count(masked, maskMark) > strings.Count(s, maskMark) {
		if strings.HasSuffix(s, " ") { // which a line of a report has not
			masked += " "
		}
		return masked
	}
	return s
}

// breakAt is where a text may be parted: after a space, but not between a name and its value.
func breakAt(text string) int {
	if len(text) <= maskPiece {
		return len(text)
	}
	for i := maskPiece; i > maskPiece/3; i-- {
		if text[i-1] == ' ' && !joined(strings.TrimRight(text[:i], " "), strings.TrimLeft(text[i:], " ")) {
			return i
		}
	}
	n := maskPiece
	for n > 1 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

// joined: the word after may be the value of the one before.
func joined(before, after string) bool {
	if before == "" || after == "" {
		return true
	}
	if strings.IndexByte("=:>", after[0]) >= 0 || strings.IndexByte(`=:>"',(`, before[len(before)-1]) >= 0 {
		return true
	}
	word := strings.ToLower(strings.Trim(before[strings.LastIndexByte(before, ' ')+1:], `"'[(`))
	switch word {
	case "bearer", "basic", "digest", "negotiate", "token":
		return true
	}
	return strings.HasPrefix(word, "-")
}
