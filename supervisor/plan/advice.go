package plan

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-app/vivarium/supervisor/config"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
	"github.com/vivarium-app/vivarium/supervisor/openmp/cure"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
	"github.com/vivarium-app/vivarium/supervisor/servers"
)

// adviseOn warns of what the server can be started with, but not well.
func (p *Plan) adviseOn(c config.Config, o Options) {
	if process.HasReload(c.Command) {
		p.warn("--reload keeps the port open when the server below it dies, and then answers nobody: take it out of command in %s", config.FileName)
	}
	module, from := p.lacks(c)
	switch {
	case p.noEnvironment != "":
		p.Lacks = module
		p.warn("%s", p.noEnvironment)
	case module != "":
		p.Lacks = module
		install := p.Python.Install + " " + environment.Quote(from)
		if p.InstallAll != "" && slices.Contains(p.Declares, strings.SplitN(from, "[", 2)[0]) {
			install = p.InstallAll // everything that the project declares, at once
		}
		p.warn("%s seems not to be installed for %s: install it with `%s`", module, p.Python.Path, install)
	}
	if p.Python.Prefix != "" {
		if err := cure.Check(p.Python.Prefix); err != nil {
			p.warn("%v", err)
		}
	}
	program := p.Spec.Argv[0]
	if program == p.Python.Path {
		return
	}
	text, script := python.ScriptText(program)
	if !script {
		return
	}
	first, _, _ := strings.Cut(text, "\n")
	interpreter, _, _ := strings.Cut(strings.TrimSpace(first[2:]), " ")
	switch {
	case python.IsProgram(c.Command[0]):
		p.warn(`%s is a script, not an interpreter: write "{python}" in command`, program)
	case o.GOOS == "darwin" && slices.Contains([]string{"/bin/sh", "/bin/bash", "/bin/zsh", "/usr/bin/env"}, interpreter):
		p.warn(`macOS drops DYLD_INSERT_LIBRARIES on the way through %s, which %s starts with: write "{python}", "-m" and the module in command`, interpreter, program)
	}
}

// lacks is the server module of the command if the interpreter has it nowhere, and the package that brings it; else "". Where the
// packages are is not always to be known from the disk alone, so this is for a warning only.
func (p *Plan) lacks(c config.Config) (module, from string) {
	argv := p.Spec.Argv
	if p.Python.Path == "" || argv[0] != p.Python.Path || len(p.Python.Site) == 0 {
		return "", ""
	}
	i := slices.Index(argv, "-m")
	if i < 0 || i+1 >= len(argv) {
		return "", ""
	}
	row, _ := servers.ByCommand(argv)
	module, _, _ = strings.Cut(argv[i+1], ".")
	if row.Package == "" || !slices.ContainsFunc(row.Modules, func(m string) bool { return m == argv[i+1] }) {
		return "", "" // the backend's own, or a part of Python
	}
	folders := append([]string{c.Dir}, p.Python.Site...)
	for _, dir := range filepath.SplitList(python.Lookup(p.Spec.Env, "PYTHONPATH")) {
		folders = append(folders, absolute(c.Dir, dir))
	}
	for _, dir := range folders {
		for _, name := range []string{module, module + ".py"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return "", ""
			}
		}
	}
	return module, row.Package
}
