package paste

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decode gives the text as valid UTF-8, without a byte order mark. A file of Windows PowerShell's ">" is UTF-16.
func decode(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return wide(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return wide(data[2:], binary.BigEndian)
	}
	if order := wideOrder(data); order != nil {
		return wide(data, order)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return strings.ToValidUTF8(string(data), "\ufffd")
}

// wideOrder tells UTF-16 without a mark by its zeros: every second byte of a text that is mostly ASCII is one.
func wideOrder(data []byte) binary.ByteOrder {
	head := data[:min(len(data), 1<<10)&^1]
	if len(head) < 4 {
		return nil
	}
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := len(head) / 2
	switch {
	case zeros[1] > half/2 && zeros[0]*8 < zeros[1]:
		return binary.LittleEndian
	case zeros[0] > half/2 && zeros[1]*8 < zeros[0]:
		return binary.BigEndian
	}
	return nil
}

func wide(data []byte, order binary.ByteOrder) string {
	var b strings.Builder
	b.Grow(len(data) / 2)
	for ; len(data) >= 2; data = data[2:] {
		r := rune(order.Uint16(data))
		if utf16.IsSurrogate(r) && len(data) >= 4 {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(data[2:]))); pair != utf8.RuneError {
				r, data = pair, data[2:]
			}
		}
		b.WriteRune(r) // half of a pair becomes the replacement character
	}
	return strings.TrimPrefix(b.String(), "\ufeff")
}
