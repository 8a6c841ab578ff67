package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// duration reads text, or keeps what was there if the key was not set.
func (r *reading) duration(key, text string, was, least, top time.Duration) (time.Duration, error) {
	if !r.has(key) {
		return was, nil
	}
	example := "write it like this: " + keyRules[key].example
	d, err := time.ParseDuration(text)
	_, bare := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && bare == nil:
		return 0, r.fail(key, Quoted(text)+" has no unit", example+"; ms, s, m and h are known")
	case err != nil:
		return 0, r.fail(key, Quoted(text)+" is no duration", example+"; ms, s, m and h are known")
	case d < least:
		return 0, r.fail(key, Quoted(text)+" is too short", "write at least "+shortDuration(least))
	case d > top:
		return 0, r.fail(key, Quoted(text)+" is too long", "write at most "+shortDuration(top))
	}
	return d, nil
}

// shortDuration leaves out the zeros of time.Duration's "24h0m0s".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var sizeText = regexp.MustCompile(`^(?i)([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?)(B?)$`)

const (
	leastLog = 1 << 10
	mostLog  = 1 << 40
)

// parseSize reads "50MB" (50,000,000 bytes), "1GiB" (1,073,741,824) or a number of bytes.
func parseSize(v any) (bytes int64, problem string) {
	text, ok := v.(string)
	if n, whole := v.(int64); whole {
		text, ok = strconv.FormatInt(n, 10), true
	}
	if !ok {
		return 0, "wants a size in quotes"
	}
	n, ok := sizeOf(text)
	switch {
	case !ok:
		return 0, Quoted(text) + " is no size"
	case n < leastLog:
		return 0, Quoted(text) + " is too small: the least is 1KiB"
	case n > mostLog:
		return 0, Quoted(text) + " is too large: the most is 1TiB"
	}
	return int64(n), ""
}

// sizeOf is the number of bytes that a text names, which may be too large for a whole number.
func sizeOf(text string) (float64, bool) {
	m := sizeText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil || m[3] != "" && m[2] == "" {
		return 0, false
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	base, power := 1000.0, 0
	if m[3] != "" {
		base = 1024
	}
	if m[2] != "" {
		power = 1 + strings.Index("KMGT", strings.ToUpper(m[2]))
	}
	return n * math.Pow(base, float64(power)), true
}
