package paste

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

type ended struct {
	text   string
	code   int
	signal syscall.Signal
	by     string
}

// Each text is all that was copied.
func TestTheWordsAroundAProgramSayHowItEnded(t *testing.T) {
	const segv, abrt, kill, bus, trap, ill, fpe, term = syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGKILL, syscall.SIGBUS, syscall.SIGTRAP, syscall.SIGILL, syscall.SIGFPE, syscall.SIGTERM
	for _, c := range []ended{
		{"zsh: segmentation fault  uvicorn boot:app", 0, segv, "zsh"},
		{"zsh: segmentation fault (core dumped)  uvicorn boot:app", 0, segv, "zsh"},
		{"zsh: abort      python boot.py", 0, abrt, "zsh"},
		{"zsh: IOT instruction (core dumped)  python boot.py", 0, abrt, "zsh"},
		{"zsh: bus error  python boot.py", 0, bus, "zsh"},
		{"zsh: trace trap  python boot.py", 0, trap, "zsh"},
		{"zsh: floating point exception  python boot.py", 0, fpe, "zsh"},
		{"zsh: terminated  python boot.py", 0, term, "zsh"},
		{"zsh: exit 134     python boot.py", 134, 0, "zsh"},
		{"zsh: killed     python boot.py | tee log", 0, kill, "zsh"},
		{"[1]    4321 segmentation fault  python boot.py", 0, segv, "zsh"},
		{"[1]  + 4321 killed     python boot.py", 0, kill, "zsh"},
		{"[2]  - 4321 exit 3     python boot.py", 3, 0, "zsh"},
		{"[1]+  Segmentation fault: 11  python boot.py", 0, segv, "bash"},
		{"[1]+  Aborted                 (core dumped) python boot.py", 0, abrt, "bash"},
		{"[1]+  Exit 139                python boot.py", 139, 0, "bash"},
		{"Segmentation fault", 0, segv, "bash"},
		{"Segmentation fault: 11", 0, segv, "bash"},
		{"Bus error: 10", 0, bus, "bash"},
		{"Illegal instruction: 4", 0, ill, "bash"},
		{"Trace/BPT trap: 5", 0, trap, "bash"},
		{"Killed: 9", 0, kill, "bash"},
		{"Killed", 0, kill, "bash"},
		{"Aborted (core dumped)", 0, abrt, "bash"},
		{"./up.sh: line 7: 4321 Killed                  python boot.py", 0, kill, "bash"},
		{"/bin/sh: line 1: 77 Abort trap: 6           python boot.py", 0, abrt, "bash"},
		{"bash: line 1: 77 Illegal instruction     (core dumped) python boot.py", 0, ill, "bash"},
		{"./up.sh: Zeile 7: 4321 Speicherzugriffsfehler  (Speicherabzug geschrieben) python3 boot.py", 0, segv, "bash"},
		{"./up.sh: Zeile 7: 4321 Getötet                 python3 boot.py", 0, kill, "bash"},
		{"Speicherzugriffsfehler (Speicherabzug geschrieben)", 0, segv, "bash"},
		{"Abgebrochen (Speicherabzug geschrieben)", 0, abrt, "bash"},
		{"./up.sh : ligne 7 :  4321 Erreur de segmentation  python3 boot.py", 0, segv, "bash"},
		{"./up.sh : ligne 7 :  4321 Processus arrêté      python3 boot.py", 0, kill, "bash"},
		{"Erreur de segmentation (core dumped)", 0, segv, "bash"},
		{"./up.sh: línea 7:  4321 Violación de segmento  (`core' generado) python3 boot.py", 0, segv, "bash"},
		{"./up.sh: línea 7:  4321 Abortado                python3 boot.py", 0, abrt, "bash"},
		{"./up.sh: riga 7:  4321 Errore di segmentazione  python3 boot.py", 0, segv, "bash"},
		{"./up.sh: riga 7:  4321 Ucciso                  python3 boot.py", 0, kill, "bash"},
		{"./up.sh: linha 7:  4321 Falha de segmentação (imagem do núcleo gravada) python3 boot.py", 0, segv, "bash"},
		{"./up.sh, linha 7:  4321 Morto                   python3 boot.py", 0, kill, "bash"},
		{"./up.sh: строка 7:  4321 Ошибка сегментирования  (образ памяти сброшен на диск) python3 boot.py", 0, segv, "bash"},
		{"./up.sh: строка 7:  4321 Убито                   python3 boot.py", 0, kill, "bash"},
		{"./up.sh: 第 7 行： 4321 段错误               （核心已转储） python3 boot.py", 0, segv, "bash"},
		{"./up.sh: 行 7:  4321 已杀死                  python3 boot.py", 0, kill, "bash"},
		{"段错误 (核心已转储)", 0, segv, "bash"},
		{"./up.sh: 7 行:  4321 Segmentation fault      python3 boot.py", 0, segv, "bash"},
		{"./up.sh: 7 行:  4321 強制終了            python3 boot.py", 0, kill, "bash"},
		{"セグメンテーションフォルト (コアダンプ)", 0, segv, "bash"},
		{"./up.sh: 7. sor:  4321 Szegmenshiba            python3 boot.py", 0, segv, "bash"},
		{"fish: Job 1, 'python boot.py' terminated by signal SIGSEGV (Address boundary error)", 0, segv, "fish"},
		{"fish: Process 4321, 'python' from job 2, 'python boot.py | cat' terminated by signal SIGABRT (Abort)", 0, abrt, "fish"},
		{"  × External command was terminated by a signal\n   ╭─[entry #3:1:1]\n 1 │ python boot.py\n   · ───┬──\n   ·    ╰── terminated by SIGBUS (7)\n   ╰────", 0, bus, "nushell"},
		{"   ·    ╰── core dumped with SIGSEGV (11)", 0, segv, "nushell"},
		{`Program "python" ended with non-zero exit code: 139 (0x0000008B).`, 139, 0, "powershell"},
		{"Exception: python killed by signal segmentation fault", 0, segv, "elvish"},
		{"Process finished with exit code 134 (interrupted by signal 6:SIGABRT)", 134, abrt, "pycharm"},
		{"Process finished with exit code 137 (interrupted by signal 9: SIGKILL)", 137, kill, "pycharm"},
		{"Process finished with exit code 0", 0, 0, "pycharm"},
		{"Process finished with exit code -1073741819 (0xC0000005)", -1073741819, 0, "pycharm"},
		{"进程已结束，退出代码为 139 (interrupted by signal 11:SIGSEGV)", 139, segv, "pycharm"},
		{` *  The terminal process "/bin/zsh '-c', 'python boot.py'" terminated with exit code: 139. `, 139, 0, "vscode"},
		{"[Done] exited with code=134 in 3.21 seconds", 134, 0, "vscode"},
		{"api-1 exited with code 137", 137, 0, "docker"},
		{"proj_api_1 exited with code 139 (restarting)", 139, 0, "docker"},
		{"dependency failed to start: container proj-api-1 exited (132)", 132, 0, "docker"},
		{"0f3c5a api:2 \"uvicorn\" 3 hours ago Exited (137) 2 minutes ago  api", 137, 0, "docker"},
		{"command terminated with exit code 137", 137, 0, "kubernetes"},
		{"api.service: Main process exited, code=killed, status=9/KILL", 0, kill, "systemd"},
		{"api.service: Main process exited, code=dumped, status=6/ABRT", 0, abrt, "systemd"},
		{"api.service: Main process exited, code=exited, status=203/EXEC", 203, 0, "systemd"},
		{"  Process: 77 ExecStart=/x (code=killed, signal=SEGV)", 0, segv, "systemd"},
		{"Main processes terminated with: code=killed, status=11/SEGV", 0, segv, "systemd"},
		{"2026-03-04 05:06:07.1 studio launchd[1] (me.api[77]): Service exited due to SIGABRT | sent by python[77]", 0, abrt, "launchd"},
		{"Mar  4 05:06:07 studio com.apple.xpc.launchd[1] (me.api[77]): Service exited with abnormal code: 78", 78, 0, "launchd"},
		{"exited with exit reason (namespace: 1 code: 0x7) - OS_REASON_JETSAM | per-process-limit", 0, kill, "launchd"},
		{"\tlast terminating signal = Segmentation fault: 11", 0, segv, "launchd"},
		{"\tlast exit code = 3", 3, 0, "launchd"},
		{"2026-03-04 05:06:07,123 INFO exited: api (terminated by SIGSEGV; not expected)", 0, segv, "supervisord"},
		{"2026-03-04 05:06:07,123 WARN exited: api (terminated by SIGABRT (core dumped); not expected)", 0, abrt, "supervisord"},
		{"2026-03-04 05:06:07,123 INFO exited: api (exit status 3; not expected)", 3, 0, "supervisord"},
		{"PM2        | App [api:0] exited with code [139] via signal [SIGINT]", 139, syscall.SIGINT, "pm2"},
		{"Main child exited with signal (with signal 'SIGKILL', core dumped? false)", 0, kill, "fly"},
		{" INFO Main child exited normally with code: 3", 3, 0, "fly"},
		{"Container terminated on signal 11.", 0, segv, "cloudrun"},
		{"Uncaught signal: 6, pid=1, tid=1, fault_addr=0.", 0, abrt, "cloudrun"},
		{"RequestId: 7 Error: Runtime exited with error: signal: segmentation fault", 0, segv, "lambda"},
		{"srun: error: node3: task 0: Segmentation fault (core dumped)", 0, segv, "slurm"},
		{"==> Exited with status 137", 137, 0, "render"},
		{"Exit code: 139. Reason: ", 139, 0, "spaces"},
		{"##[error]Process completed with exit code 139.", 139, 0, "github"},
		{"Error: Process completed with exit code 137.", 137, 0, "github"},
		{"##[error]Bash exited with code '134'.", 134, 0, "azure"},
		{"ERROR: Job failed: exit code 137", 137, 0, "gitlab"},
		{"Exited with code exit status 139", 139, 0, "circleci"},
		{`The command "python boot.py" exited with 139.`, 139, 0, "travis"},
		{"npm ERR! code 139", 139, 0, "npm"},
		{"npm error signal SIGSEGV", 0, segv, "npm"},
		{"error Command failed with exit code 137.", 137, 0, "npm"},
		{" ELIFECYCLE  Command failed with exit code 134.", 134, 0, "npm"},
		{`error: script "dev" was terminated by signal SIGTRAP (Trace or breakpoint trap)`, 0, trap, "bun"},
		{"error: Recipe `run` was terminated on line 3 by signal 11", 0, segv, "just"},
		{"error: Recipe `run` failed on line 3 with exit code 139", 139, 0, "just"},
		{`task: Failed to run task "run": exit status 134`, 134, 0, "task"},
		{"make: *** [run] Error 139", 139, 0, "make"},
		{"make[1]: *** [Makefile:4: run] Fehler 134", 134, 0, "make"},
		{"make: *** [Makefile:4: run] Segmentation fault (core dumped)", 0, segv, "make"},
		{"make: *** [run] Killed: 9", 0, kill, "make"},
		{"exit status 139", 139, 0, "go"},
		{"signal: killed", 0, kill, "go"},
		{"signal: segmentation fault (core dumped)", 0, segv, "go"},
		{"sidecar ended: signal: 6 (SIGABRT) (core dumped)", 0, abrt, "rust"},
		{"python boot.py exited with code 139", 139, 0, "launcher"},
		{"python boot.py exited with code SIGSEGV", 0, segv, "launcher"},
		{"[main] Backend process exited with code null, signal SIGKILL", 0, kill, "launcher"},
		{"Python process exited unexpectedly with code 134", 134, 0, "launcher"},
		{"Command terminated by signal 6", 0, abrt, "time"},
		{"+++ killed by SIGSEGV (core dumped) +++", 0, segv, "strace"},
		{"Process 77 exited with status = 3 (0x00000003) ", 3, 0, "lldb"},
		{"Program terminated with signal SIGBUS, Bus error.", 0, bus, "gdb"},
		{"$ echo $?\n139", 139, 0, "shell"},
		{"box ~ % echo $status\n1", 1, 0, "shell"},
		{"[Wed Mar  4 05:06:07 2026] python3[77]: segfault at 8 ip 00007f sp 00007e error 4 in lib.so[7f+1]", 0, segv, "kernel"},
	} {
		t.Run(c.text, func(t *testing.T) {
			s := Parse([]byte("warming up\n" + c.text + "\n")).Status
			require.True(t, s.Known)
			require.Equal(t, c, ended{c.text, s.Code, syscall.Signal(s.Signal), s.By})
			require.Contains(t, c.text, s.Line)
		})
	}
}

