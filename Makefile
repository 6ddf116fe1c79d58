# Exameter. `make help` lists the targets. `make demo` and `make test` set up what they need.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# A Go that packaging/deps.sh had to fetch stands in .cache/go; a Go from 1.21 on may fetch the one go.mod names.
export PATH := $(CURDIR)/.cache/go/bin:$(PATH)
export GOTOOLCHAIN ?= auto
# go-nvml reaches the NVIDIA driver through cgo.
export CGO_ENABLED := 1
# It wraps functions that its own header calls deprecated. The rest is Go's default.
export CGO_CFLAGS ?= -O2 -g -Wno-deprecated-declarations
# Functions of a driver that is not there must not be looked for before they are called, as Ubuntu's compiler would have it.
export CGO_LDFLAGS ?= -O2 -g -Wl,-z,lazy

VERSION := $(shell packaging/version.sh)
GOBUILD := go build -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)'
PROGRAMS := exameter exameter-agent exameter-collector

GOFUMPT := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Packages whose tests hold a generated part of docs/ against the code.
GENERATED := ./telemetry ./agent/state ./agent/device/exporter ./cmd/... ./internal/manual

# What `make package` makes packages for, as in: make package PACKAGES=arm64.
PACKAGES ?= amd64 arm64
# Arguments of `make demo`, as in: make demo DEMO="--for 20s -o json".
DEMO ?=
# Arguments of `make bench-province`, as in: make bench-province PROVINCE="-hosts 15000 -only path".
PROVINCE ?=
# Arguments of `make bench-api`, as in: make bench-api API="-for 60s -realtime".
API ?=
# Arguments of `make bench-stream`, as in: make bench-stream STREAM="-watchers 1000 -query by=pool".
STREAM ?=
# How long `make chaos` and `make soak` run (20 is a good time for a soak), and the seed of chaos.
MINUTES ?= 5
SEED ?= 1
# What tests need beside the code: see the targets of these names.
TESTED := deps-test kafka mirror databases promtool grafana slurm nvmlsim browser boot
# What `make test-fresh` runs on its bare machine beside `make demo`: targets, or all for what continuous integration runs. And which Debian or
# Ubuntu that is, as in: make test-fresh FRESH_TESTS=all FRESH_SUITE=trixie.
FRESH_TESTS ?= check
FRESH_SUITE ?=
# Length of one fuzz target's run, and of one benchmark's.
FUZZTIME ?= 20s
# What make check gives each fuzz target beyond its corpus, and where it does not, because compiling them for it takes minutes: the tests of one hold answers
# against the API's document by libraries that are slow to compile so, and the command has nearly everything in it.
HUNT ?= 1000x
UNHUNTED := ./collector/feed/httpfeed/ ./cmd/exameter/
# How long make test lets hostile exporters serve what they like.
SERVEDTIME ?= 60s
BENCHTIME ?= 1s
# Seconds that make fuzz-api asks for.
APITIME ?= 60

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: deps ## Build the three programs into bin/
	@mkdir -p bin
	$(GOBUILD) -o bin/ $(PROGRAMS:%=./cmd/%)

.PHONY: cross
cross: deps-cross ## Build for arm64 (with NVML) and loong64 (without cgo) into bin/linux-*, and run that under qemu-user
	packaging/cross.sh $(VERSION)

.PHONY: package
package: deps-package ## Make packages, deb and rpm, into dist/: PACKAGES names the processors
	packaging/package.sh $(PACKAGES)

.PHONY: reproduce
reproduce: deps-package ## Make this commit's packages twice, in two places and with nothing shared that was compiled, and compare them
	packaging/reproduce.sh $(PACKAGES)

.PHONY: demo
demo: build ## Show a province on this machine, this machine in it; end it with Ctrl-C
	bin/exameter demo $(DEMO)

.PHONY: test
test: $(TESTED) ## Run all tests, with a real Kafka, real databases, a real Prometheus, a real browser, a simulated NVIDIA driver and a booted Debian, and fuzz exporters for a minute
	go test -timeout 30m ./...
	go test -run '^$$' -fuzz '^FuzzServed$$' -fuzztime $(SERVEDTIME) -fuzzminimizetime 1x ./agent/device/exporter

