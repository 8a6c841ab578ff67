package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/vivarium-app/vivarium/supervisor/config"
)

// usual are the paths at which servers answer for their health, the most telling first; "/" tells no more than that the server serves.
var usual = []string{"/health", "/healthz", "/api/health", "/livez", "/ready", "/"}

// lookTime bounds each request of a look: it is made beside the probes of a server that may be slow.
const lookTime = 2 * time.Second

// FindPath asks the server of t at the usual paths, once each, and gives the first at which it answers well; "" if there is none. The
// path that was asked already is left out.
func FindPath(ctx context.Context, t config.Target) string {
	asked := t.Path()
	for _, path := range usual {
		if path == asked {
			continue
		}
		if _, err := Get(ctx, t.At(path), Options{Timeout: lookTime}); err == nil {
			return path
		}
		if ctx.Err() != nil {
			return ""
		}
	}
	return ""
}

// SpeaksTLS says whether the server of t completes a TLS handshake, whatever its certificate is.
func SpeaksTLS(ctx context.Context, t config.Target) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	network, address := "tcp", t.Address()
	if t.Socket != "" {
		network, address = "unix", t.Socket
	}
	d := tls.Dialer{NetDialer: &net.Dialer{KeepAlive: -1}, Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		_ = conn.Close()
		return true
	}
	var alert tls.AlertError // a server that wants a certificate of ours, or another version, speaks TLS as well
	return errors.As(err, &alert)
}
