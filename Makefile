# Every check of the project is a target here; CI runs the same ones, by `make ci`.
# Go and make are all they need, save for interop, which says what it misses.

GO           ?= go
FUZZTIME     ?= 20s
LINT_VERSION := v2.12.2
LINTER       := bin/golangci-lint-$(LINT_VERSION)
PLATFORMS    := linux/arm64 linux/386 darwin/arm64 freebsd/amd64 windows/amd64

# The gates of `make ci`: the quick ones first, and the test suite last, so that
# its verdict is what the output ends with.
GATES := fmt-check vet tidy-check lint cross test-386 allocs bench-smoke demo fuzz interop browser metrics cluster cluster-proof \
	$(if $(wildcard bench/go.mod),bench-check bench-quick) attack chaos docs examples test

.PHONY: help ci test examples docs attack siege chaos soak outages cluster-proof cluster-soak test-386 allocs vet fmt-check lint tidy-check fuzz interop browser metrics cluster cross demo bench-smoke bench-check bench-quick bench bench-compare

help:
	@echo "make demo        a client that carries on while its server dies and comes back"
	@echo "make test        the whole suite, with the race detector"
	@echo "make examples    the tests of the example programs alone"
	@echo "make docs        the pages: their code is compiled and run, and their links lead somewhere"
	@echo "make attack      hostile peers, beside a server around package net; make siege takes longer, for figures"
	@echo "make chaos       a minute of faults; make soak makes it ten"
	@echo "make outages     resumable sessions through thousands of cuts, kills and stops, with figures"
	@echo "make cluster-proof  three nodes of a cluster that are killed, stopped, unplugged and cut off; as root. make cluster-soak takes forty minutes"
	@echo "make browser     web pages of the examples, in a headless Chromium"
	@echo "make metrics     packages prom and otelmetrics, with a real Prometheus server"
	@echo "make cluster     sessions of many nodes: the module cluster/, with the race detector"
	@echo "make ci          all gates: $(GATES)"
	@echo "make bench       the full comparison with other libraries, see bench/"
	@echo "make bench-compare BEFORE=/other/checkout   this checkout's speed and memory beside another one's"

ci:
	@for gate in $(GATES); do \
		echo "=== gate: $$gate"; \
		$(MAKE) --no-print-directory APART=examples $$gate || { echo "=== gate failed: $$gate" >&2; exit 1; }; \
	done
	@echo "=== all gates passed: $(GATES)"

# All, but in ci what is not tested apart: the examples have a gate of their own there.
test:
	@$(call suite,$(if $(APART),$$($(GO) list ./... | grep -v '/$(APART)'),./...))

# examples/chat/cluster is a module of its own, since it stands on cluster.
examples:
	@$(call suite,./examples/...)
	@$(call module,examples/chat/cluster)

# docs/code is a module of its own, since the pages show other libraries, too. What its tests do not run must
# not be shown.
docs:
	cd docs/code && $(GO) mod tidy -diff
	cd docs/code && $(GO) vet ./...
	@profile=$$(mktemp) && trap "rm -f $$profile" EXIT && cd docs/code && \
	$(call suite,-coverprofile=$$profile ./...) && $(GO) run ./internal/covered "$$profile"

# Without a C compiler there is no race detector. CI has one.
define suite
if command -v "$$($(GO) env CC)" >/dev/null; then \
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -count=1 -timeout 5m $(1); \
else \
	$(GO) test -shuffle=on -count=1 -timeout 5m $(1) && \
	echo "NOTE: tested WITHOUT the race detector: it needs a C compiler (install gcc)"; \
fi
endef

# What honest clients wait for under attack, and what memory and descriptors it takes. Without the race
# detector, which is slower and larger than what is to be measured; test has it, for a moment each.
attack:
	@$(call attack,300ms,1)

siege:
	@$(call attack,1s,5)

define attack
$(GO) test -v -count=1 -timeout 30m ./e2e/attack -attack $(1) -tries $(2)
endef

# Fifty sessions, a faulty proxy and a server that is killed, for a minute; test has it for five
# seconds. A failure names the seed that makes the same faults again, as far as time allows.
chaos:
	@$(call chaos,60s)

soak:
	@$(call chaos,10m)

# The race detector is used where there is a C compiler.
define chaos
race=; command -v "$$($(GO) env CC)" >/dev/null && race=-race; \
CGO_ENABLED=$${race:+1} $(GO) test $$race -v -count=1 -timeout 20m ./e2e/chaos -chaos $(1) $(CHAOSFLAGS)
endef

# Two thousand cuts, two hundred kills; test has a tenth of it.
outages:
	@race=; command -v "$$($(GO) env CC)" >/dev/null && race=-race; \
	CGO_ENABLED=$${race:+1} $(GO) test $$race -v -count=1 -timeout 20m ./e2e/resume -cuts 2000 -kills 200 -clients 20000

# Nodes of a cluster in network namespaces: two minutes, and forty for the soak. Without root, or where the
# kernel has no namespaces, the tests are skipped, and say why. Without the race detector, as 5,000 clients
# are there while nodes are started anew.
cluster-proof:
	cd cluster && $(GO) test -v -count=1 -timeout 10m ./proof

cluster-soak:
	cd cluster && $(GO) test -v -count=1 -timeout 60m ./proof -length 8m -clients 5000 -rounds 20 $(SOAKFLAGS)