.PHONY: test-console
test-console: deps-test browser ## Look at the console with a real Chromium; pictures go to test/console/screenshots
	go test -count=1 -v ./test/console

.PHONY: test-boot
test-boot: deps-test nvmlsim boot ## Boot a Debian in a container, and install, start, reload, drain, upgrade and purge the packages there
	go test -count=1 -timeout 10m -v ./test/boot

.PHONY: test-fresh
test-fresh: deps-test ## Make a Debian that has nothing, and run make demo and FRESH_TESTS there, from a clean clone of what is committed (some ten minutes)
	FRESH_SUITE=$(FRESH_SUITE) test/fresh/run.sh $(FRESH_TESTS:all=check test)

.PHONY: race
race: $(TESTED) ## Run all tests under the race detector
	go test -race -timeout 60m ./...

.PHONY: check
check: deps format vet portable lint modules generated corpora hunt ## Check format, vet, other processors, lint, modules, generated files and imports, feed every parser its corpus and fuzz it a little

.PHONY: format
format: deps
	@echo gofumpt -l; \
	found=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 -r ls -d 2>/dev/null | xargs -r go run $(GOFUMPT) -l); \
	[ -z "$$found" ] || { echo "not formatted; run: go run $(GOFUMPT) -w" $$found; exit 1; }

.PHONY: vet
vet: deps
	go vet ./...

# Without cgo the agent and its tests compile for every processor that it runs on; `make cross` builds them with NVML.
.PHONY: portable
portable: deps
	@for arch in arm64 loong64; do \
		echo "go vet for linux/$$arch, without cgo"; \
		GOARCH=$$arch CGO_ENABLED=0 go vet ./agent/... ./catalog/... ./telemetry/... ./cmd/exameter-agent || exit 1; \
	done

.PHONY: lint
lint: deps
	go run $(STATICCHECK) ./...

.PHONY: modules
modules: deps
	go mod verify
	go mod tidy -diff
	go -C packaging/nfpm mod tidy -diff

.PHONY: generated
generated: deps
	go test -count=1 ./test/house ./dashboards/gen
	go test -count=1 -run 'Messages|Links|Attempts|Readme' ./test/guides
	go test -count=1 -run 'Docs|Wire' $(GENERATED)

# What fuzzing found before, and what every parser was given to begin with, is read again.
.PHONY: corpora
corpora: deps
	@grep -rl --exclude-dir=.cache --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | xargs go test -run '^Fuzz'

.PHONY: hunt
hunt: deps
	@$(MAKE) --no-print-directory fuzz FUZZTIME=$(HUNT) UNFUZZED='$(UNHUNTED)'

.PHONY: docs
docs: deps ## Write the generated parts of docs/ anew
	go test -count=1 -run 'Docs|Wire' $(GENERATED) -update

.PHONY: bench
bench: deps ## Time decode, encode, apply and fold per host record, with allocations
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./telemetry ./collector/... ./catalog ./agent/...

.PHONY: bench-agent
bench-agent: deps-package nvmlsim ## Measure the agent's memory and CPU beside node_exporter's (about two minutes)
	go run ./test/bench/agent

.PHONY: bench-province
bench-province: deps-test kafka ## Measure a province of 150,000 hosts from a real Kafka, beside peers (about ten minutes)
	test/bench/province/peers.sh
	@mkdir -p bin
	go build -o bin/bench-province ./test/bench/province
	bin/bench-province $(PROVINCE)

.PHONY: bench-api
bench-api: deps ## Ask a collector 1,000 times a second while 150,000 hosts report to it (about two minutes)
	@mkdir -p bin
	go build -o bin/bench-api ./test/bench/api
	bin/bench-api $(API)

.PHONY: bench-stream
bench-stream: deps ## Measure 10,000 watchers of one collector's stream (about a minute and a half)
	@mkdir -p bin
	go build -o bin/bench-stream ./test/bench/stream
	bin/bench-stream $(STREAM)

