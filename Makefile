# FastCheck. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
# One worker per core; the real ones and those of hyper-threading alike.
WORKERS ?= logical

# The first interpreter that runs and is new enough; a name on the path alone proves nothing (version managers leave shims).
find_python = for name in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then echo 'FastCheck needs Python 3.11 or newer; none was found.' >&2; exit 1; fi
# Python without its venv part (Debian) can still make an environment, and any pip from 22.3 on can fill it from outside.
pip = $(find_python); if $(BIN)/python -c 'import pip' 2>/dev/null; then pip="$(BIN)/python -m pip"; \
	else pip="$$python -m pip --python $(BIN)/python"; fi; $$pip --disable-pip-version-check

.PHONY: help setup demo up dev test check docs env bench chaos

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEV) ## make .venv with everything, tools for development included (again only when the lock changed)

demo: $(RUNTIME) ## play the whole story on a system of its own, over the public API
	@exec $(BIN)/fastcheck demo

up: $(RUNTIME) ## start the whole system and stay; Ctrl-C stops it
	@exec $(BIN)/fastcheck up

# `make dev SERVICE=checks ROLE=worker` runs another process of the service.
SERVICE ?= checks
ROLE ?= web
dev: $(DEV) ## start the system with SERVICE in the foreground, restarted when its code changes (SERVICE=checks ROLE=web)
	@exec $(BIN)/fastcheck dev $(SERVICE) --role $(ROLE)

test: $(DEV) ## run every test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: lint test ## ruff, mypy --strict, import-linter and the tests

.PHONY: lint
lint: $(DEV) ## ruff, mypy --strict and import-linter alone
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: $(DEV) ## build the documentation site, strictly and without a network (opens at .cache/site/index.html)
	@$(BIN)/zensical build --strict --clean

env: $(RUNTIME) ## write .env with random secrets for docker compose
	@$(BIN)/fastcheck env

bench: $(DEV) ## measure the running speed of a system of its own
	@$(BIN)/fastcheck bench

# `make chaos SEED=7 MINUTES=2` runs one seed alone.
MINUTES ?= 9
chaos: $(DEV) ## kill parts of a running system at random and compare its books with what people were told
	@$(BIN)/python -m tests.faults.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

$(BIN)/python:
	@$(find_python); $$python -m venv $(VENV) 2>/dev/null || $$python -m venv --clear --without-pip $(VENV)

$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	@$(pip) install --quiet --require-hashes -r requirements.txt
	@$(pip) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@$(pip) install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

# Writes the lock files anew from pyproject.toml; uv is wanted for this alone.
.PHONY: lock
lock:
	@uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --extra build -o requirements.txt
	@uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --extra build --extra dev -c requirements.txt -o requirements-dev.txt
