package crash

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/crash/report"
)

// Each line is what a library writes before it aborts; above it stands what a server says every day.
func TestALibraryThatGivesUpIsToldInItsOwnWords(t *testing.T) {
	for name, c := range map[string]struct {
		lines           []string
		kind            Kind
		summary, remedy string
		line            int // the one that decides
	}{
		"ggml, of old":                          {[]string{"GGML_ASSERT: /tmp/llama.cpp/ggml.c:4785: ggml_nelements(a) == ne0*ne1"}, KindAssertion, "assertion ggml_nelements(a) == ne0*ne1", "", 0},
		"ggml, at a place":                      {[]string{"/tmp/ggml/src/ggml-metal.m:1345: fatal error"}, KindAssertion, "fatal error", "", 0},
		"ggml, of today":                        {[]string{"/tmp/ggml/src/ggml.c:1649: GGML_ASSERT(ctx->mem_buffer != NULL) failed"}, KindAssertion, "assertion ctx->mem_buffer != NULL", "", 0},
		"an assertion of a Mac's C":             {[]string{"Assertion failed: (n > 0), function grow, file heap.c, line 12."}, KindAssertion, "assertion n > 0 in grow", "", 0},
		"an assertion of Linux's C":             {[]string{"python3: heap.c:12: grow: Assertion `n > 0' failed."}, KindAssertion, "assertion n > 0", "", 0},
		"an assertion on a card":                {[]string{"../aten/src/ATen/native/cuda/Indexing.cu:1236: indexSelectSmallIndex: block: [0,0,0], thread: [1,0,0] Assertion `srcIndex < srcSelectDimSize` failed."}, KindAssertion, "srcIndex < srcSelectDimSize", "", 0},
		"a check":                               {[]string{"F0000 00:00:1730000000.000000   12 tensor.cc:53] Check failed: rank == 2 (3 vs. 2)"}, KindAssertion, "Check failed: rank == 2", "", 0},
		"an assertion of no graphics":           {[]string{"-[Store put:]:42: failed assertion `key != nil'"}, KindAssertion, "failed assertion key != nil", "", 0},
		"Swift":                                 {[]string{"Main/main.swift:3: Fatal error: Index out of range"}, KindAssertion, "Fatal error: Index out of range", "", 0},
		"macOS's own library without a version": {[]string{"WARNING: /opt/python is loading libcrypto in an unsafe way", "Invalid dylib load. Clients should not load the unversioned libcrypto dylib as it does not have a stable ABI."}, KindAssertion, "without a version", "brew install openssl@3", 1},
		"cards that lost each other":            {[]string{"RuntimeError in a thread", "host:12:34 [0] misc/socket.cc:49 NCCL WARN socketProgress: Connection closed by remote peer"}, KindAssertion, "the graphics cards lost each other", "NCCL_DEBUG=INFO", 1},
		"cards that waited in vain":             {[]string{"[rank0]:[E1120 14:00:00 ProcessGroup.cpp:607] [Rank 0] Watchdog caught collective operation timeout: Work(SeqNum=5, OpType=ALLREDUCE, Timeout(ms)=600000) ran for 600002 milliseconds before timing out."}, KindAssertion, "waited for each other in vain", "its log has the cause", 0},
		"a card's assertion":                    {[]string{"CUDA error: device-side assert triggered"}, KindAssertion, "the graphics card gave up", "out of range", 0},
		"another error of a card":               {[]string{"CUDA error: an illegal memory access was encountered"}, KindAssertion, "illegal memory access", "CUDA_LAUNCH_BLOCKING=1", 0},
		"OpenMP without threads":                {[]string{"OMP: Error #34: System unable to allocate necessary resources for OMP thread:", "OMP: System error #11: Resource temporarily unavailable"}, KindAssertion, "OpenMP gave up", "OMP_NUM_THREADS", 0},
		"C++, with a reason":                    {[]string{"terminate called after throwing an instance of 'std::runtime_error'", "  what():  index is corrupt"}, KindAssertion, "std::runtime_error: index is corrupt", "", 0},
		"C++, on a Mac":                         {[]string{"libc++abi: terminating due to uncaught exception of type std::out_of_range: vector"}, KindAssertion, "std::out_of_range: vector", "", 0},
		"C++, a thread that nobody joined":      {[]string{"terminate called without an active exception"}, KindAssertion, "without an active exception", "", 0},
		"C++, without a word":                   {[]string{"libc++abi: terminating"}, KindAssertion, "did not say why", "last lines", 0},
		"C++, with the reason above":            {[]string{"main: error: unable to open the index", "libc++abi: terminating"}, KindAssertion, "unable to open the index", "", 1},
		"C++, for a model":                      {[]string{"llama_model_load: error loading model: failed to load model from a.gguf", "libc++abi: terminating"}, KindAssertion, "the model could not be loaded", "model's file is whole", 1},
		"Objective-C":                           {[]string{"*** Terminating app due to uncaught exception 'NSInvalidArgumentException', reason: 'data parameter is nil'"}, KindAssertion, "NSInvalidArgumentException: data parameter is nil", "", 0},
		"Rust, on one line":                     {[]string{"thread 'main' panicked at 'no entry', src/store.rs:12:5", "note: run with `RUST_BACKTRACE=1`", "thread caused non-unwinding panic. aborting."}, KindAssertion, "no entry", "", 0},
		"Rust, on two":                          {[]string{"thread '<unnamed>' panicked at src/store.rs:12:5:", "no entry", "fatal runtime error: failed to initiate panic, aborting"}, KindAssertion, "it panicked (Rust): no entry", "", 0},
		"memory, in Rust":                       {[]string{"memory allocation of 8589934592 bytes failed"}, KindOutOfMemory, "8.6 GB could not be had (Rust)", "", 0},
		"memory, in C++":                        {[]string{"terminate called after throwing an instance of 'std::bad_alloc'", "  what():  std::bad_alloc"}, KindOutOfMemory, "std::bad_alloc", "", 0},
		"memory, of Apple's graphics":           {[]string{"libc++abi: terminating due to uncaught exception of type std::runtime_error: [metal::malloc] Unable to allocate 17179869184 bytes."}, KindOutOfMemory, "17.2 GB could not be had", "", 0},
		"a buffer of Apple's graphics":          {[]string{"ggml_metal_add_buffer: error: failed to allocate buffer, size = 4096.00 MiB"}, KindOutOfMemory, "4096.00 MiB", "", 0},
		"a heap that is damaged":                {[]string{"python(12,0x1f) malloc: *** error for object 0x6000: pointer being freed was not allocated"}, KindHeap, "damaged Python's memory", "", 0},
		"a heap that glibc finds damaged":       {[]string{"corrupted size vs. prev_size in fastbins"}, KindHeap, "corrupted size vs. prev_size", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			tail := append([]string{"INFO:     Uvicorn running on http://127.0.0.1:8000", `INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK`}, c.lines...)
			v := Judge(Evidence{Known: true, Signal: "SIGABRT", OS: "linux", Tail: tail})
			require.Equal(t, c.kind, v.Kind, "%+v", v)
			require.Contains(t, v.Summary, c.summary)
			require.Contains(t, v.Remedy, c.remedy)
			require.NotEmpty(t, v.Remedy)
			require.NotContains(t, v.Summary+v.Remedy, "\x00", "what is filled in later is filled in")
			require.Equal(t, c.lines[c.line], v.Line)

			// The same words long before an end in good order, or in a chat, are nobody's last words.
			for _, e := range []Evidence{{Known: true, Code: 0, Tail: tail}, {Known: true, Signal: "SIGTERM", Tail: tail}, {Known: true, Signal: "SIGKILL", Tail: tail}} {
				e.OS = "linux"
				require.NotEqual(t, KindAssertion, Judge(e).Kind, "%+v", e)
			}
		})
	}
}

