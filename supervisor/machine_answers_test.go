package supervisor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/probe"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/record"
)

// answers lets the present run answer every probe of the next while so, and every question about it with explanation.
func (p *play) answers(for_ time.Duration, err error, listens bool, explanation explained) *play {
	p.t.Helper()
	end := p.now.Add(for_)
	p.m.arm(p.now)
	for !p.m.deadline.IsZero() && !p.m.deadline.After(end) {
		if p.m.deadline.After(p.now) {
			p.now = p.m.deadline
		}
		p.feed(due{})
		for waiting := p.last; len(waiting) > 0; {
			e := waiting[0]
			waiting = waiting[1:]
			switch e := e.(type) {
			case doProbe:
				p.feed(probed{runID: e.run.ID, latency: time.Millisecond, err: err, listens: listens})
			case doExplain:
				in := explanation
				in.runID, in.answer = e.run.ID, e.err.Error()
				p.after(10 * time.Millisecond).feed(in)
			case doUse:
				p.feed(used{runID: e.run.ID, usage: process.Usage{Procs: 1}, logSize: 100})
			default:
				continue
			}
			waiting = append(waiting, p.last...)
		}
	}
	p.now = end
	return p
}

func status(n int) error { return &probe.AnswerError{Status: n} }

func (p *play) count(what What) (n int) {
	for _, e := range p.told {
		if e.What == what {
			n++
		}
	}
	return n
}

func TestAnAnswerThatIsNoSuccessOnAPathThatNeverAnsweredWellIsAMistakeInTheConfiguration(t *testing.T) {
	for _, code := range []int{301, 401, 403, 404, 405, 429, 500, 502} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			m := in("launching")
			m.config.Health.RestartHung = true
			p := newPlay(t, m).launch().answers(4*time.Second, status(code), true, explained{problem: "name the right path", sure: true})
			require.Equal(t, Unhealthy, p.m.State, "told within seconds, though it may start for three minutes")
			require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase)
			require.Equal(t, "name the right path", p.m.Health.Problem)
			p.answers(time.Hour, status(code), true, explained{problem: "name the right path", sure: true})
			require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase)
			require.Equal(t, 1, p.count(EventMisconfigured), "told once")
			require.Zero(t, p.count(EventUnhealthy))
			require.Zero(t, p.count(EventBusy))
			require.Equal(t, "run1", p.m.Run.ID, "and never ended for it")
			p.healthy()
			require.Equal(t, Healthy, p.m.State)
			require.Empty(t, p.m.Health.Problem)
		})
	}
}

func TestWhileItStarts503IsStarting(t *testing.T) {
	p := newPlay(t, in("launching")).launch().answers(2*time.Minute, status(503), true, explained{problem: "x", sure: true})
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, "answered 503", p.m.Health.Problem)
	require.Zero(t, p.count(EventMisconfigured))
	p.answers(2*time.Minute, status(503), true, explained{problem: "still 503", sure: true})
	require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase, "the time of the startup is over")
	require.Equal(t, "still 503", p.m.Health.Problem)
}

func TestOneWrongAnswerWhileItStartsIsNoNews(t *testing.T) {
	p := newPlay(t, in("launching")).launch().answers(500*time.Millisecond, status(404), true, explained{problem: "x", sure: true})
	require.Equal(t, Starting, p.m.State, "a gateway may be there before its routes")
	p.healthy()
	require.Zero(t, p.count(EventMisconfigured))
}

func TestAnotherProcessesAnswerIsNoMistakeInTheConfiguration(t *testing.T) {
	p := newPlay(t, in("launching")).launch().answers(time.Minute, status(404), false, explained{problem: "x", sure: true})
	require.Equal(t, Starting, p.m.State)
	require.Contains(t, p.m.Health.Problem, "another process")
	require.Zero(t, p.count(EventMisconfigured))
}

