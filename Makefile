# make run    the demo: sandbox accounts, one sandbox app, the playground
# make test   everything that is tested, after installing what the tests need
# make help   the other targets

GO      ?= go
PROGRAM := bin/symbolon
LISTEN  ?= 127.0.0.1:8080
# Where the demo keeps its data. A second one beside it:
# make run DATA=.demo2 LISTEN=127.0.0.1:8081
DATA    ?= .demo
# Where make install puts the program: in bin below it.
PREFIX  ?= /usr/local
# How long make fuzz stays with each target.
FUZZTIME ?= 10s
# More flags for go test, such as -run or -v.
TESTFLAGS ?=

# SQLite is C that a program wrote out as Go. Watched by the race detector it takes
# five times as long, more than all that is ours; it locks by itself, and our use of
# it is watched. e2e/server_test.go builds the server in the same way.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false

# The race detector lets each process sleep a second at its end otherwise, and
# the tests start hundreds.
export GORACE ?= atexit_sleep_ms=0

.PHONY: run build install test test-long check setup fuzz screenshots bench bench-scale clean help

run: build
	@exec $(PROGRAM) demo --listen $(LISTEN) --data $(DATA)

build:
	$(GO) build -trimpath -buildvcs=auto -o $(PROGRAM) ./cmd/symbolon

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/symbolon

test: setup check
	CGO_ENABLED=1 $(GO) test $(RACE) -timeout 20m $(TESTFLAGS) ./...

# What takes minutes: more rounds, and what only waiting shows.
test-long: setup check
	CGO_ENABLED=1 SYMBOLON_LONG=1 $(GO) test $(RACE) -timeout 60m $(TESTFLAGS) ./...

# Layout and the usual mistakes.
check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not gofmt'd: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...

setup:
	@.ci/setup

fuzz:
	@FUZZTIME=$(FUZZTIME) GO=$(GO) .ci/fuzz

# Pictures of every page, for docs/screenshots.
screenshots:
	SYMBOLON_PICTURES=1 $(GO) test -count=1 -run '^TestPictures$$' ./web

bench: build
	$(GO) run ./bench

# Less than twenty minutes, and 20 GB of disk meanwhile. Other work on the machine
# spoils the figures.
bench-scale: build
	$(GO) run ./bench scale --json docs/scale/figures.json --page docs/scale.md

clean:
	rm -rf bin .demo .tools

help:
	@echo 'make run        build, and start the demo on $(LISTEN) with its data in $(DATA)'
	@echo 'make build      build $(PROGRAM)'
	@echo 'make install    the same, and put it into $(PREFIX)/bin (PREFIX=DIR for another)'
	@echo 'make test       install what the tests need, then gofmt, vet and all tests'
	@echo 'make test-long  the same, and the tests that take minutes'
	@echo 'make check      gofmt and vet only'
	@echo 'make setup      only install what the tests need'
	@echo 'make fuzz       every fuzz target for FUZZTIME ($(FUZZTIME))'
	@echo 'make screenshots  pictures of every page, into docs/screenshots'
	@echo 'make bench      measure against a bare handler'
	@echo 'make bench-scale  measure with 10,000 to 10,000,000 connections, and write docs/scale.md'
	@echo 'make clean      remove what was built, the demo'"'"'s data and the tools'
