# `make help` lists the targets. Every target does its own set-up.
# Recipes of several commands start with `set -e`, because the make of macOS (3.81) has no .SHELLFLAGS.
SHELL := bash
.DEFAULT_GOAL := help

app     := examples/microblog
web     := $(app)/web
client  := clients/typescript
pages   := $(web)/build/index.html
parser  := integration/ssestream/parser
proxy   := integration/proxies/node
html    := integration/browser/html/npm
modules := . $(app) integration benchmarks
linter  := $(CURDIR)/bin/golangci-lint
scripts := .ci/run $(app)/compose-test $(addprefix testbed/,up down compose test nightly chromium engines network node) \
	$(wildcard testbed/lib/*.sh testbed/images/*/build testbed/images/*/entrypoint.sh)

# Sets the images of the servers and the path of the browser, as testbed/up and testbed/chromium have written them.
testbed_env := if [ -f testbed/.env ]; then set -a; . testbed/.env; set +a; fi

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

.PHONY: run
run: $(pages) ## Build the microblog and serve it on http://localhost:8080, everything embedded (ARGS="-addr :9090")
	cd $(app) && go build -o ../../bin/microblog . && exec ../../bin/microblog -demo $(ARGS)

# Where the released microblogs run.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: dist
dist: $(pages) ## Build the microblog for release into dist/, its pages inside (PLATFORMS="linux/arm64 windows/amd64")
	rm -rf dist
	set -e; for platform in $(PLATFORMS); do \
		os=$${platform%/*}; arch=$${platform#*/}; name=microblog-$$os-$$arch; \
		if [ $$os = windows ]; then name=$$name.exe; fi; \
		(cd $(app) && CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags='-s -w' -o ../../dist/$$name .); \
	done
	cd dist && if command -v sha256sum >/dev/null; then sha256sum microblog-*; else shasum -a 256 microblog-*; fi > SHA256SUMS

.PHONY: web
web: $(pages) ## Build the microblog's pages

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	testbed/node
	cd $* && npm ci --no-audit --no-fund
	touch $@

# The pages also depend on the stream client, whose sources they link to and compile.
$(web)/node_modules/.package-lock.json: $(client)/package.json
$(pages): $(web)/node_modules/.package-lock.json $(addprefix $(web)/,index.html vite.config.ts precompress.js tsconfig.json) \
		$(shell find $(web)/src $(web)/public $(client)/src -type f)
	cd $(web) && npm run build

# The browser tests have pages that import the client as it is published.
$(client)/dist/index.js: $(client)/node_modules/.package-lock.json $(shell find $(client)/src -type f) $(client)/tsconfig.build.json
	cd $(client) && npm run build

# The pages of Vue, React and Svelte in the browser tests.
$(client)/examples/dist/vue/index.html: $(client)/dist/index.js $(shell find $(client)/examples -type f -not -path '*/dist/*')
	cd $(client) && npm run examples

.PHONY: test
test: test-unit test-web test-integration ## Run all tests, on the servers and in the browser that this machine can have

.PHONY: test-unit
test-unit: ## Run the tests that need no server
	go test -race -timeout 20m ./...
	FEEDMILL_COMPRESS=1 go test -race -timeout 20m ./ssestream
	cd $(app) && go test -race -timeout 20m -skip '^TestRecipePages$$' ./... # test-web runs it
	cd benchmarks && go test -race -timeout 20m ./...

.PHONY: test-web
test-web: $(addsuffix /node_modules/.package-lock.json,$(client) $(web)) ## Run the tests of the stream client and of the microblog's pages
	cd $(client) && npm test
	cd $(web) && npm test
	cd $(app) && go test -count=1 -run '^TestRecipePages$$' .

.PHONY: test-integration
test-integration: $(pages) $(client)/dist/index.js $(client)/examples/dist/vue/index.html $(addsuffix /node_modules/.package-lock.json,$(parser) $(proxy) $(html)) ## Run the tests on real servers (in Docker) and in a browser
	testbed/test

.PHONY: test-compose
test-compose: ## Restart and kill each server of the microblog's stacks in containers under load (minutes, needs Docker)
	$(app)/compose-test
	$(app)/compose-test scale
	$(app)/compose-test postgres

.PHONY: test-nightly
test-nightly: ## Run the long form of the tests: crashes, mutants, faults, containers, fuzzing (two hours, needs all servers)
	testbed/nightly

.PHONY: bench
bench: ## Run the benchmarks of the library and its adapters (minutes; run nothing else meanwhile)
	go test -run '^$$' -bench . -benchmem ./...
	cd benchmarks && go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-sse
bench-sse: ## Measure SSE servers side by side (half an hour, Linux; ARGS=-h lists the flags)
	cd benchmarks && go build -o ../bin/bench-sse ./sse && exec ../bin/bench-sse $(ARGS)

.PHONY: bench-feeds
bench-feeds: ## Measure from a write to the feeds on real servers (5 to 15 minutes, needs Docker)
	testbed/up
	set -e; $(testbed_env); cd integration && \
		go test -run '^$$' -bench 'Projection|Pipeline' -benchtime 5x -timeout 60m ./speed && \
		go test -run '^$$' -bench 'IdleLatency|Page' -benchtime 300x -timeout 60m ./speed && \
		go test -run '^$$' -bench CommitToPublish -benchtime 1000x ./mysqlstore && \
		go test -run '^$$' -bench . -benchtime 20x ./postgresstore

.PHONY: lint
lint: $(linter) ## Run golangci-lint, and check the go.mod files and the shell scripts
	set -e; for module in $(modules); do (cd $$module && echo "lint $$module" && $(linter) run --allow-parallel-runners ./... && go mod tidy -diff); done
	set -e; for script in $(scripts); do bash -n $$script; done
	if command -v shellcheck; then shellcheck -x $(scripts); fi

.PHONY: fmt
fmt: $(linter) ## Format the Go files
	set -e; for module in $(modules); do (cd $$module && $(linter) fmt ./...); done

$(linter): tools/golangci-lint.mod
	go build -modfile=tools/golangci-lint.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: up
up: ## Serve the microblog on MySQL, MongoDB and NATS in containers, on http://localhost:8080
	testbed/up compose
	testbed/compose up --build --detach

.PHONY: down
down: ## Stop the containers of `make up` and keep their volumes
	testbed/compose down

.PHONY: screenshot
screenshot: $(pages) ## Take the picture of the microblog
	testbed/chromium
	set -e; $(testbed_env); cd integration && go run ./browser/screenshot -o ../docs/images/microblog.png

.PHONY: animation
animation: $(pages) ## Take the moving picture of the README
	testbed/chromium
	set -e; $(testbed_env); cd integration && go run ./browser/animation -o ../docs/images/two-windows.gif

.PHONY: plot
plot: ## Draw what an update of a feed takes, by the feed's length (a minute, Linux)
	cd benchmarks && go run ./sse/plot -o ../docs/images/bytes-an-update.svg

.PHONY: figures
figures: $(pages) ## Measure the microblog's pages in a browser (minutes; run nothing else meanwhile; ARGS="-count 3")
	testbed/chromium
	set -e; $(testbed_env); cd integration && go run ./browser/figures $(ARGS)
