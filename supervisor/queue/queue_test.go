package queue

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestABoxGivesEverythingInTheOrderOfEachSender(t *testing.T) {
	b := NewBox[[2]int]()
	require.Empty(t, b.Take())
	const senders, each = 8, 500
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range each {
				b.Post([2]int{s, i})
			}
		})
	}
	next, got := map[int]int{}, 0
	for got < senders*each {
		<-b.Ready()
		for _, m := range b.Take() {
			require.Equal(t, next[m[0]], m[1], "sender %d", m[0])
			next[m[0]]++
			got++
		}
	}
	all.Wait()
	require.Empty(t, b.Take())
}

func TestWhatIsPostedTogetherIsTakenTogether(t *testing.T) {
	b := NewBox[int]()
	b.Post(1, 2)
	b.Post(3)
	<-b.Ready()
	require.Equal(t, []int{1, 2, 3}, b.Take())
	select {
	case <-b.Ready():
		t.Fatal("there is nothing")
	default:
	}
}

func TestALineDoesOneAfterTheOtherAndTheLastOnesAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLine(3)
		var done []int
		hold := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { l.Run(ctx); close(ended) }()
		require.True(t, l.Add(func() { <-hold; done = append(done, 1) }))
		synctest.Wait()
		for i := 2; i <= 4; i++ {
			require.True(t, l.Add(func() { done = append(done, i) }))
		}
		require.False(t, l.Add(func() { done = append(done, 5) }), "one holds up three: a fifth is too many")
		cancel()
		close(hold)
		<-ended
		require.Equal(t, []int{1, 2, 3, 4}, done)
	})
}