func TestAServerThatListensElsewhereIsToldWhere(t *testing.T) {
	m := in("launching")
	m.config.Health.RestartHung = true
	where := explained{problem: "it listens on 8022, not on 8000"}
	p := newPlay(t, m).launch().answers(2500*time.Millisecond, probe.ErrRefused, false, where)
	require.Equal(t, Starting, p.m.State, "one look may see a socket that is there for a moment")
	p.answers(5*time.Second, probe.ErrRefused, false, where)
	require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase)
	require.Equal(t, where.problem, p.m.Health.Problem)
	p.answers(time.Hour, probe.ErrRefused, false, where)
	require.Equal(t, 1, p.count(EventMisconfigured))
	require.Equal(t, "run1", p.m.Run.ID, "it is not restarted for it")
	require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase)
	p.answers(5*time.Minute, probe.ErrRefused, false, explained{})
	require.Equal(t, Stopping, p.m.State, "it listens nowhere any more: then it hangs")
	require.Equal(t, 1, p.count(EventUnhealthy))
}

func TestAServerThatListensNowhereYetIsStarting(t *testing.T) {
	p := newPlay(t, in("launching")).launch().answers(2*time.Minute, probe.ErrRefused, false, explained{})
	require.Equal(t, Starting, p.m.State)
	require.Equal(t, "connection refused", p.m.Health.Problem)
	p.healthy()
	require.Equal(t, Healthy, p.m.State)
}

func TestAServerThatSpeaksHTTPSIsToldSo(t *testing.T) {
	for _, err := range []error{probe.ErrClosed, probe.ErrNoHTTP, probe.ErrBroken, probe.ErrSpeaksTLS} {
		p := newPlay(t, in("launching")).launch().answers(4*time.Second, err, false, explained{problem: "it speaks https", sure: true})
		require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase, err)
		require.Equal(t, "it speaks https", p.m.Health.Problem)
	}
}

func TestAPathThatAnsweredWellAndNowAnswersErrorsIsUnwell(t *testing.T) {
	p := newPlay(t, in("healthy")).answers(11*time.Second, status(500), true, explained{})
	require.Equal(t, Unhealthy, p.m.State)
	require.Equal(t, record.PhaseWrongAnswer, p.m.Health.Phase)
	require.Equal(t, "/health answers 500", p.m.Health.Problem)
	p.answers(time.Hour, status(500), true, explained{})
	require.Equal(t, 1, p.count(EventUnhealthy), "neither busy nor hung: it answers")
	require.Zero(t, p.count(EventBusy))
	require.Equal(t, record.PhaseWrongAnswer, p.m.Health.Phase)
	p.healthy()
	require.Equal(t, Healthy, p.m.State)

	p = newPlay(t, in("healthy")).answers(6*time.Second, status(500), true, explained{})
	require.Equal(t, Healthy, p.m.State, "twice is no news")
}

func TestRestartHungAppliesToErrorsAndNotToRefusals(t *testing.T) {
	for code, ends := range map[int]bool{500: true, 503: true, 401: false, 404: false, 429: false} {
		m := in("healthy")
		m.config.Health.RestartHung = true
		p := newPlay(t, m).answers(time.Minute, status(code), true, explained{})
		require.Equal(t, ends, p.m.State == Stopping, code)
		if ends {
			p.crash("x")
			require.Equal(t, Starting, p.m.State)
			require.Equal(t, crash.KindWrongAnswer, p.m.Last.Kind)
			require.Contains(t, p.m.Last.Summary, fmt.Sprint(code))
		} else {
			require.Equal(t, record.PhaseWrongAnswer, p.m.Health.Phase)
		}
	}
}

func TestAServerThatDoesNotAnswerAnyMoreHangsWhateverItAnsweredBefore(t *testing.T) {
	p := newPlay(t, in("launching")).launch().answers(10*time.Second, status(404), true, explained{problem: "name the right path", sure: true})
	require.Equal(t, record.PhaseMisconfigured, p.m.Health.Phase)
	p.answers(time.Minute, errors.New("no answer within 3 s"), false, explained{})
	require.Equal(t, record.PhaseHung, p.m.Health.Phase)
	require.Equal(t, 1, p.count(EventUnhealthy))
}

