# Two commands on a fresh machine: `make demo` and `make test`. Both install what they need into .venv.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STUDIO := var/label-studio
# One thread per task: spinning OpenMP threads on a loaded machine turn seconds into minutes.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
# A warning of uv when cache and .venv are on two file systems; copying is fine.
export UV_LINK_MODE ?= copy
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links
UV := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/uv: requirements/bootstrap.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@touch $@

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml $(BIN)/uv
	@echo "Installing what the demo needs into $(VENV) ..."
	@$(UV) pip install --quiet --require-hashes -r requirements/runtime.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml $(BIN)/uv
	@echo "Installing what the tests need into $(VENV) ..."
	@$(UV) pip install --quiet --require-hashes -r requirements/dev.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(VENV)/.runtime $@

.PHONY: install
install: $(VENV)/.runtime ## Install the product into .venv

.PHONY: demo
demo: $(VENV)/.runtime ## Play the story on real flights in Airflow and MLflow (ARGS=--no-serve ends after it)
	@$(BIN)/python -m continual.demo $(ARGS)

.PHONY: up
up: $(VENV)/.runtime ## Start Airflow and MLflow on loopback with the policies in configs/
	@$(BIN)/continual up

.PHONY: browser
browser: ## Chromium for pictures of the pages: Debian's, installed where that is possible
	@command -v "$${CHROMIUM:-chromium}" > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	  echo "Installing chromium ..." && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > /dev/null; } || \
	  echo "No Chromium here and none could be installed: name one in CHROMIUM=/path/to/it."

.PHONY: docs
docs: $(VENV)/.dev ## The documentation site, into site/
	@$(BIN)/mkdocs build --strict

.PHONY: test
test: $(VENV)/.dev $(STUDIO)/.installed browser ## All tests: unit, integration, end to end (a process each: what one starts, the next does not see)
	@$(BIN)/pytest -n 2 tests/unit
	@$(BIN)/pytest -n 2 --dist loadfile tests/integration
	@$(BIN)/pytest tests/e2e

.PHONY: prometheus
prometheus: ## Prometheus and promtool into var/prometheus: Debian's package, unpacked and not installed
	@command -v promtool > /dev/null || test -x var/prometheus/usr/bin/promtool || { mkdir -p var/prometheus && cd var/prometheus && \
	  apt-get update -qq && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb; } || \
	  echo "No promtool here and none could be unpacked: put it on the PATH."

.PHONY: production
production: $(VENV)/.dev prometheus ## The story on the topology of docker/compose.yaml, natively; a fresh unlocked install (15 minutes)
	@$(BIN)/pytest tests/production

.PHONY: unit
unit: $(VENV)/.dev ## Fast tests only (under a minute)
	@$(BIN)/pytest -n 2 tests/unit

.PHONY: lint
lint: $(VENV)/.dev ## Style, layer contracts, budgets of size
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

.PHONY: types
types: $(VENV)/.dev ## mypy --strict
	@$(BIN)/mypy

.PHONY: security
security: $(VENV)/.dev ## Bandit over all code that is shipped
	@$(BIN)/bandit -q -c pyproject.toml -r src dags plugins docker requirements

.PHONY: sbom
sbom: $(VENV)/.dev ## var/sbom.json: what the production image holds, as CycloneDX, from the lock
	@$(BIN)/python requirements/sbom.py requirements/production.lock var/sbom.json

.PHONY: audit
audit: $(VENV)/.dev ## Known vulnerabilities of what is locked (exit 1: some; exit 3: no service could be asked)
	@$(BIN)/python requirements/audit.py requirements/production.lock

.PHONY: format
format: $(VENV)/.dev ## Rewrite in house style
	@$(BIN)/ruff check --fix-only . ; $(BIN)/ruff format .

.PHONY: schema
schema: $(VENV)/.runtime ## Regenerate the JSON Schema editors use for configs/*.yaml
	@$(BIN)/continual schema > docs/reference/policy.schema.json

.PHONY: screenshots
screenshots: $(VENV)/.dev browser ## Run the demo and photograph its pages
	@$(BIN)/python docs/screenshots.py

.PHONY: bench
bench: $(VENV)/.dev ## Install what some benchmarks need besides (river)
	@$(UV) pip install --quiet --require-hashes -r requirements/bench.lock

.PHONY: lock
lock: ## Re-resolve the locks in requirements/ (no index address is written)
	@test -x $(BIN)/uv || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv)
	@$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.lock
	@$(COMPILE) pyproject.toml --extra demo -o requirements/runtime.lock
	@$(COMPILE) pyproject.toml --extra demo --extra production --extra dev -c requirements/runtime.lock -o requirements/dev.lock
	@$(COMPILE) pyproject.toml --extra demo --extra production -c requirements/runtime.lock -o requirements/production.lock
	@$(COMPILE) pyproject.toml --extra bench -c requirements/dev.lock -o requirements/bench.lock
	@$(COMPILE) requirements/label-studio.in -o requirements/label-studio.lock

.PHONY: label-studio
label-studio: $(STUDIO)/.installed ## Install Label Studio into var/label-studio, an environment of its own (800 MB)

$(STUDIO)/.installed: requirements/label-studio.lock $(BIN)/uv
	@echo "Installing Label Studio into $(STUDIO) ..."
	@$(BIN)/uv venv --quiet --allow-existing --python $(PYTHON) $(STUDIO)
	@VIRTUAL_ENV=$(CURDIR)/$(STUDIO) $(BIN)/uv pip install --quiet --require-hashes -r requirements/label-studio.lock
	@touch $@

.PHONY: clean
clean: ## Remove the environment and all embedded state
	rm -rf $(VENV) var
