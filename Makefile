# run     builds daemon and registry, starts them in the background and prints where they are
# build   the release binary, .build/release/martlet
# test    sets up and runs everything that CI runs
# bench   Martlet against dockerd, podman and docker-registry on this machine, into
#         docs/benchmarks.md
# format, lint, stop, clean
.PHONY: run build test bench format lint stop clean unit integration
.DEFAULT_GOAL := build

SWIFT ?= swift
SOURCES := Package.swift Sources Tests

build:
	scripts/install-packages build
	$(SWIFT) build -c release --product martlet

run: build
	scripts/install-packages run
	scripts/run-daemon

stop:
	@for file in /run/martlet.pid /run/martlet-registry.pid; do \
	  if [ -e "$$file" ]; then kill "$$(cat "$$file")" || true; fi; done

# Everything is built once, in the configuration that is shipped.
test:
	scripts/install-packages build run test
	$(MAKE) lint
	$(SWIFT) build -c release --build-tests
	$(MAKE) unit integration

unit:
	scripts/test-unit

integration:
	scripts/test-python

bench: build
	scripts/install-packages run bench
	bench/run
	bench/run-registry

lint:
	$(SWIFT) format lint --strict --recursive --parallel $(SOURCES)
	scripts/check-layers

format:
	$(SWIFT) format --in-place --recursive --parallel $(SOURCES)

clean:
	rm -rf .build
