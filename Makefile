# What a contributor needs, each with its own set-up. `make` alone tells what there is.

.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
EXAMPLE ?= examples/hello_fastapi
OUTPUT ?= dist/demo
PYTEST_ARGS ?=

# Tests run the tools of the environment, not others of the same names.
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: help
help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: python
python: ## make or renew the development environment
	@tests/support/setup-python.sh

.PHONY: engines
engines: ## install and register what e2e tests run images on (root or sudo, the first time)
	@tests/support/setup-engines.sh

.PHONY: bazel
bazel: ## make what tests of the Bazel rules run in (about 2 GB outside of the tree, the first time)
	@tests/support/setup-bazel.sh

.PHONY: demo
demo: python ## build the example for two architectures, show what was made, prove it
	@EXAMPLE='$(EXAMPLE)' OUTPUT='$(OUTPUT)' tests/support/demo.sh

.PHONY: test
test: python engines bazel ## run all tests: unit, integration and e2e; a skipped one fails
	CROSSDOCK_REQUIRE_ALL=$${CROSSDOCK_REQUIRE_ALL-1} tests/support/run-tests.sh $(PYTEST_ARGS)

.PHONY: unit
unit: python ## run the tests that need neither network nor engines
	python -m pytest tests/unit $(PYTEST_ARGS)

.PHONY: check
check: python ## lint, formatting and types
	ruff check .
	ruff format --check .
	mypy
	tests/support/buildifier.sh

.PHONY: bench
bench: python ## measure, and compare with the floor
	python -m bench
