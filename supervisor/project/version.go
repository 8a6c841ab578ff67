package project

import (
	"fmt"
	"strconv"
	"strings"
)

// Unfit says that an interpreter of that version is none that the project asks for, "" if it is one, or if that cannot be told.
func (e Environment) Unfit(version string) string {
	if version == "" {
		return ""
	}
	switch {
	case e.Requires != "" && !fits(e.Requires, version):
		return fmt.Sprintf("the project asks for Python %s, and this one is %s", e.Requires, version)
	case plainVersion().MatchString(e.Pinned) && !samePrefix(e.Pinned, version):
		return fmt.Sprintf(".python-version asks for Python %s, and this one is %s", e.Pinned, version)
	}
	return ""
}

var (
	plainVersion = lazily(`^3(?:\.\d+){0,2}$`)
	separator    = lazily(`[,\s]+`)
	clause       = lazily(`^\s*(===|==|~=|!=|>=|<=|>|<|\^|~|=)?\s*v?(\d+(?:\.\d+)*)(\.\*)?\s*$`)
)

// fits reads what packages say of the Python that they need: PEP 440, Poetry's ^ and ~, and conda's =. What cannot be read is taken for kept.
func fits(requires, version string) bool {
	for _, either := range strings.Split(strings.ReplaceAll(requires, "||", "|"), "|") {
		if allFit(either, version) {
			return true
		}
	}
	return false
}

func allFit(requires, version string) bool {
	for _, part := range separator().Split(joined().ReplaceAllString(strings.TrimSpace(requires), "$1"), -1) {
		m := clause().FindStringSubmatch(part)
		if m == nil {
			continue // "*", a marker, or nothing that we know
		}
		if !keeps(m[1], m[2], m[3] != "", version) {
			return false
		}
	}
	return true
}

// joined is the space in ">= 3.11".
var joined = lazily(`([<>=!~^])\s+`)

func keeps(operator, bound string, any bool, version string) bool {
	c := compare(version, bound)
	switch operator {
	case ">=":
		return c >= 0
	case ">":
		return c > 0 && !samePrefix(bound, version)
	case "<=":
		return c <= 0 || samePrefix(bound, version)
	case "<":
		return c < 0
	case "!=":
		return !(any && samePrefix(bound, version) || !any && c == 0)
	case "==", "===":
		return c == 0 || (any || strings.Count(bound, ".") < 2) && samePrefix(bound, version)
	case "~=":
		return c >= 0 && samePrefix(upTo(bound), version)
	case "^":
		first, _, _ := strings.Cut(bound, ".")
		return c >= 0 && samePrefix(first, version)
	case "~":
		parts := strings.Split(bound, ".")
		return c >= 0 && samePrefix(strings.Join(parts[:min(2, len(parts))], "."), version)
	}
	return samePrefix(bound, version) // "=3.11", "3.11"
}

// upTo is a version without its last part.
func upTo(v string) string {
	if i := strings.LastIndexByte(v, '.'); i > 0 {
		return v[:i]
	}
	return v
}

// samePrefix: version is the one asked for, as far as that is told: 3.12 asks for each 3.12.x.
func samePrefix(asked, version string) bool {
	a, v := strings.Split(asked, "."), strings.Split(version, ".")
	for i := range a {
		if i >= len(v) {
			return true // the version is known to less than what is asked
		}
		if leading(a[i]) != leading(v[i]) {
			return false
		}
	}
	return true
}

// compare compares as far as both are told.
func compare(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if d := leading(x[i]) - leading(y[i]); d != 0 {
			return d
		}
	}
	return 0
}

// leading is the number that a part of a version begins with: "0rc1" is 0.
func leading(s string) int {
	end := 0
	for end < len(s) && end < 6 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end]) // no digits: 0
	return n
}
