# Copyright The Latchkey Authors.
# SPDX-License-Identifier: Apache-2.0

# Everything that is done with this repository. `make` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# What a caller may set.
REPLICAS ?= 1
WIPE ?=
PACKAGES ?= ./...
TESTFLAGS ?=
E2EFLAGS ?=
BENCH ?= .
FUZZTIME ?= 30s
REQUESTS ?= 600
OBJECTS ?= 2000
JSON ?=
DURATION ?= 30m
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE ?= ghcr.io/latchkey-dev/latchkey:v0.1.0-dev
PLATFORMS ?= linux/amd64,linux/arm64
VULNDB ?= https://vuln.go.dev

GOBUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false
TOOLS := bin/tools
PLUGIN := cmd/kubectl-latchkey
CONTROLLER_GEN := $(TOOLS)/controller-gen
GOLANGCI_LINT := $(TOOLS)/golangci-lint
HELM := $(TOOLS)/helm
KUBE_SCORE := $(TOOLS)/kube-score
GOVULNCHECK := $(TOOLS)/govulncheck
CODER := $(TOOLS)/coder

##@ Start

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make <target> [NAME=value ...]" } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: quickstart
quickstart: controlplane build ## Show Latchkey at work on this machine: start an API server, apply the samples, show the result.
	go run ./hack/localstack quickstart

.PHONY: up
up: controlplane build ## Start the local stack, or update it. REPLICAS=1 servers.
	go run ./hack/localstack up --replicas $(REPLICAS)

.PHONY: down
down: ## Stop the local stack. WIPE=true also removes its data.
	go run ./hack/localstack down $(if $(WIPE),--wipe)

##@ Build

.PHONY: build
build: ## Build the commands of cmd/ into bin/.
	$(GOBUILD) -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/...
	cd $(PLUGIN) && $(GOBUILD) -ldflags '-s -w -X main.version=$(VERSION)' -o $(CURDIR)/bin/kubectl-latchkey .

.PHONY: image
image: ## Build the container image IMAGE= for PLATFORMS= into dist/: an OCI layout, a tar for ctr, SBOMs, provenance. No Docker.
	go -C hack/image run . --source $(CURDIR) --output $(CURDIR)/dist --tag $(IMAGE) --version $(VERSION) --platform $(PLATFORMS)

.PHONY: dist
dist: ## Build the plugin for people to download into dist/: archives for linux, darwin and windows, SHA256SUMS, a manifest for krew.
	go run ./hack/dist --output dist --version $(VERSION)

.PHONY: controlplane
controlplane: ## Build etcd, kube-apiserver and kubectl into bin/k8s, once.
	hack/controlplane/build.sh

