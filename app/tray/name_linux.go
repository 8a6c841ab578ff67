//go:build cgo

package tray

// #cgo pkg-config: glib-2.0
// #include <glib.h>
import "C"

// introduce gives the name that panels show for the icon; without it that is the program's file name. systray's own SetTitle
// would also write it beside the icon.
func introduce() {
	C.g_set_application_name(C.CString("Vivarium")) // GLib copies it; once in a program's life
}
