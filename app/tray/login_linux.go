//go:build cgo

package tray

import "github.com/vivarium-app/vivarium/app/login"

// LoginService is macOS's service for login items. There is none here.
type LoginService struct{}

// State is what macOS says of the agent in the bundle.
func (LoginService) State() (login.State, error) { return login.Unavailable, nil }

// Register registers the agent.
func (LoginService) Register() (login.State, error) { return login.Unavailable, nil }

// Unregister takes it back.
func (LoginService) Unregister() (login.State, error) { return login.Unavailable, nil }

// Legacy is what macOS says of a launch agent in a file.
func (LoginService) Legacy(string) (login.State, error) { return login.Unavailable, nil }

// Settings opens System Settings where a person can switch it on.
func (LoginService) Settings() {}