func TestWordsThatOnlySoundLikeAnExitAreNone(t *testing.T) {
	for _, text := range []string{
		"the model said: Killed",
		"Killed 3 idle connections",
		"Terminated connection to 10.0.0.3",
		"Quit",
		"Abandon\nof the old index",
		"killed",
		"abort",
		"INFO: job 7 exited with code 1 after 3 tries",
		"Worker exited with code 139",
		"[ERROR] Worker (pid:77) was sent SIGKILL! Perhaps out of memory?",
		"subprocess.CalledProcessError: Command '['ffmpeg']' died with <Signals.SIGSEGV: 11>.",
		"subprocess.CalledProcessError: Command 'x' returned non-zero exit status 139.",
		"Process SpawnProcess-1 exitcode: -11",
		"# zsh: segmentation fault  python boot.py",
		"// exit status 139",
		"say \"zsh: killed  python boot.py\" to them",
		"assistant> zsh: segmentation fault  python boot.py",
		"user: it prints\nzsh: segmentation fault  python boot.py",
		"zsh: command not found: uvicorn",
		"zsh: no such file or directory: ./boot",
		"[1] 4321",
		"[1]  + done       python other.py",
		"12:00:01: 7 Killed connections",
		"billiard: Process 'ForkPoolWorker-2' pid:3 exited with 'signal 9 (SIGKILL)'",
		"Out of memory: Killed process 99 (chrome) total-vm:1kB",
	} {
		t.Run(text, func(t *testing.T) {
			require.False(t, Parse([]byte("warming up\n"+text+"\n")).Status.Known)
		})
	}
}

