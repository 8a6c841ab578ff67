package stall

import "slices"

// Kind is the kind of a stall. A kind is a promise to whoever reads the JSON: it keeps its name.
type Kind string

// The kinds.
const (
	KindLoop       Kind = "loop-blocked"      // a call that does not await, inside async code
	KindThreads    Kind = "threads-exhausted" // every worker is in the same few frames
	KindDeadlock   Kind = "deadlock"
	KindLock       Kind = "lock"
	KindNetwork    Kind = "network"
	KindDownload   Kind = "download"
	KindImporting  Kind = "importing"
	KindNative     Kind = "native" // inside a C extension
	KindSubprocess Kind = "subprocess"
	KindDisk       Kind = "disk"
	KindPaused     Kind = "paused" // SIGSTOP, a debugger
	KindIdle       Kind = "idle"   // nothing runs and nobody answers
	KindBusy       Kind = "busy"   // Python code runs all the time
	KindWedged     Kind = "wedged" // the deep probe fails while /health is good
	KindMainEnded  Kind = "main-thread-ended"
	KindAsleep     Kind = "asleep" // the machine slept
	KindUnknown    Kind = "unknown"
)

// Meaning is a kind in words, for tables.
type Meaning struct {
	Kind  Kind
	Means string
}

var meanings = []Meaning{
	{KindLoop, "a call inside `async` code keeps the event loop"},
	{KindThreads, "every worker thread is in the same call"},
	{KindDeadlock, "threads wait for each other's locks"},
	{KindLock, "it waits for a lock, a queue or another thread"},
	{KindNetwork, "it waits for another host"},
	{KindDownload, "it downloads a model or a package"},
	{KindImporting, "it imports modules"},
	{KindNative, "it is inside a C extension"},
	{KindSubprocess, "it waits for another program"},
	{KindDisk, "it waits for a file or a disk"},
	{KindPaused, "it is stopped, or a debugger holds it"},
	{KindIdle, "nothing runs, and nothing answers"},
	{KindBusy, "Python code runs all the time"},
	{KindWedged, "its health check answers, and its work does not"},
	{KindMainEnded, "the main thread ended, and others keep the process alive"},
	{KindAsleep, "the computer slept"},
	{KindUnknown, "the samples do not say"},
}

// Kinds are all kinds in words.
func Kinds() []Meaning { return slices.Clone(meanings) }
