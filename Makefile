# `make` alone lists the commands. All of them share one environment, .venv; nothing is installed outside of it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# Workers of the test suite; `make test WORKERS=0` runs it in one process, for a debugger.
WORKERS ?= 2
PARALLEL = -n $(WORKERS) --dist loadgroup
# What `make check` runs of it.
QUICK = $(wildcard tests/spec tests/golden tests/architecture)
# make run: the folder of its store, and where it listens.
DATA ?= var
HOST ?= 127.0.0.1
PORT ?= 8080

.DEFAULT_GOAL := help
.PHONY: help install rescind run test test-long test-nightly chaos check static quick bench docs sbom lock clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo "make run takes: PORT (now $(PORT)), HOST (now $(HOST)) and DATA, the folder of its store (now $(DATA))"

# Three lock files name every package with its version and hashes, and no address: run.lock has what the engine needs, with
# both extras; build.lock what builds the project; dev.lock these two and what checks, documents and tests it. A package has
# the same version in all of them, so `make run` and `make test` share the environment, in any order.
install: $(VENV)/.dev $(VENV)/.project  ## install what developing needs into .venv, and the project itself

rescind: $(VENV)/.project  ## install .venv/bin/rescind and what it needs, nothing for developing

# $(call pip,ARGUMENTS,LOCK FILES): on a terminal, pip's lines become one that counts; elsewhere only errors are shown.
pip = set -o pipefail; total=$$(cat $(2) | grep -c '==' || true); \
	$(BIN)/python -m pip install --disable-pip-version-check $(1) $(foreach file,$(2),-r $(file)) \
	| awk -v total=$$total -v live=$$(test -t 2 && echo 1) ' \
	  !live { next } \
	  /^Collecting / { n++; printf "\r\033[K  %d of %d: %s", n, total, $$2 > "/dev/stderr" } \
	  /^Installing collected/ { printf "\r\033[K  unpacking %d packages ...", n > "/dev/stderr" } \
	  END { if (live) printf "\r\033[K" > "/dev/stderr" }'

$(VENV)/.run $(VENV)/.dev: SHELL := bash

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; say which with make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "make: python3 -m venv does not work here; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.run: requirements/run.lock requirements/build.lock | $(VENV)/bin/python
	@echo "make: installing what the engine needs into $(VENV): 25 MB to download, 140 MB on disk, half a minute as a rule" >&2
	@$(call pip,--require-hashes,requirements/run.lock requirements/build.lock)
	@touch $@

$(VENV)/.dev: requirements/dev.lock | $(VENV)/.run
	@echo "make: installing what developing needs into $(VENV): 600 MB on disk, two minutes as a rule" >&2
	@$(call pip,--require-hashes,requirements/dev.lock)
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: rescind  ## the engine with a demo marketplace, everything in one process
	@$(BIN)/python deploy/make_run.py '$(DATA)' '$(HOST)' '$(PORT)'

# Specifications first: they are quick, and say best what is wrong. Tests that share something costly name an xdist_group.
test: install  ## every test but the long ones
	$(PYTEST) $(PARALLEL) -m "not slow" tests

test-long: install  ## the long ones: more seeds, more random examples
	RESCIND_EXAMPLES=20 $(PYTEST) $(PARALLEL) -m "slow or random" tests

test-nightly: install  ## what CI has no time for: 20,000 seeds and orders, twenty minutes of chaos, fifty times the random examples
	$(BIN)/python -m tests.nightly

MINUTES ?= 10
chaos: install  ## ten minutes of three brokers and two engines under load, killed every few seconds (MINUTES=2, SEED=1, SHARE=1)
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(SHARE),--share)

check: static quick  ## format, lint, types, import contracts, quick tests: under a minute

static: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

quick: install
	RESCIND_EXAMPLES=0.1 $(PYTEST) $(PARALLEL) -q -m "not slow and not browser and not kafka and not postgresql" $(QUICK)

bench: install  ## ratios measured side by side, into bench/results.json (B=B1, B="B2 K1 --journal kafka://HOST:PORT/PREFIX")
	$(BIN)/python -m tests.bench $(B)

docs: install  ## the documentation, into docs/_build; a warning is an error
	$(BIN)/python -m docs.generate
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build
	@echo "docs/_build/index.html"

# What a container has: the wheel and what run.lock names. A fresh environment, so that nothing is listed that only builds or
# tests the project.
sbom: install  ## the bill of materials of what is shipped, with licenses: dist/rescind.cdx.json (CycloneDX)
	@rm -rf dist/shipped && mkdir -p dist
	@$(PYTHON) -m venv --without-pip dist/shipped
	@$(BIN)/python -m build --quiet --wheel --no-isolation --outdir dist
	@$(BIN)/python -m pip --python dist/shipped/bin/python install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements/run.lock
	@$(BIN)/python -m pip --python dist/shipped/bin/python install --quiet --disable-pip-version-check --no-deps \
	  "$$(ls -t dist/rescind-*.whl | head -1)"
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/rescind.cdx.json dist/shipped/bin/python
	@rm -rf dist/shipped
	@echo "dist/rescind.cdx.json"

COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --quiet
lock:  ## pin what pyproject.toml asks for, with hashes and no addresses (UPGRADE=1: the newest of everything)
	@test -x $(BIN)/uv || { echo "make lock: run make install first" >&2; exit 1; }
	$(COMPILE) pyproject.toml --all-extras --group dev $(if $(UPGRADE),--upgrade) --output-file requirements/dev.lock
	$(COMPILE) pyproject.toml --all-extras --constraint requirements/dev.lock --output-file requirements/run.lock
	$(COMPILE) --group build --constraint requirements/dev.lock --output-file requirements/build.lock

clean:  ## remove what was made here, but never the data of make run
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
