package crash

import (
	"slices"
	"strings"
)

// Meaning is what a kind means, in words for a person.
type Meaning struct {
	Kind   Kind
	Name   string // a few words, for a line that counts several deaths of one cause: "3 crashes today, all: two OpenMP runtimes"
	Tells  string // one sentence
	Remedy string // the typical remedy; a verdict's own one is made for the backend. "–" if there is none to give
}

// meanings is the list for people, in the README's order: what Vivarium knows itself, then causes, then what is only a signal or a code.
var meanings = []Meaning{
	{KindStopped, "stopped on request", "You, or Vivarium, asked for it. Never news.", "–"},
	{KindHung, "it no longer answered", "It no longer answered, was not busy, and was ended for it.", "The log's last lines show what it was doing; `restart_hung = false` leaves it alone."},
	{KindWrongAnswer, "it answered with errors", "Its health path, which had answered well, answered with errors again and again, and it was ended for it.", "The log's last lines show what went wrong in it; `restart_hung = false` leaves it alone."},
	{KindKeeperLost, "the keeper died", "Nobody saw the exit status, because the process that watches was ended.", "Nothing is known to be wrong with the server."},
	{KindRestarted, "the computer restarted", "The computer itself went down while it ran: a kernel panic, a loss of power, or a restart that left no time.", "After a panic of the GPU driver a smaller context and fewer requests at once; else what the sentence names."},
	{KindWorkerDied, "a worker died", "A worker of the server, of a pool or of a DataLoader was gone.", "The worker's own cause if the log has it; fewer workers if memory was short."},
	{KindEnvironment, "the crash environment did not arrive", "It died of exactly what the crash environment prevents, and that had not reached Python.", "Let `command` start Python itself, with no script in between."},
	{KindOpenMP, "two OpenMP runtimes", `Two OpenMP runtimes met in one process: "OMP: Error #15", or a fault inside one of them.`, "`vivarium doctor --fix` makes one of them."},
	{KindOpenMPShared, "OpenMP's shared memory", "OpenMP could not open its shared memory.", "`KMP_USE_SHM = \"0\"` under `[environment]`."},
	{KindForkSafety, "a fork that macOS does not allow", "A process that was forked used Apple's frameworks.", `multiprocessing's start method "spawn".`},
	{KindInserted, "a library to be inserted", "The file that `DYLD_INSERT_LIBRARIES` names is missing, or made for another architecture.", "Reinstall torch, or switch the variable off."},
	{KindLibrary, "a missing library", "A library is missing that a Python package needs.", "The command that installs it, or the package anew."},
	{KindSymbol, "a missing symbol", "A package does not fit a library it needs.", "Reinstall it with what it depends on."},
	{KindArchitecture, "the wrong architecture", "A package is made for another processor than this Python.", "Reinstall it for this Python, or make the environment anew."},
	{KindSignature, "an invalid code signature", "macOS ended Python, or refused a library, because of its code signature.", "Reinstall the package that was changed."},
	{KindTooManyFiles, "too many open files", "It opened more files and connections than the system allows.", "Close them: your line of code is named."},
	{KindImport, "an import that failed", "A module is there, and cannot be imported.", "The version that fits, or the two modules that import each other."},
	{KindStack, "a stack overflow", "Calls went too deep, in Python or below it.", "The function that calls itself is named."},
	{KindAssertion, "a failed assertion", "A library gave up: a failed assertion or check, a C++ exception, Apple's Metal.", "Upgrade the package, or let the model run on the CPU."},
	{KindHeap, "damaged memory", "A native library damaged Python's memory.", "Upgrade the native packages; `PYTHONMALLOC=debug` finds it sooner."},
	{KindPortTaken, "the port was taken", "Another process has the port.", "End that process, which is named where it can be seen, or take another port."},
	{KindMissingModule, "a missing module", "A Python module is not installed in this environment.", "The command that installs it."},
	{KindAppNotFound, "the app was not found", "The server could not find `module:app`.", "Correct `command`, as in `main:app`."},
	{KindStartupFailed, "the application's startup failed", "Your application's own startup raised an exception.", "The exception, and your line of code."},
	{KindException, "an uncaught exception", "Python stopped with an exception that nobody caught.", "The exception, and your line of code, not the framework's."},
	{KindWorkerTimeout, "a worker that did not answer", "A worker did not answer in time, and its own server ended it.", "Long work outside of the request, or a longer timeout."},
	{KindDiskFull, "a full disk", "The disk is full, or the account's share of it.", "Make room: old models and caches are named."},
	{KindPortDenied, "a port that is not allowed", "The port is free, and this user may not have it.", "A port above 1023."},
	{KindPermission, "a permission of macOS", "macOS does not let Python into the local network, or into a folder that it guards.", "The switch in System Settings, Privacy & Security, is named."},
	{KindBrokenPython, "a broken Python", "Python does not find its standard library, or it is broken.", "Make the environment anew; no PYTHONHOME and PYTHONPATH."},
	{KindSegfault, "a segmentation fault", "A native library touched memory that was not its own.", "The library that faulted and the Python line that called it; upgrade what brings it."},
	{KindAbort, "an abort", "A library ended the process, and did not say why.", "The Python line that called it."},
	{KindBusError, "a bus error", "Mapped memory could not be had.", "Often a file became shorter, or the disk is full."},
	{KindIllegal, "an illegal instruction", "A package was built for another processor.", "A package that fits, or a Python that does not run under Rosetta."},
	{KindArithmetic, "an arithmetic error", "Native code divided by zero.", "The Python line that called it."},
	{KindOutOfMemory, "memory ran out", "The system ended it for want of memory, or Python, Metal or CUDA could get no more.", "A smaller model, a smaller batch, fewer workers; or a higher limit where there is one."},
	{KindKilled, "killed (SIGKILL)", "SIGKILL, and nothing tells from whom.", "If nobody did it, less memory."},
	{KindEnded, "ended by somebody else", "SIGTERM, SIGINT or SIGHUP that Vivarium did not send.", "Who sent it, where the system says so."},
	{KindSignal, "a signal", "Another signal.", "The log's last lines."},
	{KindCleanExit, "a clean exit", "It ended without an error, and nobody asked for it.", "`policy = \"always\"` under `[restart]`."},
	{KindExitCode, "an exit code without a word", "An exit code, and a log that does not say why.", "The log's last lines are all that is known."},
	{KindUnknown, "an unknown cause", "Nothing tells why. It is said, not guessed.", "The log's last lines are all that is known."},
	{KindCannotStart, "it cannot be started", "Python could not be started at all.", "What is missing is named."},
	{KindConfig, "a mistake in the configuration", "`vivarium.toml` has a mistake.", "File, line and key."},
}

// Kinds are all kinds with their meaning, in the README's order. The slice is the caller's own.
func Kinds() []Meaning { return slices.Clone(meanings) }

// Name is the kind in a few words.
func (k Kind) Name() string {
	for _, m := range meanings {
		if m.Kind == k {
			return m.Name
		}
	}
	return strings.ReplaceAll(string(k), "-", " ") // of a newer Vivarium
}