func TestAnAppThatAdoptsARunKnowsThatItsPathWasRight(t *testing.T) {
	p := newPlay(t, in("launching")).launch().after(time.Second).healthy()
	saved := p.m.savedIn(p.last)
	require.True(t, saved.With.Answered)
	next := newPlay(t, &machine{}).feed(began{config: testConfig(), saved: &saved, found: found{run: p.m.Run}})
	next.now = p.now
	next.answers(time.Minute, status(500), true, explained{problem: "x", sure: true})
	require.Equal(t, record.PhaseWrongAnswer, next.m.Health.Phase)
	require.Zero(t, next.count(EventMisconfigured))
}

func TestAnExplanationOfWhatIsOverIsDropped(t *testing.T) {
	p := newPlay(t, in("starting")).feed(probed{runID: "r1", err: probe.ErrRefused}).after(3 * time.Second)
	p.feed(probed{runID: "r1", err: probe.ErrRefused})
	require.True(t, has[doExplain](p.last))
	p.feed(probed{runID: "r1", latency: time.Millisecond, listens: true})
	p.feed(explained{runID: "r1", answer: "connection refused", problem: "it listens on 8022", sure: true})
	require.Equal(t, Healthy, p.m.State)
	p.feed(explained{runID: "r0", answer: "connection refused", problem: "it listens on 8022", sure: true})
	require.Equal(t, Healthy, p.m.State)
}

func TestWhatIsSaidOfAnAnswer(t *testing.T) {
	for want, c := range map[string]struct {
		answer probe.AnswerError
		found  string
	}{
		"/health answers 404: name the right path under [health] (found: /api/health)":                                      {probe.AnswerError{Status: 404}, "/api/health"},
		`/health answers 405: name the right path under [health], or path = "" if there is none`:                            {probe.AnswerError{Status: 405}, ""},
		"/health answers 401: name a path under [health] that needs no login":                                               {probe.AnswerError{Status: 401}, ""},
		"/health redirects to /health/: name the final path under [health]":                                                 {probe.AnswerError{Status: 307, Location: "/health/"}, ""},
		"/health still answers 503, and the time of [health] startup is over: let it be longer, or read the log":            {probe.AnswerError{Status: 503}, ""},
		"/health answers 500, and has not answered well since the start: read the log, or name another path under [health]": {probe.AnswerError{Status: 500}, ""},
	} {
		require.Equal(t, want, probe.WrongPath("/health", &c.answer, c.found))
	}
}

func TestWhereItListensInstead(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		url     string
		ports   []int
		says    string
	}{
		"nowhere":          {nil, "", nil, ""},
		"where it should":  {nil, "", []int{8000}, ""},
		"another port":     {nil, "", []int{8022}, "it listens on 8022, not on 8000: write port = 8022 in vivarium.toml, or {port} in its command"},
		"two":              {nil, "", []int{8022, 9000}, "it listens on 8022 and 9000, not on 8000"},
		"many":             {nil, "", []int{1, 2, 3, 4, 5}, "it listens on 1, 2, 3 and 2 more, not on 8000"},
		"a socket":         {[]string{"uvicorn", "--uds", "/run/a.sock"}, "", nil, `it listens on the Unix socket /run/a.sock, not on 8000: write url = "unix:/run/a.sock:/health" under [health]`},
		"bound socket":     {[]string{"gunicorn", "-b", "unix:/run/a.sock"}, "", nil, "unix:/run/a.sock:/health"},
		"joined":           {[]string{"gunicorn", "--bind=unix:a.sock"}, "", nil, "unix:a.sock:/health"},
		"another than url": {nil, "https://127.0.0.1:8443/health", []int{8444}, "it listens on 8444, not on 8443: correct url under [health]"},
		"no socket":        {nil, "unix:/run/a.sock:/health", []int{8000}, "it listens on 8000, not on the socket /run/a.sock"},
	} {
		config := testConfig()
		config.Health.URL = c.url
		config.Command = c.command
		got := probe.Elsewhere(config, c.ports)
		if c.says == "" {
			require.Empty(t, got, name)
		} else {
			require.Contains(t, got, c.says, name)
		}
	}
}
