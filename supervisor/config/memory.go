package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/guard"
)

const (
	leastLimit = 1 << 20 // bytes: an interpreter alone has more
	mostLimit  = 1 << 50
)

func (r *reading) takeMemory(raw configText) (err error) {
	m := &r.Memory
	if m.Warn, err = r.limit("memory.warn", raw.Memory.Warn, m.Warn); err != nil {
		return err
	}
	if m.Restart, err = r.limit("memory.restart", raw.Memory.Restart, m.Restart); err != nil {
		return err
	}
	a, b := m.Warn, m.Restart
	sameUnit := (a.Percent > 0) == (b.Percent > 0)
	if r.has("memory.warn") && r.has("memory.restart") && a.Set() && b.Set() && sameUnit && (b.Percent < a.Percent || b.Bytes < a.Bytes) {
		return r.fail("memory.restart", "is less than warn: the warning could never come first", `write more than warn has, or switch the warning off: warn = ""`)
	}
	m.For, err = r.duration("memory.for", raw.Memory.For, m.For, 0, time.Hour)
	return err
}

// limit reads "85%" of what there is, "12GB", a number of bytes, or "" for none.
func (r *reading) limit(key string, v any, was guard.Limit) (guard.Limit, error) {
	if !r.has(key) {
		return was, nil
	}
	example := "write it like this: " + keyRules[key].example + `, or as a size: "12GB"; "" switches it off`
	text, ok := v.(string)
	if n, whole := v.(int64); whole {
		text, ok = strconv.FormatInt(n, 10), true
	}
	text = strings.TrimSpace(text)
	share, percent := strings.CutSuffix(text, "%")
	n, number := sizeOf(text)
	switch {
	case !ok:
		return was, r.fail(key, "wants "+keyRules[key].wants, example)
	case text == "":
		return guard.Limit{}, nil
	case percent:
		p, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil {
			return was, r.fail(key, Quoted(text)+" is no share", example)
		}
		if !(p >= 1 && p <= 100) {
			return was, r.fail(key, Quoted(text)+" is out of range", "write from 1% to 100% of the memory that there is")
		}
		return guard.Limit{Percent: p}, nil
	case !number:
		return was, r.fail(key, Quoted(text)+" is no size and no share", example)
	case n < leastLimit:
		return was, r.fail(key, Quoted(text)+" is too small: the least is 1MiB", example)
	case n > mostLimit:
		return was, r.fail(key, Quoted(text)+" is too large: the most is 1024TiB", example)
	}
	return guard.Limit{Bytes: uint64(n)}, nil
}
