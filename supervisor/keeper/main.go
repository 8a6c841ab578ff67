package keeper

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Main is the program vivarium-keeper: args is its command line without its name, the one folder that it keeps. It returns the
// exit code.
func Main(args []string) int { return keeperMain(args, idleTime) }

func keeperMain(args []string, idle time.Duration) int {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println("vivarium-keeper", Version)
		return 0
	}
	if len(args) != 1 || !filepath.IsAbs(args[0]) {
		fmt.Fprintln(os.Stderr, "usage: vivarium-keeper DIR\n\nIt is started by Vivarium, with the absolute path of a backend's state folder.")
		return 2
	}
	// A fixed number of threads, before anything is closed: Go otherwise keeps files of the cgroup open to adapt it.
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(25)
	closeDescriptors()
	ctx, stop := notify()
	defer stop()
	if err := keep(ctx, args[0], idle); err != nil {
		if errors.Is(err, ErrLocked) {
			say(sayLocked)
			return 1
		}
		say(err.Error())
		log.Print(err)
		return 1
	}
	return 0
}

// say tells the launcher how it went, and turns standard output away.
func say(word string) {
	fmt.Println(word)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		_ = unix.Dup2(int(null.Fd()), 1)
		null.Close()
	}
}

// notify catches what would end the keeper. Nothing is ignored, because the children would inherit that: a handler is back to
// its default after exec, also below a shell that ignored SIGINT. Only SIGTERM means something: stop the run, and leave.
func notify() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE,
		syscall.SIGXFSZ,                                   // a file size limit is a full disk, not an end
		syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU) // the three that Go leaves as they were inherited
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM {
				cancel()
			}
		}
	}()
	return ctx, cancel
}

func keep(ctx context.Context, dir string, idle time.Duration) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	p := &presence{dir: dir}
	if err := p.take(); err != nil {
		return err
	}
	defer func() { p.close() }()
	if program, err := os.Executable(); err == nil { // keeps the copy from being removed
		if f, err := os.Open(program); err == nil {
			defer f.Close()
			_ = flock(f, syscall.LOCK_SH)
		}
	}
	if err := adopt(); err != nil {
		return fmt.Errorf("becoming a subreaper: %w", err)
	}
	if err := raiseFileLimit(); err != nil {
		log.Printf("raising the limit on open files: %v", err)
	}
	say(sayReady)
	log.Printf("keeper %s, process %d", Version, os.Getpid())
	return serve(ctx, p, idle)
}

// lockPatiently takes the lock. An Attach that tests it holds it for a moment.
func lockPatiently(path string) (*os.File, error) {
	for deadline := time.Now().Add(200 * time.Millisecond); ; {
		f, err := Lock(path)
		if !errors.Is(err, ErrLocked) || time.Now().After(deadline) {
			return f, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// MaxOpenFiles is how far a keeper raises the limit of open files, its own and so the server's.
const MaxOpenFiles = maxOpenFiles

// raiseFileLimit gives the children a soft limit with which a server can live: a GUI launch gives 256. Set by hand, Go does not take
// it back in the child.
func raiseFileLimit() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	lim.Cur = min(lim.Max, MaxOpenFiles)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
}
