package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/proc"
)

// tellScript is what a person would write: Python that reads the event and does something with it.
const tellScript = `#!/usr/bin/env python3
import json, os, sys
event = json.load(sys.stdin)
with open("told.jsonl", "a") as f:
    f.write(json.dumps({"event": event["event"], "kind": (event.get("verdict") or {}).get("kind"), "run": "VIVARIUM_RUN" in os.environ, "secret": "MY_TOKEN" in os.environ}) + "\n")
`

func (r *rig) script(name, text string) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o755))
}

func TestOnEventTellsARealScriptOfARealCrash(t *testing.T) {
	r := newRig(t)
	r.script("tell.py", tellScript)
	write(t, filepath.Join(r.dir, ".env"), "MY_TOKEN=secret\n")
	r.configure("[on_event]\ncommand = [\"./tell.py\"]\nevents = [\"crashed\", \"healthy\", \"stopped\"]")
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	r.get("/segv")
	f.row(supervisor.EventHealthy, 2)
	eventually(t, "it is told", func() bool {
		text, _ := os.ReadFile(filepath.Join(r.dir, "told.jsonl"))
		return strings.Count(string(text), "\n") == 3
	})
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	text, err := os.ReadFile(filepath.Join(r.dir, "told.jsonl"))
	require.NoError(t, err)
	var told []string
	for l := range strings.Lines(string(text)) {
		var e struct {
			Event, Kind string
			Run, Secret bool
		}
		require.NoError(t, json.Unmarshal([]byte(l), &e))
		require.False(t, e.Run || e.Secret, "the command is not the server")
		told = append(told, strings.TrimSuffix(e.Event+" "+e.Kind, " "))
	}
	require.Equal(t, []string{"healthy", "crashed segfault", "healthy", "stopped"}, told)
}

func TestACommandThatHangsCostsTheServerNothingAndEndsWithVivarium(t *testing.T) {
	r := newRig(t)
	r.script("tell.sh", "#!/bin/sh\necho $$ > hanging\nsleep 1000\n")
	r.configure("[on_event]\ncommand = [\"./tell.sh\"]\nevents = [\"started\", \"healthy\", \"crashed\"]\ntimeout = \"5m\"")
	f := r.run()
	f.row(supervisor.EventHealthy, 1)
	r.get("/segv")
	f.row(supervisor.EventHealthy, 2)
	text, code := r.do("status", "--json")
	require.Zero(t, code, text)
	var row control.Row
	require.NoError(t, json.Unmarshal([]byte(text), &row))
	require.Equal(t, "healthy", row.State)
	var written []byte
	eventually(t, "the command runs", func() bool {
		written, _ = os.ReadFile(filepath.Join(r.dir, "hanging"))
		return strings.HasSuffix(string(written), "\n")
	})
	pid, err := strconv.Atoi(strings.TrimSpace(string(written)))
	require.NoError(t, err)
	f.signal(syscall.SIGINT)
	f.ended(codeWell)
	eventually(t, "the command has ended", func() bool {
		p, err := proc.Find(pid)
		return err != nil || p.Zombie
	})
	require.True(t, r.free())
}
