package page

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/record"
)

func TestTheTextForAnIssueHasWhatHelpsAnother(t *testing.T) {
	r := openMPDeath(t)
	c := threeCopies()
	r.OpenMP, r.Loaded = c.Runtimes, c.Loaded
	text := plainWords.Markdown(r)
	for _, want := range []string{
		"### search-api: two OpenMP runtimes in one process: libiomp5.dylib and libomp.dylib\n", "`vivarium env` shows", "- Ended: by the signal SIGABRT\n", "- Python: 3.12.7\n",
		"- faiss/.dylibs/libomp.dylib: LLVM 5.0.20140926, used by faiss-cpu, loaded, in conflict\n", "\n→ File \"~/backend/index.py\", line 41, in nearest\n",
		"KMP_DUPLICATE_LIB_OK=TRUE  # did not arrive in Python\n", "OMP: Error #15",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "HF_TOKEN", "the names of all variables help nobody there")
}

func TestNoLineOfTheLogClosesItsFence(t *testing.T) {
	text := plainWords.Markdown(record.Record{Tail: []string{"```", "# heading", "````"}})
	require.Contains(t, text, "\n`````\n```\n# heading\n````\n`````\n")
}

func TestTextOutsideAFenceIsShownAsItIs(t *testing.T) {
	r := record.Record{}
	r.Verdict.Summary = "<img src=x> [a](http://b) *c* `d` #1 | ![e](f)"
	require.Contains(t, plainWords.Markdown(r), `\<img src=x\> \[a\](http:\//b) \*c\* `+"\\`d\\`"+` \#1 \| \!\[e\](f)`)
}

func TestNoNameIsCalledAndNoAddressIsALinkOutsideAFence(t *testing.T) {
	r := record.Record{Backend: "@everyone"}
	r.Verdict.Summary = "ask @octocat at https://evil.example, www.evil.example or a@b.example"
	r.Verdict.Remedy = "Say `pip install 'x @ git+https://github.com/x/x_y'`, see https://evil.example @octocat"
	text := plainWords.Markdown(r)
	head, _, _ := strings.Cut(text, "\n- ")
	require.Contains(t, head, "`pip install 'x @ git+https://github.com/x/x_y'`", "a command is shown to the letter")
	head = strings.ReplaceAll(head, "`pip install 'x @ git+https://github.com/x/x_y'`", "")
	require.NotRegexp(t, `@[a-z]|://|www\.`, head)
	require.Contains(t, head, `https:\//evil.example, www\.evil.example`)
}

func TestOfALongLogTheEndAndTheDecidingLineAreInTheText(t *testing.T) {
	tail := strings.Split(strings.Repeat("noise\n", 500)+"the end", "\n")
	tail[40] = "it was this"
	r := record.Record{Tail: tail}
	require.Contains(t, plainWords.Markdown(r), "the end")
	r.Verdict.Line = "it was this"
	text := plainWords.Markdown(r)
	require.GreaterOrEqual(t, strings.Count(text, "it was this"), 2)
	require.Less(t, strings.Count(text, "noise"), plainLog)
}
