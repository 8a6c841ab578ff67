package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/page"
)

const patience = 10 * time.Second

func TestAPageIsToldHowTheBackendsAreAndWhatChanges(t *testing.T) {
	h := newHouse(t, "search-api", "embeddings")
	c := serving(t, h)
	require.Zero(t, h.watched(), "nobody looks: nothing is watched")
	stream := c.ask("GET", "/api/stream", nil)
	require.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))
	told(t, stream.Body, "parts", func(data string) bool {
		return strings.Contains(data, "search-api") && strings.Contains(data, "embeddings")
	})
	require.Eventually(t, func() bool { return h.watched() == 2 }, patience, time.Millisecond)
	h.mu.Lock()
	for _, changed := range h.watchers {
		changed(page.Backend{Name: "renamed <b>", State: "gave-up", Word: "Gave up"})
	}
	h.mu.Unlock()
	told(t, stream.Body, "parts", func(data string) bool {
		require.NotContains(t, data, "<b>\"", "JSON hides no HTML")
		return strings.Contains(data, "Gave up")
	})
	stream.Body.Close()
	require.Eventually(t, func() bool { return h.watched() == 0 }, patience, time.Millisecond, "and the last who looks leaves nothing behind")
}

func TestABackendThatIsAddedOrRemovedIsSeen(t *testing.T) {
	h := newHouse(t, "search-api")
	other := newHouse(t, "another")
	c := serving(t, h)
	stream := c.ask("GET", "/api/stream", nil)
	told(t, stream.Body, "parts", func(data string) bool { return strings.Contains(data, "search-api") })
	h.mu.Lock()
	h.backends[other.dirs[0]] = other.backends[other.dirs[0]]
	h.dirs = other.dirs
	h.mu.Unlock()
	told(t, stream.Body, "parts", func(data string) bool {
		return strings.Contains(data, "another") && !strings.Contains(data, "search-api")
	})
	h.mu.Lock()
	h.fail = errors.New("the list cannot be read")
	h.mu.Unlock()
	told(t, stream.Body, "failed", func(data string) bool { return strings.Contains(data, "the list cannot be read") })
	h.mu.Lock()
	h.fail, h.dirs = nil, nil
	h.mu.Unlock()
	told(t, stream.Body, "parts", func(data string) bool { return strings.Contains(data, "There is no backend yet") })
}

func TestActionsAreDone(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	for _, a := range actions {
		require.Equal(t, http.StatusNoContent, c.ask("POST", c.about(0)+"/do/"+string(a), nil).StatusCode)
	}
	require.Len(t, c.house.did, len(actions))
	require.Equal(t, http.StatusNotFound, c.ask("POST", c.about(0)+"/do/remove", nil).StatusCode)
	require.Equal(t, http.StatusNotFound, c.ask("POST", "/api/b/nobody/do/stop", nil).StatusCode)
	require.Len(t, c.house.did, len(actions), "nothing else is")
	c.house.fail = errors.New("no, password=hunter2hunter2")
	answer := c.ask("POST", "/api/b/"+ID(c.house.dirs[0])+"/do/stop", nil)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
}

func TestEveryViewIsServed(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	for view, want := range map[string]string{
		"log": "role=\"toolbar\"", "deaths": "It died", "doctor": "Examine", "environment": "PATH", "configuration": "every key has its default",
	} {
		var part page.Part
		c.json(c.about(0)+"/view/"+view, &part)
		require.Equal(t, "main", part.ID)
		require.Contains(t, part.HTML, want, view)
	}
	var part page.Part
	c.json(c.about(0)+"/report/d1", &part)
	require.Contains(t, part.HTML, "report on d1")
	require.Contains(t, c.text("POST", c.about(0)+"/stacks"), "It waits")
	require.Equal(t, http.StatusNotFound, c.ask("GET", c.about(0)+"/view/nothing", nil).StatusCode)
	for _, bad := range []string{"..", "..%2f..%2fx", ".hidden", strings.Repeat("x", 300)} {
		require.GreaterOrEqual(t, c.ask("GET", c.about(0)+"/report/"+bad, nil).StatusCode, 300, bad)
	}
	doctor := c.ask("POST", c.about(0)+"/doctor", nil)
	told(t, doctor.Body, "part", func(data string) bool { return strings.Contains(data, "Examine Again") })
	c.json(c.about(0)+"/view/doctor", &part)
	require.Contains(t, part.HTML, "All is well", "the latest examination is kept")
}

// wrote makes the backend's log.
func (c *client) wrote(text string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(c.house.backends[c.house.dirs[0]].Log, []byte(text), 0o600))
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "INFO: line %d\n", i)
	}
	return b.String()
}

