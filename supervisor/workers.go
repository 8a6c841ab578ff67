package supervisor

// Child is one process below a run's leader.
type Child struct {
	PID   int
	Stamp string // the kernel's mark, see keeper.Run
	Name  string // "python3.12"
	// Interpreter: it runs Python code of the backend; the helpers of multiprocessing are none.
	Interpreter bool
}
