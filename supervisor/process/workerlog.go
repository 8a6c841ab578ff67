package process

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Servers with workers write a line when one of them is gone. Their words differ, their shape does not: who, which process, what happened.
var (
	workerEnd = regexp.MustCompile(`(?i)\b(?:worker|child process|process)\b[^\[(:/]{0,40}[\s\[(]*(?:pid:?\s*)?[\[(]?\b(\d{2,10})\b[\])]?[^\w/]{0,3}(?:\s*(?:was|has|is))?\s*(died|crashed|killed|terminated by|sent (?:SIG[A-Z]+|signal \d+|code [1-9]\d*)|exited (?:unexpectedly|with (?:code|exit code|status|'?signal|'?exitcode)\s*:?\s*(-?\d*)))`)
	workerBye = regexp.MustCompile(`(?i)\b(?:worker exiting|terminated child process|stopping (?:worker|child process)|autorestarting worker)\b[^\d\n]{0,12}(\d{2,10})`)
)

// longestWorkerLine is how much of a line is looked at.
const longestWorkerLine = 400

// DeadWorkers are the PIDs of workers whose death the lines tell of, in order, each once.
func DeadWorkers(lines []string) []int {
	var dead []int
	for _, line := range lines {
		if pid, ok := deadWorker(line); ok && !slices.Contains(dead, pid) {
			dead = append(dead, pid)
		}
	}
	return dead
}

func deadWorker(line string) (pid int, ok bool) {
	if len(line) > longestWorkerLine {
		line = line[:longestWorkerLine]
	}
	if !strings.Contains(line, "orker") && !strings.Contains(line, "rocess") { // most lines, and this is cheap
		return 0, false
	}
	m := workerEnd.FindStringSubmatch(line)
	if m == nil || m[3] == "0" { // in good order
		return 0, false
	}
	pid, err := strconv.Atoi(m[1])
	return pid, err == nil && pid > 1
}

// LeftInOrder says whether the lines tell that this worker was told to go, or went when its work was done, and nothing of a death.
func LeftInOrder(lines []string, pid int) bool {
	left := false
	for _, line := range lines {
		if len(line) > longestWorkerLine {
			line = line[:longestWorkerLine]
		}
		if dead, ok := deadWorker(line); ok && dead == pid {
			return false
		}
		if m := workerBye.FindStringSubmatch(line); m != nil && m[1] == strconv.Itoa(pid) {
			left = true
		}
	}
	return left
}
