//go:build cgo

package tray

import "github.com/vivarium-app/vivarium/app/loginitem"

// LoginService is macOS's service for login items. There is none here.
type LoginService struct{}

// State is what macOS says of the agent in the bundle.
func (LoginService) State() (loginitem.State, error) { return loginitem.Unavailable, nil }

// Register registers the agent.
func (LoginService) Register() (loginitem.State, error) { return loginitem.Unavailable, nil }

// Unregister takes it back.
func (LoginService) Unregister() (loginitem.State, error) { return loginitem.Unavailable, nil }

// Legacy is what macOS says of a launch agent in a file.
func (LoginService) Legacy(string) (loginitem.State, error) { return loginitem.Unavailable, nil }

// Settings opens System Settings where a person can switch it on.
func (LoginService) Settings() {}
