package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const top = "../../.."

// workflow is what these tests look at in a file of .github/workflows. actionlint, which CI runs, sees to the rest.
type workflow struct {
	file, text  string
	On          map[string]any
	Permissions map[string]string
	Env         map[string]string
	Concurrency struct{ Group string }
	Jobs        map[string]job
}

type job struct {
	Permissions map[string]string
	Needs       string
	Uses        string
	Secrets     any
	Environment string
	Timeout     int `yaml:"timeout-minutes"`
	Env         map[string]string
	Container   struct{ Image string }
	Steps       []step
}

type step struct {
	Uses, Run, If string
	With          map[string]any
	Env           map[string]string
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, ".github/workflows/*.y*ml"))
	require.NoError(t, err)
	all := map[string]workflow{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		w := workflow{file: filepath.Base(file), text: string(text)}
		require.NoError(t, yaml.Unmarshal(text, &w), file)
		all[w.file] = w
	}
	require.Len(t, all, 2)
	return all
}

var (
	byHash    = regexp.MustCompile(`^[\w-]+/[\w/-]+@[0-9a-f]{40}$`)
	byVersion = regexp.MustCompile(`^[\w-]+/[\w/-]+@v\d+\.\d+\.\d+$`)
	usesLine  = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (\S+)(?: +# (v\d+\.\d+\.\d+))?$`)
)

func TestEveryActionIsPinned(t *testing.T) {
	pins := map[string]string{} // an action has one pin in all files
	for _, w := range workflows(t) {
		lines := usesLine.FindAllStringSubmatch(w.text, -1)
		require.Len(t, lines, strings.Count(w.text, "uses:"), "a line of %s has an odd form", w.file)
		for _, l := range lines {
			uses, version := l[1], l[2]
			if local, ok := strings.CutPrefix(uses, "./"); ok {
				require.FileExists(t, filepath.Join(top, local))
				continue
			}
			if !byVersion.MatchString(uses) {
				require.Regexp(t, byHash, uses)
				require.NotEmpty(t, version, "a comment says which version %s is", uses)
			}
			action, pin, _ := strings.Cut(uses, "@")
			if before, ok := pins[action]; ok {
				require.Equal(t, before, pin+version, action)
			}
			pins[action] = pin + version
		}
	}
	require.NotEmpty(t, pins)
}

func TestWhatIsFetchedByARunIsPinned(t *testing.T) {
	for _, w := range workflows(t) {
		for _, m := range regexp.MustCompile(`go (?:run|install) (\S+)`).FindAllStringSubmatch(w.text, -1) {
			if !strings.HasPrefix(m[1], "./") {
				require.Regexp(t, `@v\d+\.\d+\.\d+$`, m[1])
			}
		}
		require.NotRegexp(t, `@(latest|main|master)\b`, w.text)
		for name, j := range w.Jobs {
			if j.Container.Image != "" {
				require.Regexp(t, `:\d[\w.-]*(@sha256:[0-9a-f]{64})?$`, j.Container.Image, name)
			}
		}
	}
}

func TestAWorkflowMayDoNoMoreThanItNeeds(t *testing.T) {
	for _, w := range workflows(t) {
		for _, trigger := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
			require.NotContains(t, w.On, trigger, "%s: with it, strangers' code could come near a token that may write", w.file)
		}
		require.NotNil(t, w.Permissions, w.file)
		for what, may := range w.Permissions {
			require.Equal(t, "contents: read", what+": "+may, w.file)
		}
		for name, j := range w.Jobs {
			for what, may := range j.Permissions {
				if w.file == "release.yml" && name == "draft" {
					require.Equal(t, "contents: write", what+": "+may)
				} else {
					require.Equal(t, "contents: read", what+": "+may, name)
				}
			}
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") {
					require.Equal(t, false, s.With["persist-credentials"], "%s: the token would lie about in .git", name)
				}
			}
			if j.Uses == "" {
				require.Positive(t, j.Timeout, name)
			}
		}
	}
	release := workflows(t)["release.yml"]
	require.Empty(t, release.Permissions, "each job says what it needs")
	for name, j := range release.Jobs {
		require.NotNil(t, j.Permissions, name)
	}
}

