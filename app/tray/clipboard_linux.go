//go:build cgo

package tray

// #cgo pkg-config: gtk+-3.0
// #include <gtk/gtk.h>
// #include <stdlib.h>
//
// static gboolean put(gpointer text) {
//   gtk_clipboard_set_text(gtk_clipboard_get(GDK_SELECTION_CLIPBOARD), text, -1);
//   free(text);
//   return G_SOURCE_REMOVE;
// }
// static void copy(char *text) { g_idle_add(put, text); }
import "C"

// Copy puts text on the clipboard. Only the thread of GTK's loop may do that, so it is handed over; whoever has a tray has GTK,
// while xclip and its like need not be installed.
var Copy = func(text string) error {
	C.copy(C.CString(text)) // freed by put
	return nil
}
