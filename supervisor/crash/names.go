package crash

import "strings"

// Name is the kind in a few words, for a line that counts several deaths of one cause: "3 crashes today, all: two OpenMP runtimes".
func (k Kind) Name() string {
	switch k {
	case KindStopped:
		return "stopped on request"
	case KindHung:
		return "it no longer answered"
	case KindKeeperLost:
		return "the keeper died"
	case KindWorkerDied:
		return "a worker died"
	case KindOpenMP:
		return "two OpenMP runtimes"
	case KindPortTaken:
		return "the port was taken"
	case KindMissingModule:
		return "a missing module"
	case KindAppNotFound:
		return "the app was not found"
	case KindStartupFailed:
		return "the application's startup failed"
	case KindException:
		return "an uncaught exception"
	case KindSegfault:
		return "a segmentation fault"
	case KindAbort:
		return "an abort"
	case KindBusError:
		return "a bus error"
	case KindIllegal:
		return "an illegal instruction"
	case KindArithmetic:
		return "an arithmetic error"
	case KindOutOfMemory:
		return "memory ran out"
	case KindKilled:
		return "killed (SIGKILL)"
	case KindEnded:
		return "ended by somebody else"
	case KindSignal:
		return "a signal"
	case KindCleanExit:
		return "a clean exit"
	case KindExitCode:
		return "an exit code without a word"
	case KindUnknown:
		return "an unknown cause"
	case KindCannotStart:
		return "it cannot be started"
	case KindConfig:
		return "a mistake in the configuration"
	}
	return strings.ReplaceAll(string(k), "-", " ") // of a newer Vivarium
}
