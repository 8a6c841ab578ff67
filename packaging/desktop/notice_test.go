//go:build e2e && cgo && linux

package desktop

import (
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

// notice is what a program asked the notification daemon to show.
type notice struct {
	App, Title, Body string
	At               time.Time
}

// notices listens on the bus for what goes to the notification daemon from now on.
type notices struct {
	t   *testing.T
	all chan notice
}

func listen(t *testing.T) *notices {
	t.Helper()
	if missing != "" {
		t.Skip(missing)
	}
	bus, err := dbus.ConnectSessionBus()
	require.NoError(t, err)
	t.Cleanup(func() { bus.Close() })
	messages := make(chan *dbus.Message, 64)
	bus.Eavesdrop(messages)
	rule := "type='method_call',interface='org.freedesktop.Notifications',member='Notify'"
	// No reply could be read any more: the bus says by NameLost that this connection is a monitor now.
	bus.BusObject().Go("org.freedesktop.DBus.Monitoring.BecomeMonitor", dbus.FlagNoReplyExpected, nil, []string{rule}, uint32(0))
	for lost := false; !lost; {
		select {
		case m := <-messages:
			lost = m.Headers[dbus.FieldMember].Value() == "NameLost"
		case <-time.After(patience):
			t.Fatal("the bus does not let us listen")
		}
	}
	n := &notices{t: t, all: make(chan notice, 64)}
	go func() {
		for m := range messages {
			if m.Type == dbus.TypeMethodCall && len(m.Body) >= 5 {
				name, _ := m.Body[0].(string)
				title, _ := m.Body[3].(string)
				body, _ := m.Body[4].(string)
				n.all <- notice{name, title, body, time.Now()}
			}
		}
	}()
	return n
}

// next waits for a notice with these words in its title or body; others before it are let pass.
func (n *notices) next(words string) notice {
	n.t.Helper()
	var seen []string
	end := time.After(patience)
	for {
		select {
		case got := <-n.all:
			if strings.Contains(got.Title+"\n"+got.Body, words) {
				return got
			}
			seen = append(seen, got.Title+" | "+got.Body)
		case <-end:
			n.t.Fatalf("no notice with %q; seen:\n%s", words, strings.Join(seen, "\n"))
		}
	}
}