func TestTheLastWordAboutTheSameProgramWins(t *testing.T) {
	for _, c := range []struct {
		name, text string
		signal     syscall.Signal
		code       int
	}{
		{"of two runs the last", "% python a.py\nzsh: abort      python a.py\n% python a.py\nzsh: killed     python a.py", syscall.SIGKILL, 0},
		{"what the shell says tells more than the wrapper's own code", "up.sh: line 3: 77 Segmentation fault: 11  python a.py\nmake: *** [run] Error 1", syscall.SIGSEGV, 0},
		{"a wrapper that passes the code on", "npm ERR! code 139\nnpm ERR! errno 139", 0, 139},
		{"the container that failed first, not those that were stopped for it", "api-1 exited with code 134\ndb-1 exited with code 137\ncache-1 exited with code 0", 0, 134},
		{"the container with the traceback", "db-1 exited with code 137\napi-1  | Traceback (most recent call last):\napi-1  |   File \"/a.py\", line 1, in <module>\napi-1  | KeyError: 'x'\napi-1 exited with code 1", 0, 1},
		{"a question after the shell's word", "zsh: segmentation fault  python a.py\n% echo $?\n139", syscall.SIGSEGV, 139},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Parse([]byte(c.text)).Status
			require.True(t, s.Known)
			require.Equal(t, c.signal, syscall.Signal(s.Signal))
			require.Equal(t, c.code, s.Code)
		})
	}
}