.PHONY: chaos
chaos: deps-test kafka nvmlsim ## Kill, stop and restart brokers, collectors and agents for MINUTES by the schedule of SEED, and hold every answer against the truth
	@mkdir -p bin
	go build -o bin/chaos ./test/chaos
	bin/chaos -minutes $(MINUTES) -seed $(SEED)

.PHONY: soak
soak: build nvmlsim ## Run a collector and an agent under load for MINUTES, and fail where either keeps growing
	@go build -o bin/soak ./test/soak
	bin/soak -for $(MINUTES)m

.PHONY: fuzz
fuzz: deps ## Fuzz every parser for FUZZTIME each
	@found=0; while IFS=: read -r file name; do \
		case "$$file" in $(UNFUZZED:%=%* |) '') continue;; esac; \
		name=$${name#func }; name=$${name%%(*}; found=$$((found + 1)); \
		echo "$$name in $$(dirname "$$file")"; \
		out=$$(go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$(dirname "$$file")" 2>&1) || { echo "$$out"; exit 1; }; \
		grep '^fuzz: elapsed' <<<"$$out" | tail -n 1; \
	done < <(grep -roE --exclude-dir=.cache --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+\(' . | sort); \
	[ $$found -gt 0 ] || { echo 'no fuzz targets'; exit 1; }

.PHONY: fuzz-api
fuzz-api: build ## Ask a demo's API what its own document allows and what it does not, by schemathesis, for APITIME seconds
	test/contract/fuzz.sh $(APITIME)

.PHONY: clean
clean: ## Remove what was built and fetched here
	@for made in .cache/boot .cache/fresh; do [ ! -d $$made ] || [ "$$(id -u)" = 0 ] || sudo -n rm -rf $$made; done
	rm -rf bin dist test/kafka/target test/kafka/mirror/target test/console/node_modules test/console/screenshots .cache
	$(MAKE) -C test/nvmlsim clean

# Set-up. Each checks first, and is quick where there is nothing to do.

.PHONY: deps
deps:
	@packaging/deps.sh build

.PHONY: deps-test
deps-test:
	@packaging/deps.sh test

.PHONY: deps-package
deps-package:
	@packaging/deps.sh package

.PHONY: deps-cross
deps-cross:
	@packaging/deps.sh cross

.PHONY: kafka
kafka: deps-test test/kafka/target/lib ## Fetch the Apache Kafka that the tests start

test/kafka/target/lib: test/kafka/pom.xml
	rm -rf $@
	mvn -q -B -f test/kafka/pom.xml dependency:copy-dependencies </dev/null
	@touch $@

.PHONY: mirror
mirror: deps-test test/kafka/mirror/target/lib ## Fetch the MirrorMaker 2 that the tests start

test/kafka/mirror/target/lib: test/kafka/mirror/pom.xml
	rm -rf $@
	mvn -q -B -f test/kafka/mirror/pom.xml dependency:copy-dependencies </dev/null
	@touch $@

.PHONY: databases
databases: ## Fetch the InfluxDB and the VictoriaMetrics that the tests write to
	@test/databases/fetch.sh

.PHONY: slurm
slurm: ## Fetch the Slurm that tests hand what is exported to
	@test/slurm/fetch.sh

.PHONY: browser
browser: deps-test test/console/node_modules/.package-lock.json ## Fetch what drives Chromium in the console's test

test/console/node_modules/.package-lock.json: test/console/package-lock.json
	cd test/console && npm ci --no-audit --no-fund --loglevel error </dev/null
	@touch $@

.PHONY: boot
boot: deps-test ## Make the Debian and the packages that the boot tests start
	@test/boot/prepare.sh

.PHONY: promtool
promtool: ## Fetch the Prometheus and the promtool that tests check rules, metrics and dashboards with
	@packaging/promtool.sh

.PHONY: grafana
grafana: deps-test ## Fetch the types that Grafana publishes of dashboards, and the compiler that checks them
	@packaging/grafana.sh

.PHONY: dashboards
dashboards: deps ## Write the Grafana dashboards in dashboards/grafana anew
	cd dashboards && go run ./gen

.PHONY: nvmlsim
nvmlsim: deps ## Build the simulated NVIDIA driver library
	$(MAKE) -C test/nvmlsim
