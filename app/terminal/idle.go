package terminal

import (
	"runtime/debug"
	"time"
)

// calmTime is how long after a good start all is done that follows one: the packages looked through, the report on a crash written.
const calmTime = 30 * time.Second

// idle gives back what the start took. From here on this program idles, for days, beside a server that needs the memory.
func idle() {
	debug.FreeOSMemory()
	forgetProgram()
}
