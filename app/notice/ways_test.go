package notice

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/assets"
)

// center is one that shows, or refuses.
type center struct {
	shown  int
	refuse error
}

func (c *center) Ask(context.Context) error { return c.refuse }
func (c *center) Clicks() <-chan Click      { return nil }
func (c *center) Way() Way                  { return MacWay() }

func (c *center) Show(Notice) error {
	if c.refuse == nil {
		c.shown++
	}
	return c.refuse
}

func TestANoticeGoesThroughTheCenterAndOtherwiseThePlainWay(t *testing.T) {
	refused := errors.New("notices of Vivarium are not allowed")
	broken := errors.New("osascript: exit status 1")
	for _, c := range []struct {
		name          string
		center        Center
		plain         error
		way           Way
		err           string
		center1, desk int
	}{
		{"the center takes it", &center{}, nil, MacWay(), "", 1, 0},
		{"the center is refused", &center{refuse: refused}, nil, Way{By: plainWay("darwin").By, Hint: plainWay("darwin").Hint, Why: refused.Error()}, "", 0, 1},
		{"neither works", &center{refuse: refused}, broken, Way{By: plainWay("darwin").By, Hint: plainWay("darwin").Hint, Why: refused.Error()},
			"osascript: exit status 1; and before that: notices of Vivarium are not allowed", 0, 1},
		{"there is no center", nil, nil, Way{By: plainWay("darwin").By, Hint: plainWay("darwin").Hint, Why: wordNoCenter("darwin")}, "", 0, 1},
	} {
		desk := 0
		w := ways{center: c.center, goos: "darwin", plain: func(Notice) error { desk++; return c.plain }}
		way, err := w.show(finished)
		if c.err == "" {
			require.NoError(t, err, c.name)
		} else {
			require.EqualError(t, err, c.err, c.name)
		}
		require.Equal(t, c.way, way, c.name)
		require.Equal(t, c.desk, desk, c.name)
		if center, ok := c.center.(*center); ok {
			require.Equal(t, c.center1, center.shown, c.name)
		}
	}
}

func TestTheTestSaysByWhatWayItWentAndWhatToAllow(t *testing.T) {
	for name, c := range map[string]struct {
		way  Way
		err  error
		says []string
	}{
		"in the bundle":    {MacWay(), nil, []string{"macOS's own notifications", "under the name Vivarium", "System Settings → Notifications → Vivarium"}},
		"outside of it":    {Way{By: plainWay("darwin").By, Hint: plainWay("darwin").Hint, Why: wordNoCenter("darwin")}, nil, []string{"Script Editor", "opened as Vivarium.app"}},
		"on Linux":         {busWay("Xfce Notify Daemon"), nil, []string{"over D-Bus", "Xfce Notify Daemon", "Do Not Disturb"}},
		"it did not work":  {plainWay("linux"), errors.New("there is no desktop"), []string{"could not be sent", "there is no desktop", "Do Not Disturb"}},
		"without a remedy": {Way{}, errTooSlow, []string{"too slow"}},
	} {
		for _, part := range c.says {
			require.Contains(t, TestText(c.way, c.err), part, name)
		}
	}
}

func TestOnlyWhatCanBeActedOnHasButtons(t *testing.T) {
	require.True(t, Notice{Backend: "/b", Class: ClassCrash}.HasButtons())
	require.True(t, Notice{Backend: "/b"}.HasButtons())
	require.False(t, Notice{Backend: "/b", Class: ClassRecovered}.HasButtons(), "it is well: nothing is to be restarted")
	require.False(t, Notice{}.HasButtons(), "about no backend")
}

// service is a notification service with buttons on a bus.
type service struct {
	can []string

	mu   sync.Mutex
	got  []sentCall
	next uint32
}

type sentCall struct {
	app, summary, body string
	actions            []string
	icon               bool
}

func (s *service) GetCapabilities() ([]string, *dbus.Error) { return s.can, nil }

func (s *service) GetServerInformation() (name, vendor, version, spec string, err *dbus.Error) {
	return "Test Service", "nobody", "1", "1.2", nil
}

