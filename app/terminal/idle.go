package terminal

import "runtime/debug"

// idle gives back what the start took. From here on this program idles, for days, beside a server that needs the memory.
func idle() {
	debug.FreeOSMemory()
	forgetProgram()
}
