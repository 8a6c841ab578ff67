package crash

import (
	"regexp"
	"strings"
)

// A remedy fits where the evidence comes from: a log that Vivarium never ran has no vivarium.toml.

// set is how a variable is given to the server.
func (s *scene) set(name, value string) string {
	if s.Foreign {
		return "Set " + name + "=" + value + " in the server's environment"
	}
	return "Set " + name + ` = "` + value + `" under [environment] in vivarium.toml`
}

func (s *scene) anotherPort() string {
	if s.Foreign {
		return "let the server listen on another port"
	}
	return "set another port in vivarium.toml"
}

func (s *scene) theCommand() string {
	if s.Foreign {
		return "the command"
	}
	return "the command in vivarium.toml"
}

func (s *scene) theFolder() string {
	if s.Foreign {
		return "the folder in which the server is started"
	}
	return "the backend's folder"
}

// settingOf is a line that gives a variable to a process: a shell's, a file's, or Python's. Advice to do so is none.
var settingOf = regexp.MustCompile(`(?:^|[\s;$%#"'])(?:export\s+|set -gx\s+|setenv\s+|ENV\s+|Environment=)?["']?([A-Z][A-Z0-9_]{3,})["']?(?:=|\s+|\]\s*=\s*|\s*:\s*)["']?([\w.,/:-]+)`)

// alreadySet: the output shows that the variable had been set when the process started.
func (s *scene) alreadySet(name string) bool {
	readings := []*reading{s.reading}
	if s.before != nil {
		readings = append(readings, s.before)
	}
	for _, r := range readings {
		if !strings.Contains(r.text, name) {
			continue
		}
		for _, l := range r.lines {
			at := strings.Index(l, name)
			if at < 0 || len(l) > 300 || strings.Contains(l, "OMP: ") || advice.MatchString(l[:at]) {
				continue
			}
			if m := settingOf.FindStringSubmatch(l[max(0, at-12):]); m != nil && m[1] == name {
				return true
			}
		}
	}
	return false
}

var advice = regexp.MustCompile(`(?i)\b(?:use|try|set the|setting|please|can|could|may|might|should|tip|hint|if)\b`)

// pydantic's errors: a line for each field that is wrong, with what is wrong on the next.
var (
	fieldErrors = pattern(`^(?:[\w.]+\.)?ValidationError: \d+ validation errors? for (\S+)`)
	fieldName   = pattern(`^([A-Za-z_][\w.\[\]-]*(?: -> [\w.]+)*)$`)
	fieldWrong  = pattern(`^\s+(.+?)\s*[\[(]type=([\w.]+)`)
)

// invalidFields are the fields that pydantic complains of, each with what is wrong. Their values are left out: they may be secrets.
func invalidFields(text string) []string {
	if !strings.Contains(text, "validation error") || fieldErrors().FindStringSubmatch(text) == nil {
		return nil
	}
	var fields []string
	lines := strings.Split(text, "\n")
	for i := 1; i+1 < len(lines) && len(fields) < 8; i++ {
		name, wrong := fieldName().FindStringSubmatch(lines[i]), fieldWrong().FindStringSubmatch(lines[i+1])
		if name == nil || wrong == nil {
			continue
		}
		what, _, _ := strings.Cut(wrong[1], ", input")
		fields = append(fields, name[1]+" ("+strings.ToLower(what[:1])+what[1:]+")")
	}
	return fields
}

// askedFor is what an exception's text asks a person to do, "" if it asks for nothing that is known.
func askedFor(text string) string {
	if m := fieldErrors().FindStringSubmatch(text); m != nil {
		var missing []string
		for _, f := range invalidFields(text) {
			if name, what, _ := strings.Cut(f, " ("); strings.Contains(what, "required") {
				missing = append(missing, strings.ToUpper(name))
			}
		}
		if len(missing) > 0 && strings.Contains(m[1], "etting") || strings.Contains(m[1], "onfig") && len(missing) > 0 {
			return "Set " + strings.Join(missing, " and ") + " in the environment or in the .env file that " + m[1] + " reads."
		}
	}
	if variable := missingVariable().FindStringSubmatch(text); variable != nil {
		return "Set " + variable[1] + " in the server's environment or its .env file."
	}
	switch {
	case strings.Contains(text, "GatedRepoError") || strings.Contains(text, "Access to model") && strings.Contains(text, "restricted"):
		return "The model's page at huggingface.co asks for your consent: give it there, and log in with `hf auth login`."
	case strings.Contains(text, "CERTIFICATE_VERIFY_FAILED"):
		return "The certificate of the other side is not trusted: behind a company's proxy name its certificate with SSL_CERT_FILE and REQUESTS_CA_BUNDLE."
	case strings.Contains(text, "huggingface.co") && connecting().MatchString(text):
		return "The model is not on this computer yet, and huggingface.co could not be reached: check the network and its proxy, or download the model first and set HF_HUB_OFFLINE=1."
	case strings.Contains(text, "CUDA error: "):
		return cudaRemedy(text)
	case strings.Contains(text, "Cannot re-initialize CUDA in forked subprocess"):
		return `Start processes anew instead of forking: multiprocessing.set_start_method("spawn") at the top of your main module.`
	}
	return adviceOn(text)
}

// oldNumPy is what to do about code that asks NumPy for what it has no more, "" if that is not it.
func (s *scene) oldNumPy(i int, text string) string {
	m := goneFromNumPy().FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	older := `"numpy<2"`
	if m[1] != "" {
		older = `"numpy<1.24"`
	}
	who := "the package that asks for it"
	if asks := s.importer(i); asks != "" && asks != "numpy" {
		who = asks + ", which asks for it: " + s.pip("--upgrade "+distribution(asks))
	}
	return "NumPy has that no more. Upgrade " + who + "; or go back to the older NumPy: " + s.pip(older) + "."
}

// modelUnread is what an engine said above of a model that it could not load, "" if it said nothing.
func (s *scene) modelUnread(i int, text string) string {
	if !strings.Contains(strings.ToLower(text), "failed to load model") {
		return ""
	}
	for n := i - 1; n >= max(0, i-40); n-- {
		if _, said, ok := strings.Cut(s.lines[n], "error loading model: "); ok {
			return said
		}
	}
	return ""
}

var (
	goneFromNumPy   = pattern("`np\\.\\w+` was removed in the NumPy 2|module 'numpy' has no attribute '(float|int|bool|object|str|complex|long)'")
	missingVariable = pattern(`(?i:environment variable)s? ['"` + "`" + `]?([A-Z][A-Z0-9_]{2,})['"` + "`" + `]? (?i:is |was )?(?i:not|missing|required|undefined|unset)`)
	missingKey      = pattern(`^KeyError: '([A-Z][A-Z0-9_]{2,})'$`)
	connecting      = pattern(`SSL|[Cc]onnect|Max retries|timed out|resolve|offline|Couldn't`)
)
