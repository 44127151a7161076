# The house: one environment, and the few commands that everything else is made of. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# Workers of the test suite; `make test WORKERS=0` runs it in one process, for a debugger.
WORKERS ?= 2
PARALLEL = -n $(WORKERS) --dist loadgroup
# What `make check` runs of it.
QUICK = $(wildcard tests/spec tests/golden tests/architecture)
# make run: where the demo keeps its store, and where it listens.
DATA ?= var
HOST ?= 127.0.0.1
PORT ?= 8080

.DEFAULT_GOAL := help
.PHONY: help install run test test-long test-nightly chaos check static quick bench docs sbom lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

install: $(VENV)/.project  ## make .venv from the lock file, and the project in it

# Everything that is installed is named with its hash in requirements.lock; nothing is resolved here.
$(VENV)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; say which with make PYTHON=python3.11" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { echo "make: python3 -m venv does not work here; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.locked
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install  ## the engine with a demo marketplace, everything in one process
	@mkdir -p $(DATA)
	@echo "rescind: look at http://$(HOST):$(PORT)/ once it listens; its store is $(DATA)/journal; ctrl-C ends it"
	@exec $(BIN)/rescind serve --demo --journal sqlite:///$(abspath $(DATA))/journal --host $(HOST) --port $(PORT)

# Specifications first: they are quick, and say best what is wrong. Tests that share something costly name an xdist_group.
test: install  ## every test but the long ones
	$(PYTEST) $(PARALLEL) -m "not slow" tests

test-long: install  ## the long ones: more seeds, more random examples
	RESCIND_EXAMPLES=20 $(PYTEST) $(PARALLEL) -m "slow or random" tests

test-nightly: install  ## what CI has no time for: 20,000 seeds, twenty minutes of chaos, fifty times the random examples
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

# What a container has: the wheel with both extras, in the versions that the tests ran with. A fresh environment, so that
# nothing is listed that only builds or tests the project.
sbom: install  ## the bill of materials of what is shipped, with licenses: dist/rescind.cdx.json (CycloneDX)
	@rm -rf dist/shipped && mkdir -p dist
	@grep -oE '^[A-Za-z0-9._-]+==[^ ;]+' requirements.lock > dist/versions.txt
	@$(PYTHON) -m venv --without-pip dist/shipped
	@$(BIN)/python -m build --quiet --wheel --no-isolation --outdir dist
	@$(BIN)/python -m pip --python dist/shipped/bin/python install --quiet --disable-pip-version-check --constraint dist/versions.txt \
	  "$$(ls -t dist/rescind-*.whl | head -1)[librdkafka,postgresql]"
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/rescind.cdx.json dist/shipped/bin/python
	@rm -rf dist/shipped dist/versions.txt
	@echo "dist/rescind.cdx.json"

lock:  ## pin what pyproject.toml asks for, with hashes and no addresses (UPGRADE=1: the newest of everything)
	@test -x $(BIN)/uv || { echo "make lock: run make install first" >&2; exit 1; }
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:  ## remove what was made here, but never the data of make run
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