# Where an int has 32 bits. An x86-64 Linux runs such programs as they are, unless its kernel was built without;
# elsewhere they are compiled by cross alone.
test-386: export GOARCH = 386
test-386: export CGO_ENABLED = 0
test-386:
	@if [ "$$(uname -s) $$(uname -m)" != "Linux x86_64" ]; then \
		echo "NOTE: 32 bit NOT tested: that takes Linux on x86-64"; exit; \
	fi; \
	case "$$($(GO) test -count=1 -run '^$$' ./codec 2>&1)" in *"exec format error"*) \
		echo "NOTE: 32 bit NOT tested: this kernel does not run such programs"; exit;; \
	esac; \
	$(GO) test -count=1 -timeout 5m ./...

# Without the race detector: it makes sync.Pool forget, and no payload's memory is used again. Much
# garbage collected often, to use it again as often.
allocs:
	$(GO) test -count=1 -run 'Alloc' ./codec ./session ./broadcast
	GOGC=10 $(GO) test -count=1 -shuffle=on ./session ./internal/recycle

vet:
	$(GO) vet ./...
	$(GO) vet -tags interop ./e2e

fmt-check:
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "not formatted by gofmt:" >&2; echo "$$files" >&2; exit 1; fi

tidy-check:
	$(GO) mod tidy -diff

# The cache is this checkout's own: golangci-lint tells what it knows of another one by that one's paths, and
# no longer sees a nolint there when it has gone.
lint: export GOLANGCI_LINT_CACHE = $(CURDIR)/bin/lint-cache
lint: $(LINTER)
	$(LINTER) run ./...
	cd bench && ../$(LINTER) run --disable depguard ./... # its imports are its own business
	cd e2e/browser && ../../$(LINTER) run --disable depguard ./... # so are its
	cd docs/code && ../../$(LINTER) run --disable depguard ./... # and those of the pages
	cd prom && ../$(LINTER) run --disable depguard ./...
	cd otelmetrics && ../$(LINTER) run --disable depguard ./...
	cd cluster && ../$(LINTER) run --disable depguard ./... # and those of cluster, which stands on NATS
	cd examples/chat/cluster && ../../../$(LINTER) run --disable depguard ./...

# The version is in the file's name, so another version never passes for this one.
$(LINTER):
	GOBIN="$(CURDIR)/bin" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

fuzz:
	@GO="$(GO)" .ci/fuzz $(FUZZTIME)

interop:
	@missing=; \
	command -v erl >/dev/null || missing="$$missing erlang-base"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	if [ -n "$$missing" ]; then \
		echo "interop: peers in other languages are missing; on Debian: apt-get install$$missing" >&2; exit 1; \
	fi
	@$(GO) test -tags interop -list Interop ./e2e | grep -q '^Test' || { echo "interop: no test is named Interop" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) test -tags interop -run Interop -race -count=1 -timeout 5m ./e2e

# e2e/browser is a module of its own, as bench is, for what drives the browser. With SCREENSHOTS=/a/directory
# it writes pictures of the pages there.
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v $$name >/dev/null && exit; \
	done; \
	echo "browser: there is no Chromium; on Debian: apt-get install --no-install-recommends chromium fonts-dejavu-core" >&2; exit 1
	cd e2e/browser && $(GO) mod tidy -diff
	cd e2e/browser && $(GO) vet ./...
	cd e2e/browser && $(GO) test -count=1 -timeout 10m ./... $(if $(SCREENSHOTS),-screenshot "$(abspath $(SCREENSHOTS))")

# prom and otelmetrics are modules of their own, for what they import. The test with a Prometheus server starts
# one of its own, at a free port, and is skipped by go test where there is none; here it is not.
metrics:
	@for program in prometheus promtool; do \
		command -v $$program >/dev/null || { \
			echo "metrics: there is no $$program; on Debian: apt-get install --no-install-recommends prometheus" >&2; exit 1; \
		}; \
	done
	@$(call module,prom)
	@$(call module,otelmetrics)
	cd prom && $(GO) test -run '^$$' -bench . -benchtime 1x ./...

# The race detector is used where there is a C compiler.
define module
set -e; cd $(1); race=; ! command -v "$$($(GO) env CC)" >/dev/null || race=-race; \
echo "--- $(1)"; $(GO) mod tidy -diff; $(GO) vet ./...; \
CGO_ENABLED=$${race:+1} $(GO) test $$race -shuffle=on -count=1 -timeout 5m ./...
endef

# cluster/ is a module of its own, for NATS. Each fuzz target runs for a moment. What three nodes in network
# namespaces go through is cluster-proof.
cluster:
	cd cluster && $(GO) mod tidy -diff
	cd cluster && $(GO) vet ./...
	cd cluster && GOOS=windows $(GO) vet ./... && GOARCH=386 CGO_ENABLED=0 $(GO) vet ./...
	@cd cluster && $(call suite,$$($(GO) list ./... | grep -v /proof))
	cd cluster && GO="$(GO)" ../.ci/fuzz 3s

cross:
	@set -e; for platform in $(PLATFORMS); do \
		echo "--- $$platform"; \
		export GOOS=$${platform%/*} GOARCH=$${platform#*/} CGO_ENABLED=0; \
		$(GO) build ./...; \
		$(GO) vet ./...; \
	done

demo:
	@echo "compiling, which takes a while the first time"
	$(GO) run ./examples/demo

# Benchmarks run once, so that they cannot rot.
bench-smoke:
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...

# bench/ is a module of its own, and checks itself.
bench-check:
	$(MAKE) -C bench tidy test

bench-quick:
	$(MAKE) -C bench quick

bench:
	$(MAKE) -C bench full

# A change measured: BEFORE is another checkout.
bench-compare:
	$(MAKE) -C bench compare BEFORE="$(abspath $(BEFORE))"
