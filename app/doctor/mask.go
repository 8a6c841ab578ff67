package doctor

import (
	"github.com/vivarium-app/vivarium/supervisor/crash/mask"
)

// Mask makes one printable line of a line of output, with what looks like a secret taken out.
func Mask(line string) string { return mask.Line(line) }

// MaskLines is Mask for the lines of one text, in which a private key may span several.
func MaskLines(lines []string) []string { return mask.Lines(lines) }