// An expression in a script is pasted into it before the shell reads it: a branch may be called $(anything).
func TestNoScriptHasAnExpressionInIt(t *testing.T) {
	for _, w := range workflows(t) {
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				require.NotContains(t, s.Run, "${{", name)
			}
		}
	}
}

var secret = regexp.MustCompile(`secrets\.(\w+)`)

func TestSecretsReachTheStepsThatNeedThemAndNoOther(t *testing.T) {
	all := workflows(t)
	require.NotContains(t, all["ci.yml"].text, "secrets.", "what CI runs comes from anybody")
	release := all["release.yml"]
	require.Empty(t, release.Env)
	var used []string
	for name, j := range release.Jobs {
		require.Nil(t, j.Secrets, name)
		require.Empty(t, j.Env, name)
		for _, s := range j.Steps {
			for variable, value := range s.Env {
				for _, m := range secret.FindAllStringSubmatch(value, -1) {
					require.Equal(t, variable, m[1], "the scripts know a secret by its name")
					require.Equal(t, "app", name)
					require.Regexp(t, `^packaging/mac/release/|^identity=\$\(packaging/mac/release/`, s.Run)
					require.Empty(t, s.If, "a step whose secret is missing says so; it is not left out in silence")
					used = append(used, m[1])
				}
			}
		}
	}
	require.Equal(t, "release", release.Jobs["app"].Environment)
	require.Len(t, secret.FindAllString(release.text, -1), len(used), "a secret is used outside of a step's env")

	guide, err := os.ReadFile("RELEASING.md")
	require.NoError(t, err)
	var described []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| \\S").FindAllStringSubmatch(string(guide), -1) {
		described = append(described, m[1])
	}
	require.ElementsMatch(t, described, used, "RELEASING.md has another list of secrets")
}

func TestTheCertificateIsRemovedWhateverHappens(t *testing.T) {
	steps := workflows(t)["release.yml"].Jobs["app"].Steps
	at := func(part string) int {
		return slices.IndexFunc(steps, func(s step) bool { return strings.Contains(s.Run, part) })
	}
	require.Less(t, at("keychain.sh open"), at("release.sh"))
	require.Less(t, at("release.sh"), at("keychain.sh close"))
	require.Equal(t, "always()", steps[at("keychain.sh close")].If)
	for _, i := range []int{at("keychain.sh open"), at("release.sh"), at("keychain.sh close")} {
		require.Equal(t, steps[at("keychain.sh open")].Env["KEYCHAIN"], steps[i].Env["KEYCHAIN"])
	}
}

func TestAReleaseIsNeitherCancelledNorDraftedUnchecked(t *testing.T) {
	all := workflows(t)
	release := all["release.yml"]
	require.NotEqual(t, all["ci.yml"].Concurrency.Group, release.Concurrency.Group, "a workflow that calls another one of its own group cancels itself")
	require.NotContains(t, all["ci.yml"].Concurrency.Group, "github.workflow", "in a workflow that is called, this is the name of the caller")
	require.Contains(t, all["ci.yml"].On, "workflow_call")
	require.Equal(t, "ci", release.Jobs["app"].Needs)
	require.Equal(t, "app", release.Jobs["draft"].Needs)
	require.Equal(t, "./.github/workflows/ci.yml", release.Jobs["ci"].Uses)
}

