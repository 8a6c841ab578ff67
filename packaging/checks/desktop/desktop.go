// Package desktop holds the tests of the tray, its menu and the notices on a real desktop: a virtual display of its own with
// a panel and a notification daemon (rig.sh), real clicks, and D-Bus to read what is shown.
//
//	go test -tags e2e ./packaging/checks/desktop
//
// Pictures are kept in the folder that VIVARIUM_PICTURES names.
package desktop