func TestPartsOfALogAreServed(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	c.wrote(numbered(500) + "ERROR: password=hunter2hunter2\n")
	get := func(pairs ...string) logPart {
		var p logPart
		c.json(c.about(0)+"/log"+query(pairs...), &p)
		return p
	}
	last := get("n", "10")
	require.Len(t, last.Rows, 10)
	require.Equal(t, []string{"ERROR: password=[masked]", ""}, last.Rows[9].Spans)
	require.Equal(t, "error", last.Rows[9].Level)
	require.True(t, last.End)
	before := get("n", "10", "before", last.From)
	require.Equal(t, "INFO: line 490", before.Rows[9].Spans[0])
	require.Equal(t, before.To, last.From)
	require.Equal(t, last.Rows, get("n", "10", "after", last.From).Rows)
	around := get("n", "2", "around", before.Rows[9].At)
	require.Equal(t, before.Rows[9].At, around.At)
	require.Len(t, around.Rows, 5)
	require.Equal(t, "INFO: line 0", get("n", "1", "begin", "1").Rows[0].Spans[0])
	require.Len(t, get("n", "99", "level", "error").Rows, 1)
	require.Equal(t, []string{"INFO: ", "", "line 499", "m"}, get("n", "2", "q", "LINE 499", "fold", "1").Rows[0].Spans)
	for query, code := range map[string]int{
		"?level=loud": 400, "?q=(": 400, "?before=x": 400, "?around=99:1": 410, "?after=1:99999999": 410, "?n=-5": 200, "?n=999999999": 200,
	} {
		require.Equal(t, code, c.ask("GET", c.about(0)+"/log"+query, nil).StatusCode, query)
	}
}

func TestALogIsFollowedAndSearched(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	c.wrote(numbered(5))
	var p logPart
	c.json(c.about(0)+"/log?n=5", &p)
	stream := c.ask("GET", "/api/stream"+query("view", "log", "b", ID(c.house.dirs[0]), "follow", "1", "from", p.To), nil)
	told(t, stream.Body, "here", func(string) bool { return true })
	c.wrote(numbered(7))
	told(t, stream.Body, "log", func(data string) bool {
		var news logNews
		require.NoError(t, json.Unmarshal([]byte(data), &news))
		require.Len(t, news.Rows, 2)
		return news.Rows[1].Spans[0] == "INFO: line 6"
	})
	search := c.ask("GET", c.about(0)+"/search"+query("q", `line [3-6]$`), nil)
	told(t, search.Body, "found", func(data string) bool {
		return strings.Contains(data, `"count":4`) && strings.Contains(data, `"end":true`)
	})
	require.Equal(t, http.StatusBadRequest, c.ask("GET", c.about(0)+"/search"+query("q", "("), nil).StatusCode)
	require.Equal(t, http.StatusGone, c.ask("GET", c.about(0)+"/locate/d1", nil).StatusCode)
	c.wrote(numbered(7) + "Fatal Python error: Aborted\n")
	require.Contains(t, c.text("GET", c.about(0)+"/locate/d1"), `"at"`)
	require.Equal(t, http.StatusNotFound, c.ask("GET", c.about(0)+"/locate/d2", nil).StatusCode)
}

func TestADownloadIsForOnce(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	c.wrote(numbered(1000))
	var ticket struct{ URL string }
	require.NoError(t, json.Unmarshal([]byte(c.text("POST", c.about(0)+"/ticket")), &ticket))
	anybody := func(r *http.Request) { r.Header = http.Header{} }
	answer := c.ask("GET", ticket.URL, anybody)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, numbered(1000), string(text))
	require.Equal(t, `attachment; filename="server.log"`, answer.Header.Get("Content-Disposition"))
	require.Equal(t, http.StatusNotFound, c.ask("GET", ticket.URL, anybody).StatusCode)
}

func TestThePageThatWasOpenedFirstYieldsToANewOne(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	first := c.ask("GET", "/api/stream", nil)
	told(t, first.Body, "here", func(string) bool { return true })
	for range mostStreams {
		told(t, c.ask("GET", "/api/stream", nil).Body, "here", func(string) bool { return true })
	}
	told(t, first.Body, "yield", func(string) bool { return true })
	_, err := io.ReadAll(first.Body)
	require.NoError(t, err, "it ended as it should")
}

func TestAPageThatLeavesLeavesNothingBehind(t *testing.T) {
	c := serving(t, newHouse(t, "search-api"))
	c.wrote(numbered(100))
	for range 20 {
		stream := c.ask("GET", "/api/stream"+query("view", "log", "b", ID(c.house.dirs[0]), "follow", "1"), nil)
		told(t, stream.Body, "here", func(string) bool { return true })
		stream.Body.Close()
	}
	require.Eventually(t, func() bool {
		c.life.mu.Lock()
		defer c.life.mu.Unlock()
		return c.life.pages == 0
	}, patience, time.Millisecond)
}