.PHONY: tools
tools: $(CONTROLLER_GEN) $(GOLANGCI_LINT) $(HELM) $(KUBE_SCORE) ## Build the pinned tools into bin/tools, once.

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Write everything that is generated: code, CRDs, pages and the chart's copies.
	rm -f config/crd/bases/*.yaml
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt crd paths=./api/... output:crd:dir=config/crd/bases
	cp docs/troubleshooting.md $(PLUGIN)/fixes/troubleshooting.txt
	go -C $(PLUGIN) run ./gendoc $(CURDIR)/docs/cli.md
	assets=$$(hack/controlplane/build.sh --print-assets kubectl | tail -n 1); \
	go -C hack/chart run . --root $(CURDIR) --kubectl $$assets/kubectl

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go code.
	$(GOLANGCI_LINT) fmt

.PHONY: clean
clean: ## Remove what was built; keep the data of the local stack and the node.
	rm -rf dist $(filter-out bin/dev bin/dev.lock bin/node bin/node.lock, $(wildcard bin/*))

##@ Test

# What reads from caches does not copy it. With this, a process ends if it changes something in one.
DETECT = KUBE_CACHE_MUTATION_DETECTOR=true

# The suite that takes longest starts first, so that the others run beside it and none is left alone at the end.
.PHONY: test
test: $(CODER) ## Run the unit and integration tests with the race detector, against a real API server.
	assets=$$(hack/controlplane/build.sh --print-assets | tail -n 1); \
	KUBEBUILDER_ASSETS=$$assets $(DETECT) go test -race -timeout 30m $(if $(filter ./...,$(PACKAGES)),./test/integration) $(PACKAGES) $(TESTFLAGS)
	$(if $(filter ./...,$(PACKAGES)),go -C $(PLUGIN) test -race -timeout 5m ./... $(TESTFLAGS))

.PHONY: test-unit
test-unit: ## Run the tests that need no API server.
	packages=$$(go list ./... | grep -v /test/); go test -race -timeout 5m $$packages $(TESTFLAGS)
	go -C $(PLUGIN) test -race -timeout 5m ./... $(TESTFLAGS)

CHROMIUM ?= /usr/bin/chromium

.PHONY: ui-test
ui-test: ## Test the plugin's page in a real browser, CHROMIUM=/usr/bin/chromium. SPECS= are arguments of Playwright. Needs node and npm.
	assets=$$(hack/controlplane/build.sh --print-assets | tail -n 1); \
	CHROMIUM=$(CHROMIUM) SPECS='$(SPECS)' KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout 10m ./test/ui $(TESTFLAGS)

.PHONY: ui-screenshots
ui-screenshots: ## Take screenshots of every state of the page into dist/ui, and those of docs/ui.md into docs/ui.
	rm -rf dist/ui && mkdir -p dist/ui docs/ui
	SCREENSHOTS=$(CURDIR)/dist/ui $(MAKE) ui-test
	for name in secrets-light detail-dark import-preview-light; do cp dist/ui/$$name-1280.png docs/ui/$$name.png; done

.PHONY: linearizability
linearizability: ## Look for answers that fit no order, under all faults, for DURATION=30m. Options: SEED=, FAULTS=killed,paused, ARTIFACTS=.
	assets=$$(hack/controlplane/build.sh --print-assets | tail -n 1); \
	KUBEBUILDER_ASSETS=$$assets DURATION=$(DURATION) go test -count 1 -timeout 0 -v $(TESTFLAGS) -run TestServers ./test/linearizability

.PHONY: model
model: ## Run random operations on tenants whose controller dies all the time, for DURATION=30m, or once with SEED=.
	assets=$$(hack/controlplane/build.sh --print-assets | tail -n 1); \
	KUBEBUILDER_ASSETS=$$assets DURATION=$(DURATION) $(DETECT) go test -race -count 1 -timeout 0 $(TESTFLAGS) ./test/model

.PHONY: e2e
e2e: ## Run the end-to-end tests on a real node, or on the cluster of KUBECONFIG=. E2EFLAGS= are arguments of go test.
	hack/e2e/run.sh $(E2EFLAGS)

.PHONY: node-up
node-up: ## Start a Kubernetes node on this machine, with real containers. Needs root.
	go build -o $(TOOLS)/node ./hack/node
	$(TOOLS)/node up

.PHONY: node-down
node-down: ## Stop the node and remove everything that it left.
	go build -o $(TOOLS)/node ./hack/node
	$(TOOLS)/node down

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME=30s.
	for module in . $(if $(filter ./...,$(PACKAGES)),$(PLUGIN)); do \
	  targets=$$(go -C $$module test -list '^Fuzz' $(PACKAGES) | awk '/^Fuzz/ { names[n++] = $$1 } \
	    $$1 == "ok" { for (i = 0; i < n; i++) print $$2 ":" names[i]; n = 0 }'); \
	  for target in $$targets; do \
	    echo "fuzz: $$target"; \
	    go -C $$module test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) "$${target%:*}"; \
	  done; \
	done

.PHONY: bench
bench: ## Run the benchmarks that match BENCH=., with their allocations.
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(PACKAGES) $(TESTFLAGS)

.PHONY: bench-plugin
bench-plugin: ## Measure how long the plugin takes to start.
	go -C $(PLUGIN) test -run '^$$' -bench Start .

.PHONY: bench-rest
bench-rest: up ## Compare the REST API with the same operations through kube-apiserver. REQUESTS=600 each.
	source bin/dev/env; go run ./test/perf/rest -n $(REQUESTS)

# bench runs test/perf/load on a control plane of its own.
bench = assets=$$(hack/controlplane/build.sh --print-assets | tail -n 1); KUBEBUILDER_ASSETS=$$assets go run ./test/perf/load $(if $(JSON),-json $(JSON)) $(1)

.PHONY: bench-load
bench-load: ## Measure how fast UserSecrets become Ready, compared with a client that writes each by itself, and one change. OBJECTS=2000 JSON=.
	$(call bench,-n $(OBJECTS) load)

.PHONY: bench-scale
bench-scale: ## Measure memory, restart and one change with 20,000 objects among 50,000 foreign Secrets. JSON=.
	$(call bench,-n 20000 -foreign 50000 scale)

.PHONY: bench-gate
bench-gate: ## Count requests, opened values and allocations, and fail if they are above test/perf/load/budget.json. JSON=.
	$(call bench,-rounds 1 -budget test/perf/load/budget.json gate)

.PHONY: bench-fairness
bench-fairness: ## Measure how others' load affects one tenant's REST requests, on a control plane of its own.
	assets=$$(hack/controlplane/build.sh --print-assets | tail -n 1); KUBEBUILDER_ASSETS=$$assets go run ./test/perf/fairness

##@ Check

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters.
	$(GOLANGCI_LINT) config verify
	$(GOLANGCI_LINT) run
	cd $(PLUGIN) && $(CURDIR)/$(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## Look for known vulnerabilities in VULNDB=. Needs a network; verify does not run it.
	$(GOVULNCHECK) -db $(VULNDB) ./...
	$(GOVULNCHECK) -db $(VULNDB) -C hack/image ./...
	$(GOVULNCHECK) -db $(VULNDB) -C $(PLUGIN) ./...

.PHONY: verify
verify: $(CONTROLLER_GEN) $(GOLANGCI_LINT) $(HELM) $(KUBE_SCORE) ## Run every check, and list those that failed.
	hack/verify/all.sh

# Tools are built once, from the versions in hack/tools/go.mod.

$(CODER): test/codersdk/go.mod hack/coder/build.sh
	hack/coder/build.sh

$(CONTROLLER_GEN): package := sigs.k8s.io/controller-tools/cmd/controller-gen
$(GOLANGCI_LINT): package := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(HELM): package := helm.sh/helm/v4/cmd/helm
$(KUBE_SCORE): package := github.com/zegl/kube-score/cmd/kube-score
$(GOVULNCHECK): package := golang.org/x/vuln/cmd/govulncheck

$(CONTROLLER_GEN) $(GOLANGCI_LINT): hack/tools/go.mod hack/tools/go.sum
$(HELM): hack/tools/helm/go.mod hack/tools/helm/go.sum
$(KUBE_SCORE): hack/tools/kube-score/go.mod hack/tools/kube-score/go.sum
$(GOVULNCHECK): hack/tools/govulncheck/go.mod hack/tools/govulncheck/go.sum
$(CONTROLLER_GEN) $(GOLANGCI_LINT) $(HELM) $(KUBE_SCORE) $(GOVULNCHECK):
	@echo "building $@ (a first build takes minutes)"
	cd $(<D) && $(GOBUILD) -ldflags '-s -w' -o $(CURDIR)/$@ $(package)
	@touch $@