// Where the output says nothing, the system's own report may.
func TestTheReportSaysWhatTheOutputDoesNot(t *testing.T) {
	frames := func(symbols ...string) []report.Frame {
		var all []report.Frame
		for _, s := range symbols {
			all = append(all, report.Frame{Image: "libx.so", Symbol: s})
		}
		return all
	}
	for name, c := range map[string]struct {
		report  report.Report
		summary string
	}{
		"Rust's panic":               {report.Report{Frames: frames("abort", "__rust_start_panic", "rust_panic", "store::put")}, "threw an exception that nobody caught"},
		"Swift's error":              {report.Report{Frames: frames("abort", "swift_unexpectedError", "main")}, "threw an exception that nobody caught"},
		"C++'s exception":            {report.Report{Frames: frames("abort", "__cxa_throw", "Store::put")}, "threw an exception that nobody caught"},
		"a reason that nobody knows": {report.Report{Said: []string{"the store of this program is older than its index"}}, "the store of this program is older than its index"},
	} {
		t.Run(name, func(t *testing.T) {
			c.report.Signal = "SIGABRT"
			v := Judge(Evidence{Known: true, Signal: "SIGABRT", OS: "darwin", Report: &c.report})
			require.Equal(t, KindAssertion, v.Kind, "%+v", v)
			require.Contains(t, v.Summary, c.summary)
		})
	}
	for name, said := range map[string]string{
		"what every abort says": "abort() called", "a path alone": "/usr/lib/system/libsystem_c.dylib of the system", "a word": "terminated-without-a-single-space-in-it",
	} {
		v := Judge(Evidence{Known: true, Signal: "SIGABRT", OS: "darwin", Report: &report.Report{Signal: "SIGABRT", Said: []string{said}}})
		require.NotContains(t, v.Summary, said, name)
	}
}

// Which of the two is the older is said by numbers, and what is upgraded depends on it.
func TestOfNumPyAndAPackageTheOlderOneIsToBeUpgraded(t *testing.T) {
	const frame = `  File "/env/lib/python3.12/site-packages/hnsw/__init__.py", line 3, in <module>`
	for name, c := range map[string]struct{ said, above, summary, remedy string }{
		"NumPy, by the version of its interface":                         {"ImportError: numpy.core.multiarray failed to import", "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xe", "the installed NumPy is too old for hnsw", "--upgrade numpy"},
		"the package, by the version of its interface":                   {"ImportError: numpy.core.multiarray failed to import", "RuntimeError: module compiled against API version 0xe but this version of numpy is 0x10", "hnsw was built for another NumPy", `"numpy<2"`},
		"NumPy, by the size of an array":                                 {"ValueError: numpy.ndarray size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject", "", "the installed NumPy is too old for hnsw", "--upgrade numpy"},
		"the package, by the size of a type, which NumPy 2 made smaller": {"ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject", "", "hnsw was built for another NumPy", `"numpy<2"`},
	} {
		t.Run(name, func(t *testing.T) {
			tail := []string{"Traceback (most recent call last):", frame, "    import _hnsw", c.said}
			if c.above != "" {
				tail = append([]string{c.above}, tail...)
			}
			v := Judge(Evidence{Known: true, Code: 1, OS: "linux", Python: "/env/bin/python", Tail: tail})
			require.Contains(t, v.Summary, c.summary, "%+v", v)
			require.Contains(t, v.Remedy, c.remedy)
		})
	}
}
