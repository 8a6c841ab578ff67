package paste

import (
	"regexp"
	"sync"
)

// rule is one form in which a tool says how a program ended.
type rule struct {
	by   string
	kind kind
	mark string // is in every such line; most texts have none of them
	keep bool
	form func() *regexp.Regexp // with the groups code, signal, core, oom, who
}

func newRule(by string, k kind, mark, form string) rule {
	return rule{by: by, kind: k, mark: mark, form: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(form) })}
}

func (r rule) kept() rule {
	r.keep = true
	return r
}

// programs are what a line must begin with where a tool names the command that it ran.
const programs = `(?:\S*/)?(?:python|uvicorn|gunicorn|hypercorn|fastapi|flask|celery|granian|streamlit|uv|poetry|npm|pnpm|yarn|node|make|bash|sh|\./)\S*(?: .*)?`

const signalName = `(?P<signal>SIG[A-Z0-9]+)`

var rules = []rule{
	// Containers
	newRule("docker", manager, " exited with code ", `^(?P<who>[\w.-]+)(?: has)? exited with code (?P<code>\d+)(?: \(restarting\))?$`),
	newRule("docker", manager, " exited (", `^(?:dependency failed to start: )?[Cc]ontainer (?P<who>\S+) exited \((?P<code>\d+)\)`),
	newRule("docker", manager, "Exited (", `^\S.* Exited \((?P<code>\d+)\) `),
	newRule("docker", manager, "exitCode=", `container die .*exitCode=(?P<code>\d+)`),
	newRule("docker", manager, "container oom ", `(?P<oom>container oom )`),
	newRule("docker", manager, `"OOMKilled": true`, `(?P<oom>"OOMKilled": true)`),
	newRule("docker", manager, `"ExitCode": `, `^"ExitCode": (?P<code>[1-9]\d*),?$`),
	newRule("kubernetes", manager, "OOMKilled", `^(?:Reason|reason): +(?P<oom>OOMKilled)$`),
	newRule("kubernetes", manager, "OOMKilled", `^"reason": "(?P<oom>OOMKilled)",?$`),
	newRule("kubernetes", manager, "OOMKilled", `^(?P<who>\S+) +\d+/\d+ +(?P<oom>OOMKilled) `),
	newRule("kubernetes", manager, "Exit Code:", `^Exit Code: +(?P<code>[1-9]\d*)$`),
	newRule("kubernetes", manager, "exitCode", `^"?exitCode"?: (?P<code>[1-9]\d*),?$`),
	newRule("kubernetes", manager, "terminated with ", `^command terminated with (?:non-zero )?exit code:?(?: .*?)? ?(?P<code>\d+)$`),
	newRule("kubernetes", manager, "terminated with exit code '", `[Cc]ontainer '?(?P<who>[\w.-]+)'? was terminated with exit code '(?P<code>\d+)'`),
	newRule("ecs", manager, "OutOfMemoryError: Container killed", `(?P<oom>OutOfMemoryError: Container killed)`),
	newRule("nomad", manager, "Exit Code: ", `Exit Code: (?P<code>\d+)(?:, Signal: (?P<signal>[1-9]\d*))?`),

	// Service managers
	newRule("systemd", manager, "process exited, code=", `^(?:(?P<who>\S+): )?[Mm]ain process exited, code=(?:exited, status=(?P<code>\d+)|(?P<core>dumped, )?(?:killed, )?status=\d+/(?P<signal>[A-Z0-9]+))`),
	newRule("systemd", manager, "(code=", `\(code=(?:exited, status=(?P<code>\d+)|(?P<core>dumped, )?(?:killed, )?signal=(?P<signal>[A-Z0-9]+))`),
	newRule("systemd", manager, "with result '", `^(?:(?P<who>\S+): )?Failed with result '(?:(?P<oom>oom-kill)|(?P<core>core-dump)|[a-z-]+)'`),
	newRule("systemd", manager, "OOM killer", `^(?:(?P<who>\S+): )?(?P<oom>A process of this unit has been killed by the OOM killer)`),
	newRule("systemd", manager, "(Result: oom-kill)", `(?P<oom>\(Result: oom-kill\))`),
	newRule("systemd", manager, "terminated with: code=", `terminated with: code=(?:exited[/,] ?status=(?P<code>\d+)|(?P<core>dumped)?(?:killed)?[/,] ?status=(?:\d+/)?(?P<signal>[A-Z0-9]+))`),
	newRule("launchd", manager, "exited due to SIG", `exited due to `+signalName),
	newRule("launchd", manager, "abnormal code: ", `exited with abnormal code: (?P<code>\d+)`),
	newRule("launchd", manager, "OS_REASON_JETSAM", `(?P<oom>OS_REASON_JETSAM)`),
	newRule("launchd", manager, "OS_REASON_CODESIGNING", `(?P<killed>OS_REASON_CODESIGNING)`),
	newRule("launchd", manager, "last terminating signal = ", `last terminating signal = .*?(?P<signal>\d+)$`),
	newRule("launchd", manager, "last exit code = ", `last exit code = (?P<code>\d+)`),
	newRule("supervisord", manager, "exited: ", `exited: (?P<who>\S+) \((?:exit status (?P<code>\d+)|terminated by `+signalName+`(?P<core> \(core dumped\))?); (?:not )?expected\)`),
	newRule("pm2", manager, "exited with code [", `App \[(?P<who>[^\]:]+)(?::\d+)?\] exited with code \[(?P<code>-?\d+)\](?: via signal \[(?P<signal>SIG[A-Z]+)\])?`),
	newRule("pm2", manager, "exited with code SIG", `^App name:(?P<who>\S+) id:\d+ exited with code `+signalName+`$`),
	newRule("honcho", manager, " stopped (rc=", `^(?P<who>\S+) stopped \(rc=(?P<code>-?\d+)\)$`),
	newRule("foreman", manager, "xited with code ", `^[Ee]xited with code (?P<code>\d+)$`),
	newRule("foreman", manager, "terminated by SIG", `^terminated by `+signalName+`$`),
	newRule("heroku", manager, "exited with status ", `^Process exited with status (?P<code>\d+)$`),
	newRule("fly", manager, "Main child exited", `Main child exited (?:normally )?with code:? (?P<code>\d+)`),
	newRule("fly", manager, "Main child exited with signal", `with signal '`+signalName+`', core dumped\? (?:(?P<core>true)|false)`),
	newRule("fly", manager, "OOM killed", `(?P<oom>Process appears to have been OOM killed)`),
	newRule("cloudrun", manager, "terminated on signal ", `Container terminated on signal (?P<signal>\d+)`),
	newRule("cloudrun", manager, "Uncaught signal: ", `Uncaught signal: (?P<signal>\d+), pid=`),
	newRule("cloudrun", manager, "Memory limit of ", `(?P<oom>Memory limit of .+ exceeded)`),
	newRule("render", manager, "xited with status ", `^(?:==> )?Exited with status (?P<code>\d+)`),
	newRule("spaces", manager, "Exit code: ", `^Exit code: (?P<code>\d+)\. Reason:`),
	newRule("lambda", manager, "Runtime exited with error: ", `Runtime exited with error: (?:signal: (?P<words>[a-z ]+)|exit status (?P<code>\d+))`),
	newRule("slurm", manager, "oom", `(?P<oom>(?:oom-kill event|oom_kill event))`),
	newRule("slurm", manager, "srun: error: ", `^srun: error: .*: (?:task \S+|tasks \S+): (?:Exited with exit code (?P<code>\d+)|(?P<words>[A-Z].*))`),

	// The kernel's own lines are evidence, too.
	newRule("kernel", manager, "Killed process ", `(?P<oom>[Oo]ut of memory|oom-kill|oom_reaper|Memory cgroup out of memory).*Killed process \d+ \((?:python|uvicorn|gunicorn|hypercorn|celery|granian|ray|fastapi|streamlit|vllm)[^)]*\)`).kept(),
	newRule("kernel", manager, "oom-kill:", `(?P<oom>oom-kill:).*task=(?:python|uvicorn|gunicorn|hypercorn|celery|granian|ray|fastapi|streamlit|vllm)`).kept(),
	newRule("kernel", manager, "killing", `(?P<oom>memorystatus: killing|low swap: killing).*[\[(](?:[Pp]ython|uvicorn|gunicorn|celery)`).kept(),
	newRule("kernel", manager, ": segfault at ", `(?:python|uvicorn|gunicorn|celery)[\w.-]*\[\d+\](?P<segv>: segfault at )`).kept(),

	// Editors, debuggers, tracers
	newRule("pycharm", shell, "Process finished with exit code ", `^Process finished with exit code (?P<code>-?\d+)(?: \(interrupted by signal (?P<signal>\d+)[:,]? ?(?P<name>SIG[A-Z]+)?\))?`),
	newRule("pycharm", shell, "interrupted by signal ", `(?P<code>\d+) \(interrupted by signal (?P<signal>\d+)[:,]? ?(?P<name>SIG[A-Z]+)?`),
	newRule("pycharm", shell, "进程已结束", `进程已结束[,，]\s*退出代码(?:为)?\s*(?P<code>-?\d+)`),
	newRule("vscode", shell, "The terminal process ", `The terminal process .*(?:terminated with|launch \() ?exit code: (?P<code>-?\d+)`),
	newRule("vscode", shell, "[Done] exited with code=", `\[Done\] exited with code=(?P<code>-?\d+)`),
	newRule("xcode", shell, "Program ended with exit code: ", `^Program ended with exit code: (?P<code>-?\d+)`),
	newRule("tmux", shell, "Pane is dead (", `Pane is dead \((?:status (?P<code>\d+)|signal (?P<signal>\w+))`),
	newRule("lldb", shell, " exited with status = ", `^Process \d+ exited with status = (?P<code>-?\d+) \(0x`),
	newRule("lldb", shell, "stop reason = signal ", `stop reason = signal `+signalName).kept(),
	newRule("lldb", shell, "stop reason = EXC_BAD_ACCESS", `(?P<segv>stop reason = EXC_BAD_ACCESS)`).kept(),
	newRule("gdb", shell, " with signal SIG", `^Program terminated with signal `+signalName).kept(),
	newRule("gdb", shell, "received signal SIG", `^(?:Program|Thread .*) received signal `+signalName).kept(),
	newRule("coredumpctl", shell, "Signal: ", `^Signal: (?P<signal>\d+) \([A-Z0-9]+\)$`).kept(),
	newRule("strace", shell, "+++ killed by SIG", `\+\+\+ killed by `+signalName+`(?P<core> \(core dumped\))? \+\+\+`),
	newRule("strace", shell, "+++ exited with ", `\+\+\+ exited with (?P<code>\d+) \+\+\+`),
	newRule("time", shell, "Command terminated by signal ", `^Command terminated by signal (?P<signal>\d+)`),
	newRule("time", shell, "non-zero status ", `^Command exited with non-zero status (?P<code>\d+)`),

	// Shells whose words are no sentence of the C library
	newRule("fish", shell, "terminated by signal SIG", `^fish: .*terminated by signal `+signalName),
	newRule("nushell", shell, "terminated by SIG", `^[│·╰─ ]*terminated by `+signalName+` \(-?\d+\)`),
	newRule("nushell", shell, "core dumped with SIG", `^[│·╰─ ]*(?P<core>core dumped) with `+signalName),
	newRule("nushell", shell, "exited with code ", `^[│·╰─ ]*╰── exited with code (?P<code>-?\d+)`),
	newRule("powershell", shell, "ended with non-zero exit code: ", `ended with non-zero exit code: (?P<code>-?\d+)`),
	newRule("elvish", shell, "Exception: ", `^Exception: .*(?:killed by signal (?P<words>[a-z ]+)|exited with (?P<code>\d+)$)`),

	// What runs commands for others: its number is its own where the program's is not passed on.
	newRule("github", wrapper, "completed with exit code ", `Process completed with exit code (?P<code>-?\d+)`),
	newRule("azure", wrapper, "##[error]", `^##\[error\].*(?:exited with code '?|exit code )(?P<code>-?\d+)`),
	newRule("gitlab", wrapper, "Job failed", `^(?:ERROR|WARNING): Job failed.*exit (?:code|status) (?P<code>\d+)`),
	newRule("circleci", wrapper, "Exited with code exit status ", `^Exited with code exit status (?P<code>\d+)`),
	newRule("travis", wrapper, "The command ", `^The command .* exited with (?:status )?(?P<code>\d+)\.?$`),
	newRule("buildkite", wrapper, "The command exited with status ", `The command exited with status (?P<code>-?\d+)`),
	newRule("jenkins", wrapper, "script returned exit code ", `script returned exit code (?P<code>\d+)`),
	newRule("npm", wrapper, "npm ", `^npm (?:ERR!|error) (?:errno|code|.*[Ee]xit status) (?P<code>\d+)$`),
	newRule("npm", wrapper, "npm ", `^npm (?:ERR!|error) signal `+signalName+`$`),
	newRule("npm", wrapper, "Command failed with ", `^(?:error |\[?ERR\w*\]? |ELIFECYCLE *)?Command failed with (?:exit code (?P<code>\d+)|signal "?`+signalName+`)`),
	newRule("bun", wrapper, "error: script ", `^error: script .* (?:exited with code (?P<code>\d+)|was terminated by signal `+signalName+`)`),
	newRule("just", wrapper, "error: Recipe ", "^error: Recipe .*(?:terminated.* by signal (?P<signal>\\d+)|failed.* with exit code (?P<code>\\d+))"),
	newRule("task", wrapper, "task: Failed to run task ", `exit status (?P<code>\d+)$`),
	newRule("make", wrapper, "***", `^\S*make(?:\[\d+\])?: \*\*\* \[[^\]]+\] (?P<words>.+)$`),
	newRule("make", wrapper, "***", `^\S*make(?:\[\d+\])?: \*\*\* \[[^\]]+\] \S+ (?P<code>\d+)$`),
	newRule("tox", wrapper, ": exit ", `^\S+: exit (?P<code>-?\d+) \([\d.]+ seconds\)`),
	newRule("nox", wrapper, "failed with exit code ", `^(?:nox > )?Command .* failed with exit code (?P<code>-?\d+)`),
	newRule("go", wrapper, "exit status ", `^(?:\S+: )?exit status (?P<code>\d+)$`),
	newRule("go", wrapper, "signal: ", `^(?:\S+: )?signal: (?P<words>[a-z ]+)(?P<core> \(core dumped\))?$`),
	newRule("rust", wrapper, "signal: ", `\bsignal: \d+ \(`+signalName+`\)(?P<core> \(core dumped\))?`),
	newRule("rust", wrapper, "exit status: ", `\bexit status: (?P<code>\d+)\)?$`),
	newRule("launcher", wrapper, "exited with code ", `^`+programs+` exited with code (?:(?P<code>-?\d+)|`+signalName+`)\.?$`),
	newRule("launcher", wrapper, " with ", `^(?i:\[?(?:the )?(?:process|program|script|command|server|app|application|service|kernel)(?: \S+)? (?:has |was )?(?:exited|ended|finished|terminated|stopped|crashed|died|failed|closed|killed)(?: unexpectedly)?(?: by| with)(?: an?)?(?: non-zero)?(?: exit)? ?(?:(?:code|status):? ?(?P<code>-?\d+)|signal:? ?(?P<signal>SIG[A-Z]+|\d+)))`),
	newRule("launcher", wrapper, " with ", `(?i:(?:python|backend|server|sidecar|api|child)(?: process)? (?:exited|terminated|closed|stopped|crashed|died|quit|ended)(?: unexpectedly)? with (?:exit )?(?:code|status)[ :=]+(?:null|(?P<code>-?\d+))(?:[,;]? *(?:and |\()?signal[ :=]+(?:null|'?)(?P<signal>SIG[A-Z]+)?)?)`),
}
