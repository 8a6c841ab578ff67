# The Mac app, built on a Mac with the system's tools and elsewhere with zig, which is fetched from PyPI into .cache.
# The Makefile includes this file; it uses `version`, `os` and the target `go` from there. GNU make 3.81.

zig_version := $(shell sed -n 's/^ziglang==\([^ ]*\).*/\1/p' packaging/mac/darwin/zig.txt)
zig         := .cache/zig-$(zig_version)/ziglang/zig
commits      = $(shell git rev-list --count HEAD 2>/dev/null || echo 0)
date         = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
bundle       = go run ./packaging/mac/bundle
arch        ?= universal
bundle_flags = -o dist -arch '$(arch)' -version '$(version)' -commits '$(commits)' -date '$(date)' $(if $(identity),-identity '$(identity)') $(app_zig)

ifneq ($(os),Darwin)
app_zig   := -zig $(zig) -cache .cache/zig-cache
app_needs := $(zig)
endif

.PHONY: app dmg zip app-check app-vet app-test

# identity='Developer ID Application: …' signs with a certificate, on a Mac; otherwise ad hoc. arch=arm64 makes dist/arm64/Vivarium.app.
app: $(app_needs) | go
	@$(bundle) app $(bundle_flags)

# Both make all there is to publish: zips, on a Mac disk images, the list of modules, checksums.
dmg zip: app
	@$(bundle) pack $(bundle_flags)

app-check: | go
	@$(bundle) check -arch '$(arch)' $(if $(filter universal,$(arch)),dist,dist/$(arch))/Vivarium.app

# go vet of the code behind cgo, as a Mac compiles it, and the compiler's warnings about our Objective-C.
app-vet: $(app_needs) | go
	@ZIG='$(abspath $(app_needs))' $(test) -count=1 -tags app -run 'Vet|ObjectiveC' ./packaging/mac/bundle

# Builds the app twice, from two places, and compares every byte; takes minutes.
app-test: $(app_needs) | go
	@ZIG='$(abspath $(app_needs))' $(test) -stream -count=1 -timeout 40m -tags app ./packaging/mac/bundle/...

$(zig): packaging/mac/darwin/zig.txt
	@command -v python3 >/dev/null || { echo 'zig is fetched with pip: install python3 and python3-pip'; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { echo 'zig is fetched with pip: install python3-pip'; exit 1; }
	@rm -rf .cache/zig-$(zig_version)
	PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
		--target .cache/zig-$(zig_version) --requirement packaging/mac/darwin/zig.txt
	@touch $@
