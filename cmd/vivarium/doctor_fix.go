package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/control"
	"github.com/vivarium-app/vivarium/app/setup"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/openmp"
	"github.com/vivarium-app/vivarium/supervisor/openmp/cure"
	"github.com/vivarium-app/vivarium/supervisor/process"
	"github.com/vivarium-app/vivarium/supervisor/python"
)

// cureOptions are doctor's flags that change something.
type cureOptions struct{ fix, undo, dry, yes, asJSON bool }

func (o *cureOptions) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.fix, "fix", false, "make one OpenMP runtime of many: the other copies become links to it")
	cmd.Flags().BoolVar(&o.undo, "undo", false, "take that back: every copy is restored to the byte")
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "with --fix: say what would be done, and do nothing")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "with --fix or --undo: do not ask")
}

// wanted says whether one of them was given; an error is a combination that makes no sense.
func (o *cureOptions) wanted() (bool, error) {
	switch {
	case o.fix && o.undo:
		return false, usage("either --fix or --undo")
	case o.dry && !o.fix:
		return false, usage("--dry-run goes with --fix")
	case o.yes && !o.fix && !o.undo:
		return false, usage("--yes goes with --fix or --undo")
	}
	return o.fix || o.undo, nil
}

// cureRow is what programs are told of a cure.
type cureRow struct {
	V        int      `json:"v"`
	Action   string   `json:"action"` // fix, undo
	Done     bool     `json:"done"`   // something was changed
	Root     string   `json:"root"`
	Problem  string   `json:"problem,omitempty"` // why not
	Remedy   string   `json:"remedy,omitempty"`
	Keep     string   `json:"keep,omitempty"` // the file that stays
	Why      string   `json:"why,omitempty"`
	Links    []string `json:"links,omitempty"`    // what becomes, or became, a link
	Pending  []string `json:"pending,omitempty"`  // what else fix does, or did: an earlier cure is brought up to date
	Static   []string `json:"static,omitempty"`   // runtimes inside other files: they stay
	Restored []string `json:"restored,omitempty"` // undo: what is back
	Newer    []string `json:"newer,omitempty"`    // undo: what pip has replaced meanwhile, left as it is
	Left     []string `json:"left,omitempty"`     // undo: files in the cure's folder that no cure has put there
}

// cure is doctor --fix and doctor --undo on the backend in dir.
func (h home) cure(ctx context.Context, c console, dir string, o cureOptions) error {
	_, plan, err := setup.Planned(dir, true)
	if err != nil {
		return err
	}
	if plan.Python.Prefix == "" {
		return &codeError{codeFailed, errors.New("no Python environment was found for this backend")}
	}
	row := cureRow{V: control.RowVersion, Action: "fix", Root: plan.Python.Prefix}
	if o.undo {
		row.Action = "undo"
		err = h.undo(ctx, c, dir, &row, o)
	} else {
		err = h.fix(ctx, c, dir, plan.Python, &row, o)
	}
	var why *cure.Error
	if errors.As(err, &why) {
		row.Problem, row.Remedy = why.Problem, why.Remedy
		err = &codeError{code: codeFailed}
		if !o.asJSON {
			fmt.Fprintf(c.err, "vivarium: nothing was changed: %s\n", words.Plain(why.Error()))
		}
	}
	if o.asJSON {
		var coded *codeError
		if err != nil && !errors.As(err, &coded) {
			return err
		}
		return errors.Join(printJSON(c.out, row), err)
	}
	return err
}

func (h home) fix(ctx context.Context, c console, dir string, python python.Interpreter, row *cureRow, o cureOptions) error {
	env, err := openmp.Scan(ctx, python.Prefix, python.Site, nil)
	if err != nil {
		return err
	}
	steps, err := cure.Of(env, openmp.DiskSymbols{})
	if err != nil {
		return err
	}
	row.Keep, row.Why = steps.Keep.Path, steps.Why
	for _, l := range steps.Links {
		row.Links = append(row.Links, l.Path)
	}
	for _, r := range steps.Static {
		row.Static = append(row.Static, r.Path)
	}
	if row.Pending, err = steps.Pending(); err != nil {
		return err
	}
	if !o.asJSON {
		tellCure(c.out, steps, row.Pending)
	}
	if o.dry || len(steps.Links) == 0 && len(row.Pending) == 0 {
		return nil
	}
	if err := steps.Changeable(os.Getuid()); err != nil {
		return err
	}
	files, _ := cure.Cured(steps.Root) // an error: there was no earlier cure
	files = append(files, row.Links...)
	if steps.Keep.Real != "" {
		files = append(files, steps.Keep.Real)
	}
	if err := h.unused(ctx, dir, files); err != nil {
		return err
	}
	if err := agreed(c, o, "Do this?"); err != nil {
		return err
	}
	if err := steps.Apply(); err != nil {
		return fmt.Errorf("%w; “vivarium doctor --undo” takes back what was done", err)
	}
	row.Done = true
	if !o.asJSON {
		fmt.Fprintln(c.out, "Done. “vivarium doctor --undo” takes it back, to the byte.")
	}
	return nil
}

