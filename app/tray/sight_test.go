package tray

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// said is what the watch tells after the icon was seen or not at these moments since the launch.
func said(t *testing.T, moments map[time.Duration]bool) (told []bool) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		in := make(chan bool)
		launched := time.Now()
		go func() {
			for _, after := range slices.Sorted(maps.Keys(moments)) {
				time.Sleep(after - time.Since(launched))
				in <- moments[after]
			}
			time.Sleep(time.Hour)
			close(in)
		}()
		watch(in, func(hidden bool) { told = append(told, hidden) })
	})
	return told
}

func TestAnIconThatWasNeverSeenIsToldOfOnce(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		moments map[time.Duration]bool
		want    []bool
	}{
		"macOS says nothing":                  {nil, nil},
		"seen at once":                        {map[time.Duration]bool{s: true}, nil},
		"seen after a moment":                 {map[time.Duration]bool{s: false, 5 * s: true}, nil},
		"never seen":                          {map[time.Duration]bool{s: false}, []bool{true}},
		"never seen, and said often":          {map[time.Duration]bool{s: false, 20 * s: false, 40 * s: false, 90 * s: false}, []bool{true}},
		"seen after it was told":              {map[time.Duration]bool{s: false, 60 * s: true}, []bool{true, false}},
		"a full-screen app, later":            {map[time.Duration]bool{s: true, 60 * s: false, 600 * s: false}, nil},
		"seen late, and covered, and covered": {map[time.Duration]bool{s: false, 60 * s: true, 90 * s: false, 600 * s: false}, []bool{true, false}},
	} {
		require.Equal(t, c.want, said(t, c.moments), name)
	}
}

func TestTheIconIsJudgedWhenThePatienceIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := make(chan bool, 1)
		in <- false
		began := time.Now()
		var at time.Duration
		go watch(in, func(bool) { at = time.Since(began) })
		time.Sleep(time.Minute)
		close(in)
		synctest.Wait()
		require.Equal(t, sightPatience, at)
	})
}

func TestOpeningTheAppAgainIsHeardAndHoldsUpNobody(t *testing.T) {
	tr := newBeside()
	for range 10 {
		tr.reopen()
		tr.see(false)
	}
	require.Len(t, tr.Reopened(), 1, "ten are one")
	tr.closeSight()
	tr.see(true)
	tr.closeSight()
}