func TestCIDoesOnLinuxWhatCanBeDoneAtHome(t *testing.T) {
	ci := workflows(t)["ci.yml"]
	require.True(t, slices.ContainsFunc(ci.Jobs["linux"].Steps, func(s step) bool { return s.Run == ".ci/run" }))
	home, err := os.ReadFile(filepath.Join(top, ".ci/run"))
	require.NoError(t, err)
	lint := ci.Jobs["workflows"].Steps[len(ci.Jobs["workflows"].Steps)-1].Run
	require.Contains(t, lint, "actionlint@v")
	require.Contains(t, string(home), lint, "the same version at home")
	for name, j := range ci.Jobs {
		if name == "workflows" {
			continue
		}
		for _, s := range j.Steps {
			if strings.HasPrefix(s.Uses, "actions/checkout@") {
				require.Equal(t, 0, s.With["fetch-depth"], "%s: without history there is no version", name)
			}
		}
	}
}

// targets are those of the Makefile and of what it includes.
func targets(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range []string{"Makefile", "packaging/mac/app.mk"} {
		text, err := os.ReadFile(filepath.Join(top, file))
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z -]*):`).FindAllStringSubmatch(string(text), -1) {
			all = append(all, strings.Fields(m[1])...)
		}
	}
	return all
}

func TestWhatTheWorkflowsAndTheGuideNameExists(t *testing.T) {
	guide, err := os.ReadFile("RELEASING.md")
	require.NoError(t, err)
	texts := map[string]string{"RELEASING.md": string(guide)}
	for _, w := range workflows(t) {
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				texts[w.file] += s.Run + "\n"
			}
		}
	}
	known := targets(t)
	for file, text := range texts {
		for _, m := range regexp.MustCompile(`(?m)(?:^|[\s(;`+"`"+`])make ([a-z-]+)`).FindAllStringSubmatch(text, -1) {
			require.Contains(t, append(known, "a"), m[1], file) // "make a keychain" is prose
		}
		for _, m := range regexp.MustCompile(`(?:packaging|\.ci|\.github)/[\w./-]*\w`).FindAllString(text, -1) {
			st, err := os.Stat(filepath.Join(top, m))
			require.NoError(t, err, file)
			if strings.HasSuffix(m, ".sh") || m == ".ci/run" {
				require.NotZero(t, st.Mode()&0o111, "%s cannot be run", m)
			}
		}
	}
	scripts, err := filepath.Glob("*.sh")
	require.NoError(t, err)
	for _, s := range scripts {
		require.Contains(t, texts["RELEASING.md"], "| `"+s+"` | ")
	}
	require.Contains(t, texts["ci.yml"], "make ")
}

// release.sh calls the bundle tool itself, because the targets that pack also build, and what was signed would be gone.
func TestTheBundleToolTakesWhatReleaseGivesIt(t *testing.T) {
	script, err := os.ReadFile("release.sh")
	require.NoError(t, err)
	makefile, err := os.ReadFile(filepath.Join(top, "packaging/mac/app.mk"))
	require.NoError(t, err)
	call := regexp.MustCompile(`go run \./packaging/mac/bundle (\w+)(.*)`).FindStringSubmatch(string(script))
	require.NotNil(t, call)
	require.Contains(t, string(makefile), "$(bundle) "+call[1]+" ")
	flags := regexp.MustCompile(` (-[a-z]+) `).FindAllStringSubmatch(call[2], -1)
	require.NotEmpty(t, flags)
	for _, f := range flags {
		require.Regexp(t, `bundle_flags\s*=.* `+f[1]+` `, string(makefile))
	}
}

func TestDependabotLooksAfterModulesAndActions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, ".github/dependabot.yml"))
	require.NoError(t, err)
	var d struct {
		Version int
		Updates []struct {
			Ecosystem string `yaml:"package-ecosystem"`
			Directory string
			Schedule  struct{ Interval string }
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &d))
	require.Equal(t, 2, d.Version)
	var looked []string
	for _, u := range d.Updates {
		looked = append(looked, u.Ecosystem)
		require.Equal(t, "/", u.Directory)
		require.Equal(t, "weekly", u.Schedule.Interval)
	}
	require.ElementsMatch(t, []string{"gomod", "github-actions"}, looked)
}

