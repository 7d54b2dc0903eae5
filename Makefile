# What there is to do here: `make help`. Every target does its own set-up.
# Recipes of more than one command start with `set -e`: the make of macOS (3.81) knows no .SHELLFLAGS.
SHELL := bash
.DEFAULT_GOAL := help

app     := examples/microblog
web     := $(app)/web
client  := clients/typescript
pages   := $(web)/build/index.html
parser  := integration/ssestream/parser
modules := . $(app) integration benchmarks
linter  := $(CURDIR)/bin/golangci-lint
scripts := .ci/run $(app)/compose-test $(addprefix testbed/,up down compose test nightly chromium node) \
	$(wildcard testbed/lib/*.sh testbed/images/*/build testbed/images/*/entrypoint.sh)

# The names of the servers' images and of the browser, as testbed/up and testbed/chromium found or made them.
testbed_env := if [ -f testbed/.env ]; then set -a; . testbed/.env; set +a; fi

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

.PHONY: run
run: $(pages) ## Build the microblog and serve it on http://localhost:8080, everything embedded (ARGS="-addr :9090")
	cd $(app) && go build -o ../../bin/microblog . && exec ../../bin/microblog $(ARGS)

.PHONY: web
web: $(pages) ## Build the microblog's pages

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	testbed/node
	cd $* && npm ci --no-audit --no-fund
	touch $@

# The pages are compiled from the sources of the stream client too, which they link to.
$(web)/node_modules/.package-lock.json: $(client)/package.json
$(pages): $(web)/node_modules/.package-lock.json $(addprefix $(web)/,index.html vite.config.ts tsconfig.json) \
		$(shell find $(web)/src $(web)/public $(client)/src -type f)
	cd $(web) && npm run build

.PHONY: test
test: test-unit test-web test-integration ## Run all tests, on real servers and in a browser as far as this machine can have them

.PHONY: test-unit
test-unit: ## Run the tests that need no server
	go test -race ./...
	cd $(app) && go test -race ./...
	cd benchmarks && go test -race ./...

.PHONY: test-web
test-web: $(addsuffix /node_modules/.package-lock.json,$(client) $(web)) ## Run the tests of the stream client and of the microblog's pages
	cd $(client) && npm test
	cd $(web) && npm test

.PHONY: test-integration
test-integration: $(pages) $(parser)/node_modules/.package-lock.json ## Run the tests on real servers (in Docker) and in a browser
	testbed/test

.PHONY: test-compose
test-compose: ## Restart and kill each server of `make up`'s stack while it is written to (minutes, needs Docker)
	$(app)/compose-test

.PHONY: test-nightly
test-nightly: ## Crash, break and fuzz for long, and see that the crashes find mutants (two hours, needs all servers)
	testbed/nightly

.PHONY: bench
bench: ## Run the benchmarks of the library and its adapters (minutes; nothing else should run beside)
	go test -run '^$$' -bench . -benchmem ./...
	cd benchmarks && go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-sse
bench-sse: ## Measure SSE servers side by side (ten minutes, Linux; ARGS="-clients 100 -rounds 1", ARGS=-h for all)
	cd benchmarks && go build -o ../bin/bench-sse ./sse && exec ../bin/bench-sse $(ARGS)

.PHONY: bench-feeds
bench-feeds: ## Measure the way of a post into its feeds on real servers (up to a quarter of an hour, needs Docker)
	testbed/up
	set -e; $(testbed_env); cd integration && \
		go test -run '^$$' -bench 'Projection|Pipeline' -benchtime 5x -timeout 60m ./speed && \
		go test -run '^$$' -bench 'IdleLatency|Page' -benchtime 300x -timeout 60m ./speed && \
		go test -run '^$$' -bench CommitToPublish -benchtime 1000x ./mysqlstore

.PHONY: lint
lint: $(linter) ## Run golangci-lint in every module, and check that every go.mod is tidy and every script parses
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
down: ## Stop what `make up` started; the volumes stay
	testbed/compose down

.PHONY: screenshot
screenshot: $(pages) ## Take the README's picture of the running app again
	testbed/chromium
	set -e; $(testbed_env); cd integration && go run ./browser/screenshot -o ../docs/images/microblog.png
