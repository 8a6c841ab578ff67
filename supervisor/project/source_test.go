package project

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The expression says what a call's head is; the loop must say the same.
var headByExpression = regexp.MustCompile(`(?:^|[^\w.])([A-Za-z_][\w.]*)\s*\(|(\.[A-Za-z_]\w*)\s*\(`)

func headsByExpression(code string) (all []callHead) {
	for _, m := range headByExpression.FindAllStringSubmatchIndex(code, 50) {
		h := callHead{m[2], m[3], m[1] - 1}
		if m[2] < 0 {
			h.from, h.to = m[4], m[5]
		}
		all = append(all, h)
	}
	return all
}

var callTexts = []string{
	"", "(", "((", "f(", "f (x)", "a.b.c(x)", "f(g(h(x)))", "int(os.getenv(1))", "x = f()(y)", "f().g().h()", "a..b(", "1f(", ".5x(", "x.1(", "_(", "é.f(é(", "f\n(", "f( g (", "(a)(b)(", "[f(1), .g(2), 3 (", "a(b.c (d.e(f)))",
}

func TestTheHeadsOfCallsAreThoseOfTheExpression(t *testing.T) {
	for _, code := range callTexts {
		require.Equal(t, headsByExpression(code), callHeads(code, 50), "%q", code)
	}
}

func FuzzHeadsOfCalls(f *testing.F) {
	for _, code := range callTexts {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		require.Equal(t, headsByExpression(code), callHeads(code, 50), "%q", code)
	})
}