func tellCure(w io.Writer, steps cure.Plan, pending []string) {
	if len(steps.Links) == 0 {
		fmt.Fprintln(w, "There is nothing to cure: no two copies of LLVM's or Intel's OpenMP are in this environment.")
	} else {
		tellLinks(w, steps)
	}
	if len(pending) > 0 {
		fmt.Fprintln(w, "What an earlier cure has left is not up to date. This would be done:")
	}
	for _, line := range pending {
		fmt.Fprintf(w, "  %s\n", words.Plain(line))
	}
}

func tellLinks(w io.Writer, steps cure.Plan) {
	short := func(path string) string {
		if rel, err := filepath.Rel(steps.Root, path); err == nil && filepath.IsLocal(rel) {
			return words.Plain(rel)
		}
		return words.Plain(path)
	}
	fmt.Fprintf(w, "In %s\n  kept    %s%s: %s\n", words.Plain(steps.Root), short(steps.Keep.Path), of(steps.Keep.Package, steps.Keep.PackageVersion), steps.Why)
	for _, l := range steps.Links {
		fmt.Fprintf(w, "  linked  %s%s -> %s\n", short(l.Path), of(l.Package, ""), words.Plain(l.Target))
	}
	for _, r := range steps.Static {
		fmt.Fprintf(w, "  stays   %s%s: the runtime is part of this file; if crashes go on, upgrade the package or set OMP_NUM_THREADS = \"1\" under [environment]\n", short(r.Path), of(r.Package, r.PackageVersion))
	}
}

func of(name, version string) string {
	if name == "" {
		return ""
	}
	return " (" + words.Plain(strings.TrimSpace(name+" "+version)) + ")"
}

func (h home) undo(ctx context.Context, c console, dir string, row *cureRow, o cureOptions) error {
	used, err := cure.Cured(row.Root)
	if err != nil {
		return err
	}
	if err := h.unused(ctx, dir, used); err != nil {
		return err
	}
	if !o.asJSON {
		tellUndo(c.out, row.Root, used)
	}
	if err := agreed(c, o, "Give every package its own copy of OpenMP back?"); err != nil {
		return err
	}
	done, err := cure.Undo(row.Root)
	if err != nil {
		return err
	}
	row.Done, row.Restored, row.Newer, row.Left = true, done.Restored, done.Newer, done.Left
	if o.asJSON {
		return nil
	}
	for _, path := range done.Restored {
		fmt.Fprintf(c.out, "  restored  %s\n", words.Plain(path))
	}
	for _, path := range done.Newer {
		fmt.Fprintf(c.out, "  left      %s: a newer one than the original is there\n", words.Plain(path))
	}
	for _, path := range done.Left {
		fmt.Fprintf(c.out, "  left      %s: no cure has put it there\n", words.Plain(path))
	}
	return nil
}

// tellUndo says what an undo is about: the first of the files is the one that stays.
func tellUndo(w io.Writer, root string, files []string) {
	fmt.Fprintf(w, "In %s\n", words.Plain(root))
	for _, path := range files[min(1, len(files)):] {
		if rel, err := filepath.Rel(root, path); err == nil {
			path = rel
		}
		fmt.Fprintf(w, "  restore   %s, unless a newer one is there\n", words.Plain(path))
	}
}

// unused: the server does not run, and nobody else has one of the files loaded.
func (h home) unused(ctx context.Context, dir string, files []string) error {
	if row, err := h.look(ctx, dir); err == nil && running(row) {
		return &cure.Error{Problem: fmt.Sprintf("the server runs (PID %d)", row.PID), Remedy: "stop it first with `vivarium stop`"}
	}
	if len(files) == 0 {
		return nil
	}
	users, err := process.UsersOf(files)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return &cure.Error{Problem: fmt.Sprintf("%s (PID %d) has one of the files loaded", users[0].Name, users[0].PID), Remedy: "end it first"}
	}
	return nil
}

// agreed asks, unless that was settled by --yes.
func agreed(c console, o cureOptions, question string) error {
	if o.yes {
		return nil
	}
	if o.asJSON || !isTerminal(c.in) || !isTerminal(c.out) {
		return usage("there is nobody to ask here: say --yes, or --dry-run to see the plan")
	}
	if !yes(c, bufio.NewReader(c.in), question) {
		return &codeError{codeFailed, errors.New("nothing was changed")}
	}
	return nil
}
