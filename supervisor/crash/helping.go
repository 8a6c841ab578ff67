package crash

import (
	"regexp"
	"strings"
)

// advised is what helps against an exception whose text has that form. "%s" in it is what the form's group holds.
type advised struct {
	hint   string // is in every such text
	form   func() *regexp.Regexp
	remedy string
}

// advisedFor are exceptions that come from outside of the code, or from what macOS does differently.
var advisedFor = []advised{
	{"pickle", pattern(`(?i)can't (?:get|pickle) (?:local object|attribute)|cannot pickle|can't get local object`),
		"What another process is given has to be importable: define it at the top level of a module, and hand over plain data."},
	{"bootstrapping phase", nil, "Put what starts the server below `if __name__ == \"__main__\":`, because macOS starts processes anew and imports the main module again."},
	{"unsupported operand type(s) for |:", pattern(`for \|: '(?:type|NoneType|ABCMeta|_?\w*GenericAlias)'|for \|: '[^']*' and '(?:type|NoneType)'`),
		"This code is written for Python 3.10 or later: make the environment anew with one."},
	{"Torch not compiled with CUDA enabled", nil, `There is no CUDA in this torch, as on any Mac: let it run on device "mps" or "cpu".`},
	{"Found no NVIDIA driver", nil, `There is no graphics card of NVIDIA here: let it run on device "mps" or "cpu".`},
	{"not currently implemented for the MPS device", nil, "Set PYTORCH_ENABLE_MPS_FALLBACK=1 in the server's environment: then the CPU does what Apple's graphics cannot; or upgrade torch."},
	{"Descriptors cannot be created directly", nil, "Upgrade the package whose _pb2 file this is, or go back to an older protobuf: `python -m pip install \"protobuf<3.21\"`."},
	{"event loop", pattern(`cannot be called from a running event loop|[Tt]his event loop is already running`), "An event loop runs already: await the coroutine there, instead of running it in another one."},
	{"unsupported version of sqlite3", nil, "This Python was built with an old SQLite: make the environment anew with a newer Python."},
	{"efused", pattern(`(?i)connection refused|Connect call failed|actively refused`), "What it connects to does not listen there: start that before this server, and check the address."},
	{"Failed to connect to Ollama", nil, "Start Ollama before this server, and check its address (OLLAMA_HOST)."},
	{"", pattern(`nodename nor servname|Name or service not known|NameResolutionError|Temporary failure in name resolution|getaddrinfo failed`), "A host's name was not found: check the name, the network and the VPN."},
	{"", pattern(`password authentication failed|InvalidPasswordError|Access denied for user|WRONGPASS|NOAUTH Authentication required`), "The database refuses the user or the password: check both in the server's environment."},
	{"", pattern(`relation "[^"]+" does not exist|no such table: \w+|Table '[^']+' doesn't exist`), "The database lacks a table: run the migrations first (`alembic upgrade head`, `python manage.py migrate`)."},
	{"database is locked", nil, "Another process writes into this SQLite file: let only one do so, or give the connection a longer timeout."},
	{"", pattern(`MetadataIncompleteBuffer|HeaderTooLarge|HeaderTooSmall|InvalidHeaderDeserialization|PytorchStreamReader failed|invalid load key|bad zip archive|incomplete metadata, file not fully covered`),
		"The model's file is damaged, or only a pointer of Git LFS: look at its size, and download it again."},
	{"No such file or directory: '", pattern(`No such file or directory: '(ffmpeg|ffprobe|git|node|npm|npx|tesseract|pdftotext|pdftoppm|pandoc|soffice|libreoffice|espeak|espeak-ng|sox|ollama|docker|wkhtmltopdf|chromedriver|nvcc|nvidia-smi|magick|convert|gs|java|unzip|curl|wget)'`),
		"The program %s is not installed, or not on PATH: `brew install %s`, or the system's package of that name."},
	{"libmagic", nil, "Install the library: `brew install libmagic`, or `sudo apt-get install libmagic1`."},
	{"has been moved to the `pydantic-settings` package", nil, "Install pydantic-settings and import it from there: `python -m pip install pydantic-settings`."},
	{"to be installed", pattern(`requires? ["'` + "`" + `]?([a-z][\w.-]+)["'` + "`" + `]? to be installed`), "Install it: `python -m pip install %s`."},
	{"Couldn't import Django", nil, "Django is not in this environment: activate the one that has it, or install it with `python -m pip install django`."},
	{"setting must not be empty", pattern(`The ([A-Z_]+) setting must not be empty`), "Set %s in the server's environment, or wherever the settings read it from."},
	{"environment variable", pattern(`setting the ([A-Z][A-Z0-9_]{2,}) environment variable`), "Set %s in the server's environment or its .env file."},
	{"since it has the same name as the", pattern(`consider renaming '([^']+)' since it has the same name`), "Rename your file %s: it hides the module of that name."},
	{"partially initialized module", pattern(`partially initialized module '([\w.]+)' has no attribute`), "A file of yours has the name %s, which hides the module of that name; or two modules import each other."},
}

// adviceOn is what helps against an exception, "" where nothing is known.
func adviceOn(text string) string {
	for _, a := range advisedFor {
		if !strings.Contains(text, a.hint) {
			continue
		}
		group := ""
		if a.form != nil {
			m := a.form().FindStringSubmatch(text)
			if m == nil {
				continue
			}
			if len(m) > 1 {
				group = m[1]
			}
		}
		return strings.ReplaceAll(a.remedy, "%s", group)
	}
	return ""
}
