package dashboard

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func over(l *lifetime) bool {
	synctest.Wait()
	select {
	case <-l.ended():
		return true
	default:
		return false
	}
}

func TestItEndsWhenNoPageCameWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLifetime(time.Minute)
		time.Sleep(59 * time.Second)
		require.False(t, over(l))
		time.Sleep(time.Second)
		require.True(t, over(l))
		l.expect() // too late, and no harm
		l.arrive()()
		time.Sleep(time.Hour)
	})
}

func TestItLivesAsLongAsAPageIsOpenAndAMinuteLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLifetime(time.Minute)
		first := l.arrive()
		time.Sleep(24 * time.Hour)
		second := l.arrive()
		first()
		first() // twice is once
		time.Sleep(time.Hour)
		require.False(t, over(l))
		second()
		time.Sleep(59 * time.Second)
		require.False(t, over(l))
		third := l.arrive() // a page that is loaded again
		time.Sleep(time.Hour)
		require.False(t, over(l))
		third()
		time.Sleep(time.Minute)
		require.True(t, over(l))
	})
}

func TestItWaitsAnewForAPageThatIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLifetime(time.Minute)
		time.Sleep(50 * time.Second)
		l.expect()
		time.Sleep(50 * time.Second)
		require.False(t, over(l))
		leave := l.arrive()
		l.expect() // a page is open: nothing to wait for
		time.Sleep(time.Hour)
		require.False(t, over(l))
		leave()
		time.Sleep(time.Minute)
		require.True(t, over(l))
	})
}
