package power

import (
	"sync"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

const (
	ioKit      = "/System/Library/Frameworks/IOKit.framework/IOKit"
	foundation = "/System/Library/Frameworks/Foundation.framework/Foundation"
	unlimited  = -2.0 // kIOPSTimeRemainingUnlimited: it is plugged in, or has no battery
)

// remaining is IOPSGetTimeRemainingEstimate (IOPowerSources.h): one number, and nothing to release.
var remaining = sync.OnceValue(func() (estimate func() float64) {
	if lib, err := purego.Dlopen(ioKit, purego.RTLD_LAZY|purego.RTLD_GLOBAL); err == nil {
		if at, err := purego.Dlsym(lib, "IOPSGetTimeRemainingEstimate"); err == nil {
			purego.RegisterFunc(&estimate, at)
		}
	}
	return estimate
})

// info is NSProcessInfo's, 0 if it is not there.
var info = sync.OnceValue(func() objc.ID {
	if _, err := purego.Dlopen(foundation, purego.RTLD_LAZY|purego.RTLD_GLOBAL); err != nil {
		return 0
	}
	class := objc.GetClass("NSProcessInfo")
	if class == 0 {
		return 0
	}
	return objc.ID(class).Send(objc.RegisterName("processInfo"))
})

// Now is what the Mac lives on.
func Now() State {
	var s State
	if estimate := remaining(); estimate != nil {
		s.Battery = estimate() != unlimited
	}
	if p := info(); p != 0 {
		s.Saving = objc.Send[bool](p, objc.RegisterName("isLowPowerModeEnabled")) // macOS 12 and newer
	}
	return s
}
