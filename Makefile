# What people run and what CI runs. Every target brings the machine to readiness first (scripts/setup).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Where it is set, each of the many processes that a demo or a test starts compiles everything anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

ARGS ?=
# One more than processors: flows wait for processes a good part of their time.
JOBS ?= $(shell expr $$(nproc) + 1)
BIN := .venv/bin

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## The virtual environment and the Debian packages that the tests need
	@scripts/setup test

.PHONY: demo
demo: ## An issue's whole way on a bundled repository (ARGS="--yes --report demo.json")
	@scripts/setup demo
	@$(BIN)/conductor demo $(ARGS)

.PHONY: up
up: ## Run Conductor in one process (ARGS are those of `conductor up`)
	@scripts/setup demo
	@$(BIN)/conductor up $(ARGS)

.PHONY: test
test: ## Every test, and the floor under the coverage of what decides (ARGS="-k name" narrows, without the floor)
	@scripts/setup test
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(if $(ARGS),$(ARGS),--cov --cov-report=)
	@$(if $(ARGS),true,$(BIN)/python scripts/coverage_floor.py)

.PHONY: mutants
mutants: ## Mutation tests of domain, gates, policy (ARGS="bot.domain.money bot.gates.*" narrows)
	@scripts/setup check
	JOBS=$(JOBS) $(BIN)/python -m tests.mutants $(ARGS)

.PHONY: check
check: check-format check-lint check-types check-imports ## Format, lint, types, imports (`make -k check` does not stop at the first)

.PHONY: check-format check-lint check-types check-imports
check-format check-lint check-types check-imports: ready-check
check-format:
	$(BIN)/ruff format --check .
check-lint:
	$(BIN)/ruff check .
check-types:
	$(BIN)/mypy --explicit-package-bases bot workers tests scripts $(wildcard bench/*.py bench/*/*.py)
check-imports:
	$(BIN)/lint-imports

.PHONY: ready-check
ready-check:
	@scripts/setup check

.PHONY: format
format: ## Rewrite the code as `make check` wants it
	@scripts/setup check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: ## The figures that the README quotes, each beside its peer (ARGS="receiver" narrows)
	@scripts/setup bench
	@scripts/bench $(ARGS)

.PHONY: lock
lock: ## Pin the dependencies anew, with hashes and without index addresses
	@scripts/setup check
	$(BIN)/uv pip compile pyproject.toml --group dev --upgrade --quiet --generate-hashes --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --no-annotate --no-header --no-strip-extras --no-emit-index-url --no-emit-find-links \
	  --output-file requirements.lock >/dev/null
