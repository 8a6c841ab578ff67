package notice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/assets"
)

// The names of the Desktop Notifications Specification of freedesktop.org.
const (
	busNotices     = "org.freedesktop.Notifications"
	busNoticesPath = "/org/freedesktop/Notifications"
)

// maxShown is how many notices are remembered for their buttons; a service that never says which are closed costs no more memory.
const maxShown = 64

// busButtons are the keys of a notice's buttons on the bus. There is no "default": where a click on the notice itself is meant by it,
// that is how people close one, and xfce4-notifyd makes it a third button.
var busButtons = map[string]Button{"restart": ButtonRestart, "log": ButtonLog}

// busCenter is the desktop's notification service on Linux, if it has buttons. It connects with the first notice.
type busCenter struct {
	clicks chan Click

	mu     sync.Mutex
	bus    *dbus.Conn
	server string
	shown  []sentNotice // oldest first
}

type sentNotice struct {
	id      uint32
	backend string
}

var _ Center = (*busCenter)(nil)

func newBusCenter() *busCenter {
	return &busCenter{clicks: make(chan Click, 8), server: "the desktop"}
}

// Ask has nothing to ask: desktops on Linux ask nobody.
func (c *busCenter) Ask(context.Context) error { return nil }

func (c *busCenter) Clicks() <-chan Click { return c.clicks }

func (c *busCenter) Way() Way {
	c.mu.Lock()
	defer c.mu.Unlock()
	return busWay(c.server)
}

func (c *busCenter) Show(n Notice) error {
	ctx, cancel := context.WithTimeout(context.Background(), desktop.BusTime)
	defer cancel()
	bus, err := c.connected(ctx)
	if err != nil {
		return err
	}
	var actions []string
	if n.HasButtons() {
		actions = []string{"restart", WordRestart, "log", WordOpenLog}
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(byte(1))}
	if picture, err := busPicture(n.Icon); err == nil {
		hints["image-data"] = dbus.MakeVariant(picture)
	}
	c.mu.Lock() // until the ID is noted: a click may come at once
	defer c.mu.Unlock()
	var id uint32
	err = bus.Object(busNotices, busNoticesPath).CallWithContext(ctx, busNotices+".Notify", 0, "Vivarium", uint32(0), "",
		daemonText("linux", n.Title), daemonText("linux", n.Body), actions, hints, int32(-1)).Store(&id)
	if err != nil {
		return fmt.Errorf("showing a notice over D-Bus: %w", err)
	}
	if n.HasButtons() {
		c.shown = append(c.shown, sentNotice{id, n.Backend})
		c.shown = c.shown[max(0, len(c.shown)-maxShown):]
	}
	return nil
}

// connected gives the connection to a service that has buttons.
func (c *busCenter) connected(ctx context.Context) (*dbus.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bus != nil && c.bus.Connected() {
		return c.bus, nil
	}
	if err := desktop.NoDesktop(runtime.GOOS, os.Getenv, desktop.Exists); err != nil {
		return nil, err
	}
	bus, err := dbus.SessionBusPrivateNoAutoStartup()
	if err != nil {
		return nil, fmt.Errorf("connecting to the session bus: %w", err)
	}
	server, err := greet(ctx, bus)
	if err != nil {
		_ = bus.Close()
		return nil, err
	}
	signals := make(chan *dbus.Signal, 64)
	bus.Signal(signals)
	c.bus, c.server, c.shown = bus, server, nil
	go c.listen(signals)
	return bus, nil
}

// greet introduces us to the bus, and gives the name of the notification service.
func greet(ctx context.Context, bus *dbus.Conn) (server string, err error) {
	if err := errors.Join(bus.Auth(nil), bus.Hello()); err != nil {
		return "", fmt.Errorf("connecting to the session bus: %w", err)
	}
	service := bus.Object(busNotices, busNoticesPath)
	var can []string
	if err := service.CallWithContext(ctx, busNotices+".GetCapabilities", 0).Store(&can); err != nil {
		return "", fmt.Errorf("asking the desktop what its notices can do: %w", err)
	}
	if !slices.Contains(can, "actions") {
		return "", errors.New("the notices of this desktop have no buttons")
	}
	server = "the desktop"
	var name, vendor, version, spec string
	if service.CallWithContext(ctx, busNotices+".GetServerInformation", 0).Store(&name, &vendor, &version, &spec) == nil && words.Plain(name) != "" {
		server = words.Short(name, 60)
	}
	err = bus.AddMatchSignalContext(ctx, dbus.WithMatchSender(busNotices), dbus.WithMatchObjectPath(busNoticesPath), dbus.WithMatchInterface(busNotices))
	if err != nil {
		return "", fmt.Errorf("listening to the desktop's notices: %w", err)
	}
	return server, nil
}

// listen takes what the service tells of our notices, until the connection ends.
func (c *busCenter) listen(signals <-chan *dbus.Signal) {
	for s := range signals {
		if len(s.Body) < 2 {
			continue
		}
		id, _ := s.Body[0].(uint32)
		switch s.Name {
		case busNotices + ".ActionInvoked":
			key, _ := s.Body[1].(string)
			c.clicked(id, key)
		case busNotices + ".NotificationClosed":
			c.mu.Lock()
			c.shown = slices.DeleteFunc(c.shown, func(n sentNotice) bool { return n.id == id })
			c.mu.Unlock()
		}
	}
}

func (c *busCenter) clicked(id uint32, key string) {
	button, known := busButtons[key]
	c.mu.Lock()
	i := slices.IndexFunc(c.shown, func(n sentNotice) bool { return n.id == id })
	backend := ""
	if i >= 0 {
		backend = c.shown[i].backend
	}
	c.mu.Unlock()
	if !known || i < 0 { // a notice of another program: the service tells everybody
		return
	}
	select {
	case c.clicks <- Click{Backend: backend, Button: button}:
	default:
	}
}

// busImage is the specification's image-data: (iiibiiay).
type busImage struct {
	Width, Height, Stride   int32
	Alpha                   bool
	BitsPerSample, Channels int32
	Pixels                  []byte
}

// busPicture is the coloured icon: a notice is no template.
func busPicture(i assets.State) (busImage, error) {
	decoded, err := png.Decode(bytes.NewReader(assets.Icon(assets.Icons[min(int(i), len(assets.Icons)-1)], "linux")))
	if err != nil {
		return busImage{}, err
	}
	b := decoded.Bounds()
	flat := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			flat.Set(x, y, decoded.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return busImage{int32(b.Dx()), int32(b.Dy()), int32(flat.Stride), true, 8, 4, flat.Pix}, nil
}
