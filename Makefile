# Drive Backup. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DRIVE_ROOT ?=
AIRFLOW_PORT ?= 8080
export DRIVE_ROOT
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
# Each Airflow task is a process that imports hundreds of modules: with bytecode in less than half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo stop test test-servers test-airflow story test-fast test-long soak lint format lock browser clean env bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the Python environment from the lock

$(READY): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Say which: make setup PYTHON=python3.11"; exit 2; }
	@test "$$(df -Pk . | awk 'NR==2 {print $$4}')" -gt 4000000 || \
	  { echo "At least 4 GB of free disk are needed in $(CURDIR)."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv"; exit 2; }
	@echo "Installing the locked Python packages (about 2 GB; some minutes the first time) …"
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .; } || \
	  { echo "The Python packages could not be installed. Is PyPI reachable from here, and is there free disk?"; exit 2; }
	@touch $@

demo: setup ## back up a sample Drive, or DRIVE_ROOT=/some/folder, with real Airflow into a local cloud
	@$(BIN)/python -m include.demo --airflow-port $(AIRFLOW_PORT) $${DRIVE_ROOT:+--drive-root "$$DRIVE_ROOT"}

stop: ## stop what `make demo` left running
	@test ! -x $(BIN)/python || $(BIN)/python -m include.demo --stop

# Two Airflows leave each other enough of two cores; a third thing beside them makes them miss their times on a slow
# machine. With make's own jobs Ctrl-C reaches all of them.
test: setup browser lint ## all tests: lint, unit, servers, real Airflow, browser, the story
	@$(MAKE) --no-print-directory test-servers
	@$(MAKE) --no-print-directory --jobs=2 test-airflow story

test-servers: setup
	$(BIN)/pytest -n 2 --ignore tests/integration -m "not long" --hypothesis-profile=repeatable

test-airflow: setup
	$(BIN)/pytest tests/integration -m "not story and not long"

story: setup ## a month of nights, a bad day, restore and retention through real Airflow (docs/story.md)
	$(BIN)/pytest tests/integration -m story

test-fast: setup ## the tests that start no servers
	$(BIN)/pytest -m "not integration and not long" -n 2

test-long: setup ## random months: 200 on fakes, one per fault put back, 10 of real processes with Azurite (long)
	MONTH_SEEDS=200 $(BIN)/pytest tests/core/month -m "not integration" -n 2
	MONTH_SEEDS=10 $(BIN)/pytest tests/core/month -m "integration and long"

lint: setup ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 include/drive_backup
	$(BIN)/lint-imports

format: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

browser: ## make sure that there is a Chromium for the browser tests
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq install -y chromium >/dev/null; } || \
	  { echo "The browser tests need Chromium. Install it, e.g. apt-get install chromium."; exit 2; }

bench: setup ## compare with rclone, about 20 minutes; writes docs/benchmarks.md
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks

soak: setup ## hours in small: back up 100,000 files under faults of all kinds, and check (SOAK="--files 5000")
	@$(BIN)/python -m benchmarks.soak $(SOAK)

lock: setup ## resolve requirements*.txt anew into the lock files
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade requirements.txt -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes -c requirements.lock requirements-dev.txt -o requirements-dev.lock

env: setup ## write .env with fresh secrets for docker compose
	@$(BIN)/python -m include.demo.compose_env

clean: stop ## remove everything that was made here
	rm -rf $(VENV) .run .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
