package power

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// counted is what is taken of a system that counts.
type counted struct {
	held, taken atomic.Int32
	refuses     atomic.Bool
	takes       time.Duration
}

func (c *counted) take(string) (io.Closer, error) {
	time.Sleep(c.takes)
	if c.refuses.Load() {
		return nil, errors.New("no bus")
	}
	c.held.Add(1)
	c.taken.Add(1)
	return closer(func() { c.held.Add(-1) }), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

func TestAHoldFollowsWhatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{takes: time.Second}
		var mu sync.Mutex
		var told []bool
		h := NewHold(c.take, "why", func(held bool, problem error) {
			mu.Lock()
			defer mu.Unlock()
			require.NoError(t, problem)
			told = append(told, held)
		})
		for range 3 {
			h.Set(true)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, c.held.Load())
		h.Set(false)
		synctest.Wait()
		require.Zero(t, c.held.Load(), "released at once")
		h.Set(true)
		time.Sleep(500 * time.Millisecond)
		h.Set(false) // before the system has answered
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Zero(t, c.held.Load())
		require.Equal(t, []bool{true, false, true, false}, told)
	})
}

func TestAHoldThatIsClosedLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{takes: time.Second}
		for _, before := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second} {
			h := NewHold(c.take, "", func(bool, error) {})
			h.Set(true)
			time.Sleep(before)
			h.Close()
			h.Set(false)
			h.Set(true)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.Zero(t, c.held.Load())
			h.Close()
		}
	})
}

func TestARefusalIsToldOnceAndTriedAgainWithTheNextWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{}
		c.refuses.Store(true)
		var told atomic.Int32
		h := NewHold(c.take, "", func(_ bool, problem error) {
			if problem != nil {
				told.Add(1)
			}
		})
		h.Set(true)
		synctest.Wait()
		h.Set(true)
		synctest.Wait()
		require.EqualValues(t, 1, told.Load())
		c.refuses.Store(false)
		h.Set(false)
		h.Set(true)
		synctest.Wait()
		require.EqualValues(t, 1, c.held.Load())
		require.EqualValues(t, 1, told.Load())
		h.Close()
	})
}