func (s *service) Notify(app string, _ uint32, _, summary, body string, actions []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	picture, _ := hints["image-data"].Value().([]any)
	icon := len(picture) == 7 && picture[0] == int32(48) && picture[2] == int32(4*48) && picture[3] == true && len(picture[6].([]byte)) == 4*48*48
	s.got = append(s.got, sentCall{app, summary, body, actions, icon})
	s.next++
	return s.next, nil
}

func (s *service) calls() []sentCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

func serviceOn(t *testing.T, conn *dbus.Conn, can ...string) *service {
	t.Helper()
	s := &service{can: can}
	require.NoError(t, conn.Export(s, busNoticesPath, busNotices))
	_, err := conn.RequestName(busNotices, dbus.NameFlagDoNotQueue)
	require.NoError(t, err)
	return s
}

func TestOnARealBusAButtonOfOurNoticeIsAClickOnItsBackend(t *testing.T) {
	conn := testkit.SessionBus(t)
	s := serviceOn(t, conn, "body", "actions")
	c := newBusCenter()
	require.NoError(t, c.Show(Notice{Title: "chat: killed", Body: "<b>Why</b>", Backend: "/b/chat", Class: ClassCrash, Icon: assets.Crashed}))
	require.NoError(t, c.Show(Notice{Title: "chat: healthy again", Backend: "/b/chat", Class: ClassRecovered}))
	require.Equal(t, busWay("Test Service"), c.Way())
	require.Equal(t, []sentCall{
		{"Vivarium", "chat: killed", "‹b›Why‹/b›", []string{"restart", "Restart", "log", "Open Log"}, true},
		{"Vivarium", "chat: healthy again", "", []string{}, true},
	}, s.calls())

	press := func(id uint32, key string) {
		require.NoError(t, conn.Emit(busNoticesPath, busNotices+".ActionInvoked", id, key))
	}
	clicked := func() Click {
		t.Helper()
		select {
		case got := <-c.Clicks():
			return got
		case <-time.After(testkit.Patience):
			require.FailNow(t, "no click came")
			return Click{}
		}
	}
	press(99, "restart") // another program's
	press(2, "restart")  // it has no buttons
	press(1, "nonsense")
	press(1, "restart")
	require.Equal(t, Click{"/b/chat", ButtonRestart}, clicked(), "the three before it were nothing")
	press(1, "log")
	require.Equal(t, Click{"/b/chat", ButtonLog}, clicked())

	require.NoError(t, c.Show(Notice{Title: "again", Backend: "/b/other"}))
	require.NoError(t, conn.Emit(busNoticesPath, busNotices+".NotificationClosed", uint32(1), uint32(2)))
	press(1, "restart") // it is closed
	press(3, "restart")
	require.Equal(t, Click{"/b/other", ButtonRestart}, clicked())
}

func TestAServiceWithoutButtonsIsLeftToThePlainWay(t *testing.T) {
	s := serviceOn(t, testkit.SessionBus(t), "body")
	require.EqualError(t, newBusCenter().Show(finished), "the notices of this desktop have no buttons")
	require.Empty(t, s.calls())
}

func TestWithoutADesktopTheBusIsNotEvenLookedFor(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("DISPLAY", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if desktop.Exists("/run/user") {
		t.Skip("this machine has session buses of its own")
	}
	require.Error(t, newBusCenter().Show(finished))
}

func TestOldNoticesAreForgotten(t *testing.T) {
	s := serviceOn(t, testkit.SessionBus(t), "actions")
	c := newBusCenter()
	for range maxShown + 5 {
		require.NoError(t, c.Show(Notice{Title: "x", Backend: "/b"}))
	}
	require.Len(t, s.calls(), maxShown+5)
	c.clicked(5, "log")
	require.Empty(t, c.clicks)
	c.clicked(6, "log")
	require.Equal(t, Click{"/b", ButtonLog}, <-c.clicks)
	for range 20 { // nobody takes them
		c.clicked(6, "log")
	}
	require.Len(t, c.clicks, cap(c.clicks))
}