func TestAShellsWordIsOfAnEarlierRunIfTheServerWorksBelowIt(t *testing.T) {
	for _, below := range []string{
		"INFO:     127.0.0.1:5000 - \"GET / HTTP/1.1\" 200 OK",
		"INFO:     Started server process [9]",
		"box:~ me$ python boot.py\nloading",
	} {
		require.False(t, Parse([]byte("zsh: killed     python boot.py\n"+below)).Status.Known, below)
	}
	for _, below := range []string{
		"box:~ me$ ls",
		"box:~ me$ python -m pip list",
		"/usr/lib/python3.12/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked semaphore objects",
	} {
		require.True(t, Parse([]byte("zsh: killed     python boot.py\n"+below)).Status.Known, below)
	}
}

func TestAManagerStartsAProgramAgainAndItsWordStillCounts(t *testing.T) {
	text := "Mar  4 05:06:07 box systemd[1]: api.service: Main process exited, code=killed, status=9/KILL\n" +
		"Mar  4 05:06:12 box uvicorn[78]: INFO:     Started server process [78]"
	require.Equal(t, syscall.SIGKILL, syscall.Signal(Parse([]byte(text)).Status.Signal))
}

func TestMemoryIsNamedWhereTheKeeperNamesIt(t *testing.T) {
	for _, text := range []string{
		"    Last State:  Terminated\n      Reason:    OOMKilled\n      Exit Code: 137",
		"  lastState:\n    terminated:\n      exitCode: 137\n      reason: OOMKilled",
		"api-5d  0/1  OOMKilled  3 (20s ago)  5m",
		"api.service: A process of this unit has been killed by the OOM killer.\napi.service: Main process exited, code=killed, status=9/KILL\napi.service: Failed with result 'oom-kill'.",
		"   Active: failed (Result: oom-kill) since Wed",
		"            \"OOMKilled\": true,\n            \"ExitCode\": 137,",
		"kernel: Memory cgroup out of memory: Killed process 77 (uvicorn) total-vm:1kB",
		"slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.",
		"Process appears to have been OOM killed!",
	} {
		t.Run(text, func(t *testing.T) {
			s := Parse([]byte(text)).Status
			require.True(t, s.Known && s.OOMKilled)
			require.Contains(t, text, s.Line)
		})
	}
}