func TestEveryScriptIsOneForAnyShell(t *testing.T) {
	scripts, err := filepath.Glob("*.sh")
	require.NoError(t, err)
	for _, s := range scripts {
		text, err := os.ReadFile(s)
		require.NoError(t, err)
		require.Regexp(t, `^#!/bin/sh\n`, string(text), s)
		require.Regexp(t, `(?m)^set -eu$`, string(text), s)
		require.NotRegexp(t, `(?m)^\s*set -\w*x|sh -x`, string(text), "%s would print secrets", s)
		out, err := exec.Command("sh", "-n", s).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

func TestTheMacsAreOfBothKindsAndNeitherOldNorNewAlone(t *testing.T) {
	var w struct {
		Jobs map[string]struct {
			Strategy struct {
				Matrix struct {
					Include []struct{ Runner, Chip string }
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(workflows(t)["ci.yml"].text), &w))
	versions := map[string][]string{}
	for _, m := range w.Jobs["mac"].Strategy.Matrix.Include {
		name := regexp.MustCompile(`^macos-(\d+)(-intel)?$`).FindStringSubmatch(m.Runner)
		require.NotNil(t, name, m.Runner)
		require.Equal(t, name[2] == "-intel", m.Chip == "x86_64", m.Runner)
		versions[m.Chip] = append(versions[m.Chip], name[1])
	}
	for chip, all := range versions {
		slices.Sort(all)
		require.GreaterOrEqual(t, len(slices.Compact(all)), 2, chip)
	}
	require.Len(t, versions, 2)
}

// shells are the scripts of all steps. Those that are for any system are run here, dry: the tools are stand-ins, and a word that is
// misspelt is a command that is not there.
func TestEveryStepOfTheMacsRunsDry(t *testing.T) {
	ran := 0
	for name, w := range workflows(t) {
		for job, j := range w.Jobs {
			if job != "mac" && job != "app" && job != "bundle" {
				continue
			}
			for i, s := range j.Steps {
				if s.Run == "" {
					continue
				}
				r := dryRig(t)
				env := map[string]string{"CHIPS": "arm64", "GITHUB_REF_NAME": "v1.2.0", "GITHUB_ENV": filepath.Join(r.dir, "env"), "KEYCHAIN": "k"}
				for key, value := range env {
					r.env[key] = value
				}
				script := filepath.Join(r.dir, "step.sh")
				require.NoError(t, os.WriteFile(script, []byte("#!/bin/bash\nset -eo pipefail\n"+s.Run), 0o755))
				code := r.run(script)
				require.Zero(t, code, "%s, %s, step %d:\n%s\n%s%s", name, job, i, s.Run, r.out, r.err)
				require.NotContains(t, r.err, "not found", s.Run)
				ran++
			}
		}
	}
	require.Greater(t, ran, 12)
}

// dryRig is a checkout in which every tool and every script of ours is a stand-in that does nothing well.
func dryRig(t *testing.T) *rig {
	r := newRig(t)
	for _, tool := range []string{"make", "sw_vers"} {
		require.NoError(t, os.Symlink("stand-in", filepath.Join(r.dir, "bin", tool)))
	}
	for _, pattern := range []string{"*.sh", "../real/*.sh"} {
		scripts, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, s := range scripts {
			r.write(filepath.Join("packaging/mac/release", s), "#!/bin/sh\n[ $# -gt 0 ]\n", 0o755)
		}
	}
	for _, name := range []string{"-arm64.zip", ".zip"} {
		r.write("dist/Vivarium-1.2.0"+name, "", 0o644)
	}
	r.write("dist/SHA256SUMS", "", 0o644)
	r.write("dist/skipped.txt", "", 0o644)
	r.write("Library/Application Support/Vivarium/bin/x", "", 0o644)
	r.write("Library/Logs/DiagnosticReports/a.ips", "", 0o644)
	r.write("bin/shasum", "#!/bin/sh\n", 0o755)
	return r
}
